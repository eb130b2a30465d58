#include "harness.hpp"

#include <doctest/doctest.h>

using namespace quorumd;
using namespace quorumd::raft;
using namespace quorumd::raft::test;

namespace {

/// Leads a cluster of n, in which the last one is a witness; its first entry is committed, and everybody has it.
struct led : subject {
  explicit led(std::uint64_t n)
      : subject(options_of(1), state_with(n)) {
    c.set_witnesses({id(n)});
    win(n);
    for (std::uint64_t i = 2; i <= n; ++i) c.step(id(i), accepted(1, 1));
    settle();
    look(*this);
  }
  /// A tick, at which everybody is heard.
  static void look(subject& s) { s.tick(1); }
  void propose() {
    std::vector<proposal> one;
    one.push_back(make_proposal("x"));
    REQUIRE(c.propose(one).has_value());
    settle();
  }
  void hear(std::uint64_t n) {
    c.step(id(n), heartbeat_response{.term = term(1), .round = 0});
    settle();
  }
};

} // namespace

TEST_CASE("witness: it votes and never campaigns") {
  options o = options_of(3);
  o.witness = true;
  subject s(o, state_with(3));
  s.tick(200);
  s.c.campaign();
  s.c.step(id(1), timeout_now{term(0)});
  CHECK(s.settle().empty());
  CHECK(s.c.soft() == soft_state{role::follower, node_id(), term(0), false});
  s.c.step(id(1), vote_request{.term = term(1), .last_index = log_index(0), .last_term = term(0)});
  const auto votes = all_of<vote_response>(s.settle());
  REQUIRE(votes.size() == 1);
  CHECK(votes[0].second.granted);
}

TEST_CASE("witness: nobody hands it the leadership") {
  led s(3);
  CHECK_FALSE(s.c.transfer_leadership(id(3)));
  s.propose();
  s.c.step(id(3), accepted(1, 2));
  s.settle();
  CHECK(s.c.transfer_target() == id(2)); // though the witness holds more
}

TEST_CASE("witness: what it holds counts only with another that has the data") {
  led s(3);
  s.propose();
  s.c.step(id(3), accepted(1, 2));
  s.settle();
  CHECK(s.c.commit() == log_index(1)); // one disk would hold it
  s.c.step(id(2), accepted(1, 2));
  s.settle();
  CHECK(s.c.commit() == log_index(2));
}

TEST_CASE("witness: it is the second where the other is silent") {
  led s(3);
  s.propose();
  s.c.step(id(3), accepted(1, 2));
  for (int i = 0; i < 32; ++i) {
    s.hear(3);
    s.tick(1);
  }
  s.settle();
  CHECK(s.c.soft().role == role::leader);
  CHECK(s.c.commit() == log_index(2));
  s.propose(); // and now at once
  s.c.step(id(3), accepted(1, 3));
  s.settle();
  CHECK(s.c.commit() == log_index(3));
}

TEST_CASE("witness: it is the second where the other answers and comes no nearer") {
  led s(3);
  s.propose();
  s.c.step(id(3), accepted(1, 2));
  for (int i = 0; i < 60 && s.c.commit() == log_index(1); ++i) {
    for (const std::uint64_t n : {2, 3}) s.hear(n);
    CHECK(s.c.quiet_ticks() == 0);
    s.tick(1);
  }
  CHECK(s.c.commit() == log_index(2));
}

TEST_CASE("witness: who is far behind and catches up holds up nobody") {
  led s(3);
  for (int i = 0; i < 40; ++i) { // nobody but the witness takes anything
    for (const std::uint64_t n : {2, 3}) s.hear(n);
    s.tick(1);
  }
  s.propose();
  s.c.step(id(3), accepted(1, 2));
  for (int i = 0; i < 60; ++i) {
    for (const std::uint64_t n : {2, 3}) s.hear(n);
    s.tick(1);
  }
  REQUIRE(s.c.commit() == log_index(2));
  for (int i = 3; i < 20; ++i) {
    s.propose();
    s.c.step(id(3), accepted(1, static_cast<std::uint64_t>(i)));
    s.settle();
    CHECK(s.c.commit() == log_index(static_cast<std::uint64_t>(i)));
    s.c.step(id(2), accepted(1, 1)); // it lives
  }
}

// Else it could hold a longer log than everybody who may lead, of entries that a power cut took from the leader.
TEST_CASE("witness: it is sent what is durable where the data is") {
  led s(3);
  std::vector<proposal> one;
  one.push_back(make_proposal("x"));
  REQUIRE(s.c.propose(one).has_value());
  s.take();
  auto sent = all_of<append_request>(s.out.messages);
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].first == id(2)); // who holds data gets it while this node writes it
  SUBCASE("here") {
    s.c.persisted(s.out.number);
  }
  SUBCASE("there") {
    s.c.step(id(2), accepted(1, 2));
  }
  CHECK(s.c.has_ready());
  s.take();
  sent = all_of<append_request>(s.out.messages);
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].first == id(3));
  REQUIRE(sent[0].second.entries.size() == 1);
  CHECK(text_of(sent[0].second.entries[0]) == "x");
}

// Who is made a learner, or removed, may not lead afterwards.
TEST_CASE("witness: what the leader holds does not count when it leaves") {
  led s(4);
  REQUIRE(s.c.change_members(these({2, 4}, {1, 3}), {}).has_value());
  s.settle();
  const auto sent_to_witness = [&] {
    for (const auto& [to, m] : all_of<append_request>(s.out.messages))
      if (to == id(4) && !m.entries.empty()) return true;
    return false;
  };
  s.propose();
  s.take();
  CHECK_FALSE(sent_to_witness());
  s.c.step(id(3), accepted(1, 3)); // nor what one that leaves as well holds
  s.take();
  CHECK_FALSE(sent_to_witness());
  s.c.step(id(2), accepted(1, 3));
  s.take();
  CHECK(sent_to_witness());
}

TEST_CASE("witness: of five, the other three decide as they always do") {
  led s(5);
  s.propose();
  s.c.step(id(2), accepted(1, 2));
  s.settle();
  CHECK(s.c.commit() == log_index(1));
  s.c.step(id(5), accepted(1, 2)); // two others have the data, or may soon
  s.settle();
  CHECK(s.c.commit() == log_index(2)); // with the leader and the second
}
