#include "harness.hpp"

#include "consensus/raft/log.hpp"
#include "consensus/raft/progress.hpp"
#include "consensus/raft/quorum.hpp"
#include "consensus/raft/random.hpp"
#include "consensus/raft/ring.hpp"
#include "consensus/raft/writes.hpp"

#include <doctest/doctest.h>

#include <deque>
#include <limits>

using namespace quorumd;
using namespace quorumd::raft;
using namespace quorumd::raft::test;

namespace {

using state_of = follower_progress::state_type;
using values = std::vector<std::uint64_t>;

// Voter i of the set has reached values[i - 1].
std::uint64_t reached(const configuration& c, const values& v) {
  return quorum_value(c, [&](node_id n) { return v[n.value() - 1]; });
}

vote_result tally(const configuration& c, const std::vector<std::uint64_t>& granted,
                  const std::vector<std::uint64_t>& refused) {
  ballot b;
  for (std::uint64_t n : granted) b.record(id(n), true);
  for (std::uint64_t n : refused) b.record(id(n), false);
  return b.result(c);
}

} // namespace

// For every number of voters the value that more than half have reached.
TEST_CASE("quorum: the value of a majority") {
  CHECK(reached(voters(1), {4}) == 4);
  CHECK(reached(voters(2), {4, 7}) == 4);
  CHECK(reached(voters(3), {4, 7, 1}) == 4);
  CHECK(reached(voters(4), {1, 2, 3, 4}) == 2);
  CHECK(reached(voters(5), {9, 1, 9, 1, 9}) == 9);
  CHECK(reached(voters(5), {9, 1, 9, 1, 2}) == 2);
  CHECK(reached(configuration{}, {}) == std::numeric_limits<std::uint64_t>::max());
}

// In a joint configuration both halves must agree, whichever is behind.
TEST_CASE("quorum: a joint configuration needs both majorities") {
  configuration joint = voters(3);
  joint.outgoing = {id(3), id(4), id(5)};
  CHECK(reached(joint, {9, 9, 1, 1, 9}) == 1);
  CHECK(reached(joint, {9, 9, 1, 5, 9}) == 5);
  CHECK(reached(joint, {1, 1, 9, 9, 9}) == 1);
  CHECK(tally(joint, {1, 2}, {}) == vote_result::pending);
  CHECK(tally(joint, {1, 2, 3}, {}) == vote_result::pending);
  CHECK(tally(joint, {1, 3, 4}, {}) == vote_result::won);
  CHECK(tally(joint, {1, 2, 3}, {4, 5}) == vote_result::lost);
  CHECK(is_voter(joint, id(4)));
  CHECK_FALSE(is_voter(joint, id(6)));
}

// Won by more than half, lost once that cannot be any more; the first word counts.
TEST_CASE("quorum: votes") {
  CHECK(tally(voters(3), {1}, {}) == vote_result::pending);
  CHECK(tally(voters(3), {1, 2}, {}) == vote_result::won);
  CHECK(tally(voters(3), {1}, {2}) == vote_result::pending);
  CHECK(tally(voters(3), {1}, {2, 3}) == vote_result::lost);
  CHECK(tally(voters(4), {1, 2}, {}) == vote_result::pending);
  CHECK(tally(voters(4), {1}, {2, 3}) == vote_result::lost);
  CHECK(tally(voters(3), {1, 2}, {2}) == vote_result::won);
  CHECK(tally(voters(3), {1, 9, 8}, {}) == vote_result::pending); // no voters
}

// Against the standard library's queue, through growth and wrapping.
TEST_CASE("ring: behaves like a queue") {
  ring<int> r;
  std::deque<int> model;
  random_source random(3);
  for (int i = 0; i < 5000; ++i) {
    const auto die = random.below(5);
    if (die < 3 || model.empty()) {
      r.push_back(i);
      model.push_back(i);
    } else if (die == 3) {
      r.pop_front();
      model.pop_front();
    } else {
      r.pop_back();
      model.pop_back();
    }
    REQUIRE(r.size() == model.size());
    if (model.empty()) continue;
    const std::size_t at = random.below(static_cast<std::uint32_t>(model.size()));
    REQUIRE(r[at] == model[at]);
    REQUIRE(r.front() == model.front());
    REQUIRE(r.back() == model.back());
  }
}

