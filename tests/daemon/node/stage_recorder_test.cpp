#include "daemon/node/stage_recorder.hpp"

#include "tests/coro/manual.hpp"

#include <doctest/doctest.h>

namespace quorumd::node {
namespace {

using namespace std::chrono_literals;
using metrics::histogram;

constexpr node_id n2{2};
constexpr node_id n3{3};

/// A recorder on virtual time, and the requests that it is told of.
struct rig {
  coro::test::manual m;
  stage_recorder stages{m.loop};
  rig() { stages.follow({n2, n3}); }

  void pass(coro::duration d) { m.time.advance(d); }
  coro::time_point now() const { return m.time.now(); }
  static std::vector<write_request> writes(std::size_t n, arrival came) {
    std::vector<write_request> out(n);
    for (write_request& w : out) w.arrival = came;
    return out;
  }
  group_metrics& seen() { return stages.metrics(); }
  void propose(std::uint64_t first, std::size_t n) {
    stages.turn_begins();
    stages.proposed(log_index(first), writes(n, {now(), now()}));
    stages.queued();
    stages.turn_ends();
  }
};

bool all_are(const histogram& h, std::uint64_t count, coro::duration value) {
  const auto ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(value).count());
  return h.count() == count && h.max() == ns && h.sum() == count * ns;
}

// Members come and go; what is known of those that stay, stays.
TEST_CASE("other members are followed") {
  rig r;
  r.propose(1, 2);
  r.pass(3ms);
  r.stages.turn_begins();
  r.stages.acknowledged(n3, log_index(1), 0us);
  r.stages.follow({n3, node_id(4)});
  REQUIRE(r.seen().peers.size() == 2);
  CHECK(r.seen().peers[0].id == n3);
  CHECK(all_are(r.seen().peers[0].acknowledged, 1, 3ms));
  r.stages.acknowledged(n2, log_index(2), 0us); // no member any more
  r.stages.acknowledged(node_id(4), log_index(2), 0us);
  r.stages.acknowledged(n3, log_index(2), 0us);
  CHECK(all_are(r.seen().peers[0].acknowledged, 2, 3ms));
  CHECK(all_are(r.seen().peers[1].acknowledged, 2, 3ms));
}

// Three puts on their way through a leader: each stage gets the time that passed in it, once for each put, and the
// whole is their sum.
TEST_CASE("the stages of a put") {
  rig r;
  r.pass(1h);
  const arrival came{.received = r.now(), .handed = r.now() + 1ms};
  r.pass(3ms); // 1 ms in the session, 2 ms in the inbox
  r.stages.turn_begins();
  r.pass(4ms);
  r.stages.proposed(log_index(11), rig::writes(3, came));
  r.pass(5ms);
  r.stages.queued();
  r.stages.turn_ends();
  r.pass(6ms);
  r.stages.persisted(log_index(13));
  r.pass(7ms);
  r.stages.turn_begins();
  r.stages.acknowledged(n3, log_index(13), 8ms);
  r.stages.committed(log_index(13));
  r.stages.slice_begins();
  r.pass(4ms);
  r.stages.slice_ends(log_index(10), log_index(10)); // within the first of them
  r.stages.slice_begins();
  r.pass(5ms);
  r.stages.slice_ends(log_index(10), log_index(13));
  r.pass(10ms);
  r.stages.turn_ends();

  const group_metrics& g = r.seen();
  CHECK(all_are(g.put.inbox, 3, 2ms));
  CHECK(all_are(g.put.propose, 3, 4ms));
  CHECK(all_are(g.put.encode, 3, 5ms));
  CHECK(all_are(g.put.sync, 3, 11ms));
  CHECK(all_are(g.put.commit, 3, 18ms));
  CHECK(all_are(g.put.apply, 3, 9ms));
  CHECK(all_are(g.put.answer, 3, 10ms));
  CHECK(all_are(g.put.whole, 3, 1ms + 2ms + 4ms + 18ms + 9ms + 10ms));
  CHECK(all_are(g.peers[1].acknowledged, 3, 18ms));
  CHECK(all_are(g.peers[1].sync, 1, 8ms));
  CHECK(all_are(g.peers[1].wire, 1, 10ms));
  CHECK(g.peers[0].acknowledged.count() == 0);
  CHECK(g.apply_slice.count() == 2);
  CHECK(g.apply_batch.sum() == 3);
  CHECK(g.turn.count() == 2);
}

// Syncs, acknowledgements and applies cut the batches where they like: every put is still counted once in each stage.
TEST_CASE("stages need not end with a batch") {
  rig r;
  for (std::uint64_t first = 1; first <= 91; first += 10) {
    r.propose(first, 10);
    r.pass(1ms);
  }
  for (const std::uint64_t up_to : {3, 3, 17, 40, 41, 99, 100, 100}) {
    r.stages.turn_begins();
    r.stages.persisted(log_index(up_to));
    r.stages.acknowledged(n2, log_index(up_to), 1ms);
    r.stages.committed(log_index(up_to));
    r.stages.slice_begins();
    r.stages.slice_ends(log_index(0), log_index(up_to));
    r.stages.turn_ends();
  }
  const group_metrics& g = r.seen();
  CHECK(g.put.sync.count() == 100);
  CHECK(g.put.commit.count() == 100);
  CHECK(g.put.apply.count() == 100);
  CHECK(g.put.answer.count() == 100);
  CHECK(g.put.whole.count() == 100);
  CHECK(g.peers[0].acknowledged.count() == 100);
  CHECK(g.put.batch.sum() == 100);
}

// A follower that is far behind loses what the rings have forgotten, and nothing else.
TEST_CASE("the rings forget the oldest") {
  rig r;
  for (std::uint64_t i = 1; i <= 1500; ++i) r.propose(i, 1);
  r.stages.turn_begins();
  r.stages.acknowledged(n2, log_index(100), 1ms);
  CHECK(r.seen().peers[0].acknowledged.count() == 0);
  r.stages.acknowledged(n2, log_index(1500), 1ms);
  CHECK(r.seen().peers[0].acknowledged.count() == 1024);

  r.propose(2000, 40'000);
  r.stages.turn_begins();
  r.stages.committed(log_index(41'999));
  r.stages.slice_begins();
  r.stages.slice_ends(log_index(0), log_index(41'999));
  r.stages.turn_ends();
  CHECK(r.seen().put.commit.count() == 41'023);
  CHECK(r.seen().put.whole.count() == 32'768); // the ages of the others were overwritten
}

// What a leader proposed and another leader may have replaced is nobody's put any more when the index is applied.
TEST_CASE("a lost leadership") {
  rig r;
  r.propose(5, 4);
  r.stages.role_changed();
  r.stages.turn_begins();
  r.stages.committed(log_index(8));
  r.stages.slice_begins();
  r.stages.slice_ends(log_index(0), log_index(8));
  r.stages.turn_ends();
  CHECK(r.seen().put.commit.count() == 0);
  CHECK(r.seen().put.apply.count() == 0);
  CHECK(r.seen().apply_slice.count() == 1);
  r.propose(7, 2);
  r.stages.turn_begins();
  r.stages.committed(log_index(8));
  r.stages.slice_begins();
  CHECK(r.seen().put.commit.count() == 2);
}

// A forwarded put is told by its leader's answer; an answer to nothing that is known is nobody's.
TEST_CASE("a forwarded put") {
  rig r;
  r.pass(1h);
  const arrival came{.received = r.now(), .handed = r.now()};
  r.pass(1ms);
  r.stages.turn_begins();
  r.stages.forwarded(77, came);
  r.pass(5ms);
  r.stages.turn_begins();
  r.stages.forward_answered(77 + 4096);
  CHECK(r.seen().put.forward.count() == 0);
  r.stages.forward_answered(77);
  CHECK(all_are(r.seen().put.forward, 1, 5ms));
  CHECK(all_are(r.seen().put.whole, 1, 6ms));
}

// A follower says how long it had in hand what it acknowledges.
TEST_CASE("a follower's hold") {
  rig r;
  r.stages.turn_begins();
  const coro::time_point taken = r.stages.turn();
  r.pass(1500us);
  r.stages.persisted(log_index(3));
  CHECK(r.stages.held(taken) == 1500us);
  CHECK(all_are(r.seen().hold, 1, 1500us));
}

// Reads: the round of those that are asked for together, the wait for the index, and the whole of each; a stale read
// is not asked for, and a refused round is no round.
TEST_CASE("the stages of a read") {
  rig r;
  r.pass(1h);
  read_request read;
  read.arrival = {.received = r.now(), .handed = r.now() + 1ms};
  read_request stale;
  stale.arrival = read.arrival;
  stale.stale = true;
  r.pass(3ms);
  r.stages.turn_begins();
  r.stages.read_taken(read);
  r.stages.read_taken(read);
  r.stages.read_taken(stale);
  r.stages.reads_asked(9, false);
  r.pass(4ms);
  r.stages.turn_begins();
  r.stages.reads_answered(8, true, log_index(5), log_index(5)); // never asked
  r.stages.reads_answered(9, true, log_index(5), log_index(4));
  CHECK(all_are(r.seen().read.round, 2, 4ms));
  CHECK(r.seen().read.apply.count() == 0);
  r.pass(2ms);
  r.stages.committed(log_index(5));
  r.stages.slice_begins();
  r.stages.slice_ends(log_index(0), log_index(5));
  CHECK(all_are(r.seen().read.apply, 2, 2ms));
  r.stages.read_served(read);
  r.pass(1ms);
  r.stages.turn_ends();
  CHECK(all_are(r.seen().read.inbox, 3, 2ms));
  CHECK(all_are(r.seen().read.whole, 1, 10ms));
  CHECK(r.seen().read.batch.sum() == 2);
  CHECK(r.seen().read.lease.count() == 0);

  r.stages.turn_begins();
  r.stages.read_taken(read);
  r.stages.reads_asked(10, true);
  r.stages.reads_answered(10, false, log_index(), log_index(5));
  CHECK(r.seen().read.round.count() == 2);
  CHECK(r.seen().read.lease.sum() == 1);
}

} // namespace
} // namespace quorumd::node
