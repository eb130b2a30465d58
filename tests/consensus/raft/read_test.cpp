#include "harness.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <utility>

using namespace quorumd;
using namespace quorumd::raft;
using namespace quorumd::raft::test;

namespace {

// The one answer since the last call.
read_state answered(cluster::node& n) {
  REQUIRE(n.reads.size() == 1);
  const read_state r = n.reads[0];
  n.reads.clear();
  return r;
}

} // namespace

// Until then the leader does not know what its predecessors committed.
TEST_CASE("case 78: ReadIndex needs an entry committed in the own term") {
  subject s(options_of(1), state_with(3, {1, 1}));
  s.win(3);
  s.c.read_index(context(1));
  auto sent = s.settle();
  CHECK(all_of<heartbeat>(sent).empty());
  CHECK(s.out.reads.empty());
  s.c.step(id(2), accepted(2, 3));
  s.take();
  const auto beats = all_of<heartbeat>(s.out.messages);
  REQUIRE_FALSE(beats.empty());
  CHECK(beats[0].second.round == 1);
  CHECK(s.out.reads.empty());
  s.c.step(id(3), heartbeat_response{.term = term(2), .round = 1});
  s.take();
  REQUIRE(s.out.reads.size() == 1);
  CHECK(s.out.reads[0].ok);
  CHECK(s.out.reads[0].index == log_index(3));
  CHECK(s.out.reads[0].context == context(1));
}

// An answer to an older round says nothing about the time after the read was asked for; reads of one turn share one.
TEST_CASE("case 79: each round is fresh; a late acknowledgement is not counted") {
  subject s(options_of(1), state_with(3));
  s.win(3);
  s.c.step(id(2), accepted(1, 1));
  s.settle();
  s.c.read_index(context(1));
  s.c.read_index(context(2));
  s.take();
  CHECK(all_of<heartbeat>(s.out.messages).size() == 2); // one to each follower, for both reads
  s.c.read_index(context(3));
  s.take();
  CHECK(all_of<heartbeat>(s.out.messages).at(0).second.round == 2);
  s.c.step(id(2), heartbeat_response{.term = term(1), .round = 0});
  CHECK_FALSE(s.c.has_ready());
  s.c.step(id(2), heartbeat_response{.term = term(1), .round = 1});
  s.take();
  REQUIRE(s.out.reads.size() == 2);
  CHECK(s.out.reads[1].context == context(2));
  s.c.step(id(2), heartbeat_response{.term = term(1), .round = 99}); // no such round: nonsense
  CHECK_FALSE(s.c.has_ready());
  // The lost heartbeat is repeated with the next periodic one.
  s.tick(5);
  s.take();
  CHECK(all_of<heartbeat>(s.out.messages).at(0).second.round == 2);
  s.c.step(id(3), heartbeat_response{.term = term(1), .round = 2});
  s.take();
  REQUIRE(s.out.reads.size() == 1);
  CHECK(s.out.reads[0].context == context(3));
}

// Rounds count from 1 in each leadership. Node 1 led term 1 and leads term 3; a message of term 1 with its round 1
// reaches node 2 only now, and the answer, which can name term 3 alone, reaches node 1 when node 3 leads term 4.
TEST_CASE("case 79: the answer to an older term's message confirms no round of a later term") {
  for (const bool append : {true, false}) {
    CAPTURE(append);
    cluster c(3);
    c.elect(1);
    std::optional<envelope> late;
    c.drop = [&](const envelope& e) {
      const auto* a = std::get_if<append_request>(&e.message);
      const auto* h = std::get_if<heartbeat>(&e.message);
      if (late || e.to != id(2) || (append ? a == nullptr || a->round != 1 : h == nullptr || h->round != 1))
        return false;
      late = e;
      return true;
    };
    c[1].read_index(context(1));
    CHECK(c.propose(1, "a"));
    c.settle();
    CHECK(answered(c.at(1)).ok);
    REQUIRE(late);
    for (std::uint64_t n : {2, 1}) {
      CHECK(c[3 - n].transfer_leadership(id(n)));
      c.run(6);
      REQUIRE(c[n].soft().serving);
    }
    REQUIRE(c[2].soft() == soft_state{role::follower, id(1), term(3), false});
    c.deliver(*late);
    c.pump(2);
    const std::deque<envelope> answers = std::exchange(c.bag, {});
    REQUIRE(answers.size() == 1);

    // Node 1 stands still from here on: it gets no ticks.
    c.isolate(1);
    for (std::uint64_t n : {2, 3}) c[n].stream_reset(id(1));
    c[3].campaign();
    c.settle();
    REQUIRE(c[3].soft().serving);
    CHECK(c.propose(3, "b"));
    c.settle();
    REQUIRE(c[1].soft() == soft_state{role::leader, id(1), term(3), true});
    c[1].read_index(context(2));
    c.pump(1);
    c.heal();
    c.deliver(answers.front());
    c.pump(1);
    CHECK(c.at(1).reads.empty());
    c.run(10);
    CHECK_FALSE(answered(c.at(1)).ok);
  }
}

// The answer names the index; a read whose leader is gone fails, and may be asked again.
TEST_CASE("case 80: waits until applied reaches it; a leader change fails it") {
  cluster c(3);
  c.elect(1);
  CHECK(c.propose(1, "a"));
  c.settle();
  c[1].read_index(context(1));
  c[3].read_index(context(2));
  c.settle();
  for (std::uint64_t n : {1, 3}) {
    const read_state r = answered(c.at(n));
    CHECK(r.ok);
    CHECK(r.index == log_index(2));
    CHECK(c.at(n).applied >= r.index);
  }

  c.isolate(1);
  c[1].read_index(context(3));
  c.settle();
  CHECK(c.at(1).reads.empty());
  c.run(60);
  CHECK_FALSE(answered(c.at(1)).ok); // it stepped down

  c.heal();
  c.run(10);
  REQUIRE(c[3].soft().leader);
  c.isolate(3);
  c[3].read_index(context(4)); // lost on the way
  c.run(20);
  CHECK(c.at(3).reads.empty());
  c.run(40);
  CHECK_FALSE(answered(c.at(3)).ok);
  c[3].read_index(context(5)); // no leader is known
  c.settle();
  CHECK_FALSE(answered(c.at(3)).ok);
}

// The stream to the leader broke: the question or its answer may be lost with it.
TEST_CASE("case 80: a forwarded read fails when the stream to the leader breaks") {
  cluster c(3);
  c.elect(1);
  c[2].read_index(context(1));
  c[2].stream_reset(id(1));
  c.pump(2);
  CHECK_FALSE(answered(c.at(2)).ok);
}

// It is its own quorum.
TEST_CASE("a single voter answers a read at once") {
  cluster c(1);
  c.run(60);
  REQUIRE(c[1].soft().serving);
  c[1].read_index(context(1));
  c.pump(1);
  CHECK(answered(c.at(1)).ok);
}

// A node that follows cannot say.
TEST_CASE("a forwarded read to a node that does not lead is refused") {
  cluster c(3);
  c.elect(1);
  c[2].step(id(3), read_index_request{.term = term(1), .context = context(1)});
  c.pump(2);
  REQUIRE(c.bag.size() == 1);
  const auto* r = std::get_if<read_index_response>(&c.bag[0].message);
  REQUIRE(r != nullptr);
  CHECK_FALSE(r->ok);
}