// Terms are known for the whole kept log, entries only for what was appended since.
TEST_CASE("log: terms by runs, entries by the cache") {
  entry_log log(log_index(3), term(1), {{log_index(4), term(1)}, {log_index(6), term(4)}}, log_index(8));
  CHECK(log.term_at(log_index(2)) == term(0));
  CHECK(log.term_at(log_index(3)) == term(1));
  CHECK(log.term_at(log_index(5)) == term(1));
  CHECK(log.term_at(log_index(6)) == term(4));
  CHECK(log.term_at(log_index(9)) == term(0));
  CHECK(log.first_of_term_at(log_index(8)) == log_index(6));
  CHECK(log.first_of_term_at(log_index(5)) == log_index(4));
  CHECK(log.last_of_term(term(1)) == log_index(5));
  CHECK(log.last_of_term(term(4)) == log_index(8));
  CHECK(log.last_of_term(term(2)) == log_index(0));
  CHECK(log.cached(log_index(8)) == nullptr);
  CHECK(log.cache_first() == log_index(9));

  log.append(make_entry(4, 9));
  log.append(make_entry(5, 10));
  CHECK(log.cache_first() == log_index(9));
  REQUIRE(log.cached(log_index(10)) != nullptr);
  CHECK(log.cached(log_index(10))->term() == term(5));
  CHECK(log.last_term() == term(5));
}

// Truncation reaches below the cache; the runs follow.
TEST_CASE("log: truncation") {
  entry_log log(log_index(0), term(0), {{log_index(1), term(1)}, {log_index(3), term(2)}}, log_index(4));
  log.append(make_entry(3, 5));
  log.truncate(log_index(4));
  CHECK(log.last_index() == log_index(3));
  CHECK(log.last_term() == term(2));
  CHECK(log.cache_bytes() == 0);
  log.truncate(log_index(3));
  CHECK(log.last_term() == term(1));
  log.append(make_entry(7, 3));
  CHECK(log.cached(log_index(3))->term() == term(7));
  log.truncate(log_index(1));
  CHECK(log.last_index() == log_index(0));
  CHECK(log.last_term() == term(0));
}

// The start moves up to any kept index, in the middle of a run or at the very end.
TEST_CASE("log: compaction and eviction") {
  for (std::uint64_t start = 1; start <= 6; ++start) {
    entry_log log(log_index(0), term(0), {}, log_index(0));
    for (const entry& e : make_entries(1, {1, 1, 2, 2, 2, 3})) log.append(e);
    log.compact(log_index(start));
    CHECK(log.first_index() == log_index(start + 1));
    CHECK(log.term_at(log_index(start)) == term(start < 3 ? 1 : start < 6 ? 2 : 3));
    CHECK(log.term_at(log_index(start - 1)) == term(0));
    CHECK(log.term_at(log_index(6)) == term(3));
    CHECK(log.cache_first() == log_index(start + 1));
    if (start < 5) CHECK(log.first_of_term_at(log_index(5)) == log_index(std::max<std::uint64_t>(3, start + 1)));
    log.append(make_entry(4, 7));
    CHECK(log.last_of_term(term(4)) == log_index(7));
  }
  entry_log log(log_index(0), term(0), {}, log_index(0));
  for (const entry& e : make_entries(1, {1, 1, 1, 1})) log.append(e);
  const std::size_t bytes = log.cache_bytes();
  log.evict(log_index(4), bytes);
  CHECK(log.cache_first() == log_index(1));
  log.evict(log_index(4), bytes / 2);
  CHECK(log.cache_first() == log_index(3));
  log.evict(log_index(3), 0); // the fourth may not go
  CHECK(log.cache_first() == log_index(4));
  log.restart(log_index(9), term(2));
  CHECK(log.cache_first() == log_index(10));
  CHECK(log.term_at(log_index(9)) == term(2));
}

