#include "harness.hpp"

#include <doctest/doctest.h>

using namespace quorumd;
using namespace quorumd::raft;
using namespace quorumd::raft::test;

namespace {

using state_of = decltype(peer_progress::state);
using terms = std::vector<std::uint64_t>;

install_snapshot snapshot_at(std::uint64_t index, std::uint64_t t, std::uint64_t leader_term) {
  return {.term = term(leader_term), .mark = {.index = log_index(index), .term = term(t), .members = voters(3)}};
}

log_index acknowledged(const std::vector<outgoing>& messages) {
  const auto acks = all_of<append_response>(messages);
  REQUIRE_FALSE(acks.empty());
  REQUIRE(acks.back().second.accepted);
  return acks.back().second.match;
}

// Node 1 leads, node 3 is away and needs entries that node 1 no longer keeps.
void leave_node_3_behind(cluster& c) {
  c.elect(1);
  c.isolate(3);
  for (int i = 0; i < 10; ++i) REQUIRE(c.propose(1, "v" + std::to_string(i)));
  c.settle();
  c.compact(1);
  REQUIRE(c[1].first_index() == log_index(12));
  c[1].unreachable(id(3));
}

peer_progress progress_of(const core& c, std::uint64_t n) {
  for (const peer_progress& p : c.progress())
    if (p.id == id(n)) return p;
  return {};
}

} // namespace

// One request for a snapshot, and no append until it ended.
TEST_CASE("case 54: a compacted follower gets a snapshot; appends pause") {
  cluster c(3);
  c.send_snapshots = false;
  leave_node_3_behind(c);
  c.heal();
  int appends = 0;
  c.drop = [&](const envelope& e) {
    appends += e.to == id(3) && std::holds_alternative<append_request>(e.message);
    return false;
  };
  c.run(10);
  REQUIRE(c.snapshots.size() == 1);
  CHECK(c.snapshots[0] == std::pair(id(1), id(3)));
  CHECK(progress_of(c[1], 3).state == state_of::snapshot);
  appends = 0;
  CHECK(c.propose(1, "more"));
  c.run(20);
  CHECK(appends == 0);
  CHECK(c.snapshots.size() == 1);
}

// The whole way: the follower installs, acknowledges, and gets what came after.
TEST_CASE("case 54: a follower behind the kept log catches up by snapshot") {
  cluster c(3);
  leave_node_3_behind(c);
  CHECK(c.propose(1, "after"));
  c.heal();
  c.run(20);
  CHECK(c.at(3).commands == c.at(1).commands);
  CHECK(c.at(3).commands.size() == 11);
  CHECK(c.at(3).durable.start.index == log_index(11));
  CHECK(progress_of(c[1], 3).state == state_of::replicate);
}

// After a failure the next attempt waits for a heartbeat's answer.
TEST_CASE("case 55: success, failure and abort return to probing") {
  cluster c(3);
  c.send_snapshots = false;
  leave_node_3_behind(c);
  c.heal();
  c.run(6);
  REQUIRE(progress_of(c[1], 3).state == state_of::snapshot);
  c[1].snapshot_sent(id(3), false);
  c.settle();
  CHECK(progress_of(c[1], 3).state == state_of::probe);
  CHECK(progress_of(c[1], 3).next == log_index(2));
  CHECK(c.snapshots.size() == 1);
  c.run(6);
  CHECK(c.snapshots.size() == 2);
  c[1].snapshot_sent(id(3), true); // it says so, but the follower is elsewhere: probing finds out
  CHECK(progress_of(c[1], 3).state == state_of::probe);
  CHECK(progress_of(c[1], 3).next == log_index(12));
  c.run(6);
  CHECK(c.snapshots.size() == 3);
}

// The state machine holds it already; the leader only needs to know.
TEST_CASE("case 56: a snapshot at or below commit is ignored; a matching log fast-forwards") {
  subject s(options_of(1), state_with(3, {1, 1, 1, 1}, 1, 3));
  for (std::uint64_t index : {2, 3}) {
    s.c.step(id(2), snapshot_at(index, 1, 1));
    s.take();
    CHECK_FALSE(s.out.install);
    CHECK(acknowledged(s.settle().empty() ? s.out.messages : s.out.after_persist) == log_index(3));
    s.settle();
  }
  s.c.step(id(2), snapshot_at(4, 1, 1));
  CHECK(s.c.commit() == log_index(4));
  s.take();
  CHECK_FALSE(s.out.install);
  CHECK(acknowledged(s.out.messages) == log_index(4));
}

// The log goes on behind it.
TEST_CASE("case 57: a snapshot of a prefix keeps the suffix") {
  subject s(options_of(1), state_with(3, {1, 1, 2, 2}, 2, 1));
  s.c.step(id(2), snapshot_at(3, 2, 2));
  CHECK(s.c.commit() == log_index(3));
  CHECK(s.c.last_index() == log_index(4));
  CHECK(s.c.term_at(log_index(4)) == term(2));
}

