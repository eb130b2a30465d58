#include "tests/consensus/storage/wal_rig.hpp"

#include <algorithm>

namespace quorumd::storage::test {

using quorumd::testing::memory_files;

namespace {

/// A log in which group 2 has written a few entries and rests, while group 1 writes, and a snapshot lets each of its
/// entries go at once. `each` sees the log after each write.
template <class Each>
std::unique_ptr<running_wal> busy_beside_resting(memory_files& disk, const wal_options& o, std::uint64_t writes,
                                                 std::vector<group_snapshot>& snapshots, Each each) {
  auto log = start_wal(disk, 1, o, {g1, g2});
  for (std::uint64_t n = 1; n <= 3; ++n) {
    write w = append(g2, n, 1, n * 4 - 3, 4, 300);
    w.hard = hard_state{term(1), node_id(1)};
    (*log)->submit(std::move(w));
    (*log)->submit(append(g1, n, 1, n, 1, 900));
    log->pump();
  }
  for (std::uint64_t n = 4; n <= writes; ++n) {
    (*log)->submit(append(g1, n, 1, n, 1, 900));
    log->pump();
    const snapshot_mark mark{log_index(n), term(1), {{node_id(1)}, {}, {}}};
    snapshots = {{g1, mark}};
    (*log)->truncate_prefix(g1, mark, mark.index.next());
    log->pump();
    each(*log);
  }
  return log;
}

} // namespace

// Its entries move on with the log, so that what the others have written long ago can be freed.
TEST_CASE("the entries of a group that rests hold no segment of the others") {
  memory_files disk;
  std::vector<group_snapshot> snapshots;
  std::uint64_t bytes_max = 0;
  auto log = busy_beside_resting(disk, small_options(), 300, snapshots,
                                 [&](running_wal&) { bytes_max = std::max(bytes_max, disk.used_bytes()); });
  const wal_stats s = (*log)->stats();
  CHECK(s.segments_opened > 60);
  CHECK(s.moved_bytes > 0);
  // And not more often than needed: the few entries once in a handful of segments.
  CHECK(s.moved_bytes < s.segments_opened * 12 * 400 / 2);
  CHECK(bytes_max <= 12 * 16 * 1024);
  const auto check = [&](running_wal& l) {
    const auto all = l.read(g2, 1, 12);
    REQUIRE(all.has_value());
    REQUIRE(all->size() == 12);
    for (std::uint64_t i = 1; i <= 12; ++i) CHECK((*all)[i - 1].index() == log_index(i));
  };
  check(*log);
  // New ones follow them, and may overwrite what moved.
  write more = append(g2, 4, 2, 12, 2, 500);
  more.hard = hard_state{term(2), node_id(2)};
  (*log)->submit(std::move(more));
  log->pump();
  for (std::uint64_t restart = 2; restart < 5; ++restart) {
    log.reset();
    disk.crash(restart, memory_files::loss::everything);
    log = start_wal(disk, restart, small_options(), {g1, g2}, snapshots);
    REQUIRE((*log)->recovered().size() == 2);
    const recovered_group& resting = (*log)->recovered()[1];
    CHECK(resting.last == log_index(13));
    REQUIRE(resting.runs.size() == 2);
    CHECK(resting.runs[1].first == log_index(12));
    CHECK(why_refused(resting) == "");
    CHECK(log->read(g2, 11, 13)->size() == 3);
  }
}

// The proof that the test before can fail.
TEST_CASE("without moving them the entries of a group that rests hold everything behind them") {
  memory_files disk;
  std::vector<group_snapshot> snapshots;
  wal_options o = small_options();
  o.slack_segments = 1'000'000;
  auto log = busy_beside_resting(disk, o, 300, snapshots, [](running_wal&) {});
  CHECK((*log)->stats().segments_recycled == 0);
  CHECK(disk.used_bytes() > 60 * 16 * 1024);
}

// A crash at any moment finds the entries where they stood or where they moved to.
TEST_CASE("a crash while entries move loses none of them") {
  std::uint64_t moved = 0;
  for (std::uint64_t at = 400; at < 1200; at += 3) {
    memory_files disk;
    std::vector<group_snapshot> snapshots;
    std::vector<group_snapshot> durable;
    disk.set_hook([&](const memory_files::operation& op) {
      if (!op.changes() || op.number < at) return memory_files::fault::none;
      durable = snapshots;
      return memory_files::fault::freeze;
    });
    auto log = busy_beside_resting(disk, small_options(), 200, snapshots, [&](running_wal& l) {
      if (!disk.frozen()) moved = std::max(moved, l->stats().moved_bytes);
    });
    REQUIRE(disk.frozen());
    log.reset();
    disk.set_hook({});
    disk.crash(at);
    INFO("crash before operation " << at);
    log = start_wal(disk, 2, small_options(), {g1, g2}, durable);
    REQUIRE(log);
    const auto all = log->read(g2, 1, 12);
    REQUIRE(all.has_value());
    CHECK(all->size() == 12);
  }
  CHECK(moved > 0);
}

// Between the reading of the entries and the batch that moves them the group wakes up and overwrites some of them.
TEST_CASE("entries that are overwritten while they are read do not move") {
  memory_files disk;
  std::vector<group_snapshot> snapshots;
  bool overwritten = false;
  running_wal* running = nullptr;
  disk.set_hook([&](const memory_files::operation& op) {
    if (op.call == memory_files::call::read && op.bytes > 0 && running != nullptr && !overwritten) {
      overwritten = true;
      write w = append(g2, 4, 2, 3, 1, 500); // in the middle of the first stretch
      w.hard = hard_state{term(2), node_id(2)};
      (*running)->submit(std::move(w));
      while (running->log_worker.run_one()) {
      }
    }
    return memory_files::fault::none;
  });
  auto log = busy_beside_resting(disk, small_options(), 60, snapshots, [&](running_wal& l) { running = &l; });
  REQUIRE(overwritten);
  CHECK((*log)->stats().moved_bytes > 0);
  const auto check = [&](running_wal& l) {
    const auto all = l.read(g2, 1, 12);
    REQUIRE(all.has_value());
    REQUIRE(all->size() == 3);
    CHECK(all->back().term() == term(2));
  };
  check(*log);
  log.reset();
  disk.set_hook({});
  disk.crash(1, memory_files::loss::everything);
  log = start_wal(disk, 2, small_options(), {g1, g2}, snapshots);
  CHECK((*log)->recovered()[1].last == log_index(3));
  check(*log);
}

// What moves was checked when it was written, and is checked again: a damaged entry is not carried on.
TEST_CASE("a damaged entry that should move is named and ends the log") {
  memory_files disk;
  auto log = start_wal(disk, 1, small_options(), {g1, g2});
  (*log)->submit(append(g2, 1, 1, 1, 1, 300));
  log->pump();
  disk.flip(std::string(wal_directory) + "/0000000000000001.log", 2 * 4096 + 200);
  for (std::uint64_t n = 1; n <= 40 && log->done.failures.empty(); ++n) {
    (*log)->submit(append(g1, n, 1, n, 1, 900));
    log->pump();
    (*log)->truncate_prefix(g1, {log_index(n), term(1), {{node_id(1)}, {}, {}}}, log_index(n + 1));
    log->pump();
  }
  REQUIRE_FALSE(log->done.failures.empty());
  const error& e = log->done.failures.front();
  CHECK(e.code == error_code::corrupt);
  CHECK(e.group == g2);
  CHECK(e.index == log_index(1));
}

} // namespace quorumd::storage::test