// A write claims what stands, not what it once carried.
TEST_CASE("writes: an overwrite takes its claim from every write in flight") {
  write_tracker w(log_index(2));
  CHECK(w.begin(log_index(8), true, 10) == write_number(1));
  CHECK(w.hard() == write_number(1));
  CHECK(w.covering(log_index(2)) == write_number(0));
  CHECK(w.covering(log_index(3)) == write_number(1));
  CHECK_FALSE(w.covering(log_index(9)));
  w.truncated(log_index(7));
  CHECK_FALSE(w.covering(log_index(7)));
  CHECK(w.begin(log_index(9), false, 11) == write_number(2));
  CHECK(w.covering(log_index(7)) == write_number(2));
  w.finish(write_number(1), 20);
  CHECK(w.durable() == log_index(6));
  CHECK(w.hard() == write_number(0));
  w.finish(write_number(1), 21); // said twice
  w.finish(write_number(2), 21);
  CHECK(w.durable() == log_index(9));
  w.truncated(log_index(5));
  CHECK(w.durable() == log_index(4));
}

// A queue behind a slow disk is no stall, as long as the disk gets one write after another done.
TEST_CASE("writes: the wait counts from the last write that finished") {
  write_tracker w(log_index(0));
  CHECK_FALSE(w.waiting_since());
  (void)w.begin(log_index(1), false, 10);
  (void)w.begin(log_index(2), false, 11);
  CHECK(w.waiting_since() == 10);
  w.finish(write_number(1), 60);
  CHECK(w.waiting_since() == 60);
  w.finish(write_number(1), 90); // said twice: the disk did nothing new
  CHECK(w.waiting_since() == 60);
  w.finish(write_number(2), 110);
  CHECK_FALSE(w.waiting_since());
  (void)w.begin(log_index(3), false, 200);
  CHECK(w.waiting_since() == 200);
}

// Bounded in number and bytes, freed by one acknowledgement for many.
TEST_CASE("progress: the window of a follower") {
  append_window w(3, 100);
  w.add(log_index(1), 10);
  w.add(log_index(4), 10);
  CHECK_FALSE(w.full());
  w.add(log_index(5), 10);
  CHECK(w.full());
  w.free_to(log_index(4));
  CHECK(w.size() == 1);
  CHECK(w.bytes() == 10);
  w.add(log_index(9), 90);
  CHECK(w.full()); // in bytes
  w.free_to(log_index(9));
  CHECK(w.size() == 0);
}

// From probing to replicating and back, and the snapshot's state.
TEST_CASE("progress: the states of a follower") {
  follower_progress p(id(2), 8, 1000);
  p.reset(log_index(10));
  CHECK(p.state() == state_of::probe);
  CHECK(p.next() == log_index(11));
  CHECK_FALSE(p.paused());
  p.sent(log_index(11), 5);
  CHECK(p.paused());
  CHECK(p.next() == log_index(11));
  CHECK(p.refused(log_index(10), log_index(4)));
  CHECK(p.next() == log_index(4));
  CHECK_FALSE(p.paused());
  CHECK_FALSE(p.refused(log_index(10), log_index(2)));

  p.accepted(log_index(3), log_index(1));
  CHECK(p.state() == state_of::replicate);
  p.sent(log_index(6), 5);
  p.sent(log_index(9), 5);
  CHECK(p.next() == log_index(10));
  p.accepted(log_index(6), log_index(1));
  CHECK(p.match() == log_index(6));
  CHECK(p.window.size() == 1);
  CHECK(p.refused(log_index(9), log_index(1)));
  CHECK(p.state() == state_of::probe);
  CHECK(p.next() == log_index(7)); // never below what it acknowledged

  p.become_snapshot(log_index(20));
  CHECK(p.paused());
  p.accepted(log_index(8), log_index(15));
  CHECK(p.state() == state_of::snapshot);
  p.snapshot_ended(true);
  CHECK(p.state() == state_of::probe);
  CHECK(p.next() == log_index(21));
  p.become_snapshot(log_index(20));
  p.snapshot_ended(false);
  CHECK(p.next() == log_index(9));
  CHECK(p.paused()); // until a heartbeat is answered
  p.heartbeat_sent();
  p.heartbeat_answered();
  CHECK_FALSE(p.paused());
}