// The log is another one: it starts anew at the snapshot.
TEST_CASE("case 58: a conflicting entry at the snapshot's index is dropped") {
  subject s(options_of(1), state_with(3, {1, 1, 1, 1}, 1, 1));
  s.c.step(id(2), snapshot_at(3, 2, 3));
  CHECK(s.c.commit() == log_index(3));
  CHECK(s.c.last_index() == log_index(3));
  CHECK(s.c.first_index() == log_index(4));
  CHECK(s.c.term_at(log_index(3)) == term(2));
  s.take();
  REQUIRE(s.out.install);
  CHECK(s.out.install->index == log_index(3));
  CHECK(s.out.commit == log_index(3));
  CHECK(all_of<append_response>(s.out.messages).empty());
  CHECK(acknowledged(s.out.after_persist) == log_index(3)); // waits for the write
  CHECK(s.c.persisted_index() == log_index(1));
  s.c.persisted(s.out.number);
  CHECK(s.c.persisted_index() == log_index(3));
}

// What was handed out before is still being applied; nothing new is handed out before the snapshot is in place.
TEST_CASE("case 59: installing while applying") {
  subject s(options_of(1), state_with(3));
  s.c.step(id(2), append_request{.term = term(1),
                                 .prev_index = {},
                                 .prev_term = {},
                                 .commit = log_index(2),
                                 .round = 0,
                                 .entries = make_entries(1, {1, 1, 1})});
  s.take();
  REQUIRE(s.out.committed.size() == 2);
  s.c.step(id(2), snapshot_at(9, 1, 1));
  s.take();
  REQUIRE(s.out.install);
  const write_number n = s.out.number;
  s.c.applied(log_index(2)); // the applier was slow
  s.c.step(id(2), append_request{.term = term(1),
                                 .prev_index = log_index(9),
                                 .prev_term = term(1),
                                 .commit = log_index(11),
                                 .round = 0,
                                 .entries = make_entries(10, {1, 1})});
  s.take();
  CHECK(s.out.committed.empty());
  CHECK(s.out.entries.size() == 2);
  s.c.persisted(s.out.number);
  CHECK(s.out.number == n.next());
  while (s.c.has_ready()) CHECK(s.take().committed.empty());
  s.c.applied(log_index(9));
  s.take();
  REQUIRE(s.out.committed.size() == 2);
  CHECK(s.out.committed[0].index() == log_index(10));
}

// The follower got there by itself, or its acknowledgement was faster than the driver's word.
TEST_CASE("case 61: an append acknowledgement ends the snapshot state") {
  cluster c(3);
  c.send_snapshots = false;
  leave_node_3_behind(c);
  c.heal();
  c.run(6);
  REQUIRE(progress_of(c[1], 3).state == state_of::snapshot);
  c[1].step(id(3), accepted(1, 5));
  CHECK(progress_of(c[1], 3).state == state_of::snapshot); // not far enough
  c[1].step(id(3), accepted(1, 11));
  CHECK(progress_of(c[1], 3).state == state_of::replicate);
  CHECK(progress_of(c[1], 3).next == log_index(12));
}

// Before the write it is as if the snapshot had never come; after it the node starts from there, even if the state
// machine was not swapped yet.
TEST_CASE("case 62: a crash at every step of installing") {
  for (int step = 0; step < 3; ++step) {
    cluster c(3);
    leave_node_3_behind(c);
    c.heal();
    c.at(3).slow_disk = true;
    c.run(10);
    REQUIRE_FALSE(c.at(3).writes.empty());
    REQUIRE(c[3].first_index() == log_index(12));
    if (step >= 1) c.at(3).durable.apply(*c.at(3).writes.front()); // durable, but nobody was told
    if (step >= 2) {
      c.crash(3);
      c.restart(3);
      CHECK(c[3].commit() == log_index(11));
    }
    c.crash(3);
    c.at(3).slow_disk = false;
    c.restart(3);
    CHECK(c[3].first_index() == log_index(step == 0 ? 1 : 12));
    c[1].stream_reset(id(3));
    CHECK(c.propose(1, "after"));
    c.run(30);
    CHECK(c.at(3).commands == c.at(1).commands);
    CHECK(c.at(3).commands.size() == 11);
  }
}

// Its driver may be late; the newer snapshot stands.
TEST_CASE("compaction keeps a trailing log and never passes the snapshot") {
  cluster c(3);
  c.elect(1);
  for (int i = 0; i < 10; ++i) REQUIRE(c.propose(1, "v"));
  c.settle();
  c.compact(1, 4);
  CHECK(c[1].first_index() == log_index(8));
  CHECK(c[1].term_at(log_index(7)) == term(1));
  CHECK(c[1].term_at(log_index(6)) == term(0));
  c[1].compacted({.index = log_index(11), .term = term(1), .members = voters(3)}, log_index(1000));
  CHECK(c[1].first_index() == log_index(12));
  CHECK(c.propose(1, "still"));
  c.settle();
  CHECK(c.at(3).commands.size() == 11);
}
