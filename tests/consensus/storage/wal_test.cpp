#include "consensus/storage/wal_format.hpp"
#include "tests/consensus/storage/wal_rig.hpp"

#include <algorithm>

namespace quorumd::storage::test {

using quorumd::testing::memory_files;

namespace {

coro::task<void> stop_and_tell(wal* w, bool* stopped) {
  co_await w->stop();
  *stopped = true;
}

} // namespace

// The first start of a node.
TEST_CASE("a new log is empty, takes entries and gives them back") {
  memory_files disk;
  auto log = start_wal(disk, 1);
  CHECK((*log)->recovered().empty());
  write w = append(g1, 1, 1, 1, 5);
  w.hard = hard_state{term(1), node_id(3)};
  w.commit = log_index(4);
  (*log)->submit(std::move(w));
  CHECK(log->done.persisted.empty());
  log->pump();
  CHECK(log->done.persisted[g1] == raft::write_number(1));

  const auto all = log->read(g1, 1, 5);
  REQUIRE(all.has_value());
  REQUIRE(all->size() == 5);
  CHECK((*all)[4].index() == log_index(5));
  CHECK(payload_of((*all)[1]) == std::string(100, 'c'));
  CHECK(log->read(g1, 6, 9).error().code == error_code::compacted);
  const auto some = log->read(g1, 2, 5, 1);
  REQUIRE(some.has_value());
  CHECK(some->size() == 1);
}

// What arrives while a sync runs is the next batch.
TEST_CASE("writes that arrive during a sync share the next one") {
  memory_files disk;
  auto log = start_wal(disk, 1, small_options(), {g1, g2});
  const std::uint64_t syncs = (*log)->stats().syncs;
  for (std::uint64_t n = 1; n <= 10; ++n) {
    (*log)->submit(append(g1, n, 1, n, 1));
    (*log)->submit(append(g2, n, 1, n, 1));
    if (n == 1) log->log_worker.run_one(); // the first batch is on the disk, its end not yet told
  }
  log->pump();
  CHECK((*log)->stats().syncs - syncs == 2);
  CHECK((*log)->stats().writes == 20);
  CHECK(log->done.persisted[g1] == raft::write_number(10));
  CHECK(log->done.persisted[g2] == raft::write_number(10));
  CHECK((*log)->stats().queued_bytes == 0);
}

// Batches are bounded, and what waits is counted so that the daemon can refuse requests.
TEST_CASE("a batch takes no more than its bound, and a full queue says so") {
  memory_files disk;
  auto log = start_wal(disk, 1);
  const std::uint64_t batches = (*log)->stats().batches;
  std::uint64_t n = 0;
  while ((*log)->has_room()) {
    ++n;
    (*log)->submit(append(g1, n, 1, n, 1, 1000));
  }
  CHECK(n > 40);
  CHECK(n < 64);
  log->pump();
  CHECK((*log)->has_room());
  CHECK(log->done.persisted[g1] == raft::write_number(n));
  CHECK((*log)->stats().batches - batches >= n * 1000 / (8 * 1024));
}

// A vector of entries goes in and an empty one with memory comes back: no allocation for each ready.
TEST_CASE("the memory of written entries is handed back") {
  memory_files disk;
  auto log = start_wal(disk, 1);
  (*log)->submit(append(g1, 1, 1, 1, 20));
  log->pump();
  write w = append(g1, 2, 1, 21, 1);
  (*log)->submit(std::move(w));
  CHECK(w.entries.empty());
  CHECK(w.entries.capacity() >= 20);
}

// Raft case 83: the vote survives a restart, with the log and the commit index.
TEST_CASE("case 83: a restart finds vote, entries, terms and commit again") {
  memory_files disk;
  {
    auto log = start_wal(disk, 1);
    write a = append(g1, 1, 1, 1, 3);
    a.hard = hard_state{term(1), node_id(1)};
    (*log)->submit(std::move(a));
    log->pump();
    write b = append(g1, 2, 4, 3, 2); // overwrites 3
    b.hard = hard_state{term(4), node_id(2)};
    b.commit = log_index(3);
    (*log)->submit(std::move(b));
    log->pump();
  }
  disk.crash(1, memory_files::loss::everything);
  for (int restart = 0; restart < 5; ++restart) {
    auto log = start_wal(disk, static_cast<std::uint64_t>(restart) + 10);
    REQUIRE((*log)->recovered().size() == 1);
    const recovered_group& g = (*log)->recovered().front();
    CHECK(g.hard == hard_state{term(4), node_id(2)});
    CHECK(g.last == log_index(4));
    CHECK(g.commit == log_index(3));
    CHECK(g.runs == std::vector<term_run>{{log_index(1), term(1)}, {log_index(3), term(4)}});
    const auto all = log->read(g1, 1, 4);
    REQUIRE(all.has_value());
    CHECK((*all)[2].term() == term(4));
  }
  // Restarts without a write between them do not add up.
  CHECK(disk.paths().size() <= 5);
}

// A snapshot of the leader replaces the log.
TEST_CASE("an installed snapshot starts the log anew, and entries follow it") {
  memory_files disk;
  const snapshot_mark mark{log_index(50), term(3), {{node_id(1), node_id(2)}, {}, {node_id(9)}}};
  {
    auto log = start_wal(disk, 1);
    (*log)->submit(append(g1, 1, 1, 1, 9));
    write w = append(g1, 2, 3, 51, 2);
    w.install = mark;
    (*log)->submit(std::move(w));
    log->pump();
    CHECK(log->read(g1, 9, 9).has_error());
    CHECK(log->read(g1, 51, 52)->size() == 2);
  }
  const std::vector<group_snapshot> snapshots{{g1, mark}};
  auto log = start_wal(disk, 2, small_options(), {g1}, snapshots);
  const recovered_group& g = (*log)->recovered().front();
  CHECK(g.start == mark);
  CHECK(g.last == log_index(52));
  CHECK(g.commit == log_index(50));
}

// The log of a busy group does not grow: segments below its beginning are used again.
TEST_CASE("segments below every group's beginning are recycled") {
  memory_files disk;
  auto log = start_wal(disk, 1, small_options(), {g1, g2});
  write vote{.group = g2,
             .number = raft::write_number(1),
             .hard = hard_state{term(7), node_id(2)},
             .install = {},
             .entries = {},
             .commit = {}};
  (*log)->submit(std::move(vote)); // an idle group: its vote stands in the first segment only
  log->pump();
  std::vector<group_snapshot> snapshots;
  std::uint64_t bytes_max = 0;
  for (std::uint64_t n = 1; n <= 200; ++n) {
    write w = append(g1, n, 1, n, 1, 900);
    w.commit = log_index(n - 1);
    (*log)->submit(std::move(w));
    log->pump();
    if (n % 10 == 0) {
      const snapshot_mark mark{log_index(n - 2), term(1), {{node_id(1)}, {}, {}}};
      snapshots = {{g1, mark}};
      (*log)->truncate_prefix(g1, mark, log_index(n - 4));
      log->pump();
    }
    bytes_max = std::max(bytes_max, disk.used_bytes());
  }
  const wal_stats s = (*log)->stats();
  CHECK(s.segments_opened > 40);
  CHECK(s.segments_recycled > 20);
  CHECK(bytes_max <= 12 * 16 * 1024);
  CHECK(s.disk_bytes == disk.used_bytes());
  CHECK(log->read(g1, 195, 195).error().code == error_code::compacted);
  CHECK(log->read(g1, 196, 200)->size() == 5);

  log.reset();
  disk.crash(3, memory_files::loss::everything);
  log = start_wal(disk, 2, small_options(), {g1, g2}, snapshots);
  REQUIRE((*log)->recovered().size() == 2);
  const recovered_group& busy = (*log)->recovered()[0];
  CHECK(busy.start.index == log_index(195));
  CHECK(busy.snapshot.index == log_index(198));
  CHECK(busy.last == log_index(200));
  CHECK((*log)->recovered()[1].hard == hard_state{term(7), node_id(2)});
}

// What a snapshot is due for and what is kept behind it counts what is on the disk: a slow writer takes a block for
// every write.
TEST_CASE("the log counts what a group takes on the disk") {
  memory_files disk;
  auto log = start_wal(disk, 1, small_options(), {g1, g2});
  CHECK((*log)->logged_since(g1, log_index(0)) == 0);
  CHECK((*log)->first_within(g1, 1000) == log_index(1));
  for (std::uint64_t n = 1; n <= 8; ++n) {
    (*log)->submit(append(g1, n, 1, n, 1, 100)); // each a batch of its own
    log->pump();
  }
  const auto check = [&](running_wal& l) {
    CHECK(l->logged_since(g1, log_index(8)) == 0);
    CHECK(l->logged_since(g1, log_index(7)) >= 2048); // beside an opening

    CHECK(l->logged_since(g1, log_index(7)) < 3 * 4096);
    CHECK(l->logged_since(g1, log_index(2)) >= 5 * 4096);
    CHECK(l->logged_since(g1, log_index(2)) < 12 * 4096); // with the openings of the segments between
    CHECK(l->first_within(g1, 0) == log_index(9));
    CHECK(l->first_within(g1, 100 * 4096) == log_index(1));
    const log_index within = l->first_within(g1, 5 * 4096);
    CHECK(l->logged_since(g1, within.prev()) <= 5 * 4096);
    CHECK(l->logged_since(g1, within.prev().prev()) > 5 * 4096);
  };
  check(*log);
  log.reset();
  log = start_wal(disk, 2, small_options(), {g1, g2});
  check(*log);

  // Two groups in one batch share its padding.
  (*log)->submit(append(g1, 9, 1, 9, 1, 900));
  (*log)->submit(append(g2, 1, 1, 1, 1, 900));
  log->pump();
  CHECK((*log)->logged_since(g1, log_index(8)) <= 3000);
  CHECK((*log)->logged_since(g2, log_index(0)) <= 3000);
  CHECK((*log)->logged_since(g1, log_index(8)) + (*log)->logged_since(g2, log_index(0)) >= 4000);
}

// The log's own syncs share the disk with the next segment: it is written in small pieces, each synced before the next,
// no faster than needed, and is there in time all the same.
TEST_CASE("the next segment is prepared in small durable pieces, a little ahead of the log") {
  wal_options o = small_options();
  o.segment_bytes = std::size_t{1} << 20;
  const std::size_t piece = 2 * block_bytes; // and a beginning that is cleared
  memory_files disk;
  std::map<std::string, std::size_t> dirty;
  std::size_t dirty_most = 0;
  auto log = start_wal(disk, 1, o);
  disk.set_hook([&](const memory_files::operation& op) {
    if (op.call == memory_files::call::write) dirty_most = std::max(dirty_most, dirty[op.path] += op.bytes);
    if (op.call == memory_files::call::sync) dirty[op.path] = 0;
    return memory_files::fault::none;
  });
  std::uint64_t n = 0;
  std::uint64_t rolled = 0;
  while (rolled < 3) {
    const std::uint64_t opened = (*log)->stats().segments_opened;
    ++n;
    (*log)->submit(append(g1, n, 1, n, 1, 3000));
    // The preparation is given one step for each batch of the log's.
    while (log->loop.run_one_ready() || log->log_worker.run_one()) {
    }
    log->prepare_worker.run_one();
    REQUIRE(log->done.persisted[g1] == raft::write_number(n)); // it never waits for a segment
    if ((*log)->stats().segments_opened == opened) continue;
    ++rolled;
    log->pump(); // as many steps as it wants
    for (const std::string& path : disk.paths())
      if (path.ends_with(".log") && parse_segment_header(disk.contents(path)).state != header_state::good)
        CHECK(disk.contents(path).size() <= 8 * piece);
  }
  CHECK(dirty_most <= piece);
  CHECK((*log)->stats().segments_prepared >= 3);
}

// As many freed segments are kept as a snapshot frees: those are what the log goes on with.
TEST_CASE("in steady state nothing is prepared any more") {
  wal_options o = small_options();
  o.recycle_keep = 6;
  memory_files disk;
  auto log = start_wal(disk, 1, o);
  std::uint64_t prepared = 0;
  for (std::uint64_t n = 1; n <= 200; ++n) {
    (*log)->submit(append(g1, n, 1, n, 1, 900));
    log->pump();
    if (n % 10 != 0) continue;
    const snapshot_mark mark{log_index(n), term(1), {{node_id(1)}, {}, {}}};
    (*log)->truncate_prefix(g1, mark, mark.index.next());
    log->pump();
    if (n == 20) prepared = (*log)->stats().segments_prepared;
  }
  CHECK(prepared > 0);
  CHECK((*log)->stats().segments_prepared == prepared);
  CHECK((*log)->stats().segments_recycled > 60);
}

// The mutant that the simulator must find.
TEST_CASE("with the mutant free_last_vote the vote of an idle group is lost with its segment") {
  wal_options o = small_options();
  o.mutant = mutant::free_last_vote;
  memory_files disk;
  std::vector<group_snapshot> snapshots;
  {
    auto log = start_wal(disk, 1, o, {g1, g2});
    (*log)->submit({.group = g2,
                    .number = raft::write_number(1),
                    .hard = hard_state{term(7), node_id(2)},
                    .install = {},
                    .entries = {},
                    .commit = {}});
    for (std::uint64_t n = 1; n <= 100; ++n) {
      (*log)->submit(append(g1, n, 1, n, 1, 900));
      log->pump();
      const snapshot_mark mark{log_index(n), term(1), {}};
      snapshots = {{g1, mark}};
      (*log)->truncate_prefix(g1, mark, mark.index.next());
      log->pump();
    }
  }
  auto log = start_wal(disk, 2, o, {g1, g2}, snapshots);
  REQUIRE((*log)->recovered().size() == 2);
  CHECK((*log)->recovered()[1].hard == hard_state{});
}

// An entry may be larger than a segment of the simulator's.
TEST_CASE("an entry larger than a segment makes its segment longer") {
  memory_files disk;
  {
    auto log = start_wal(disk, 1);
    (*log)->submit(append(g1, 1, 1, 1, 1, 100'000));
    (*log)->submit(append(g1, 2, 1, 2, 1, 10));
    (*log)->submit(append(g1, 3, 1, 3, 1, 50'000));
    log->pump();
    CHECK(log->read(g1, 1, 3)->size() == 3);
  }
  disk.crash(1, memory_files::loss::everything);
  auto log = start_wal(disk, 2);
  CHECK(payload_of(log->read(g1, 1, 1)->front()).size() == 100'000);
  CHECK(payload_of(log->read(g1, 3, 3)->front()).size() == 50'000);
}

// A leader may hand over many requests at once. What would not fit into a segment goes in parts, and counts when the
// last one is durable.
TEST_CASE("a write larger than a segment goes in several batches") {
  memory_files disk;
  auto log = start_wal(disk, 1);
  (*log)->submit(append(g1, 1, 1, 1, 60, 900));
  std::uint64_t longest = 0;
  while (log->log_worker.run_one() || log->prepare_worker.run_one() || log->loop.run_one_ready())
    for (const std::string& path : disk.paths())
      if (path.ends_with(".log")) longest = std::max<std::uint64_t>(longest, disk.contents(path).size());
  CHECK(log->done.persisted[g1] == raft::write_number(1));
  CHECK((*log)->stats().batches > 6);
  CHECK(longest == small_options().segment_bytes);
  CHECK(log->read(g1, 1, 60)->size() == 60);
  log.reset();
  disk.crash(1, memory_files::loss::everything);
  log = start_wal(disk, 2);
  CHECK((*log)->recovered().front().last == log_index(60));
}

// After a failed write or sync nobody knows what the disk holds.
TEST_CASE("a failed write or sync is told once, acknowledges nothing and is never tried again") {
  for (const memory_files::call which : {memory_files::call::write, memory_files::call::sync}) {
    memory_files disk;
    auto log = start_wal(disk, 1);
    (*log)->submit(append(g1, 1, 1, 1, 1));
    log->pump();
    std::uint64_t calls = 0;
    disk.set_hook([&](const memory_files::operation& o) {
      if (o.call != which) return memory_files::fault::none;
      ++calls;
      return memory_files::fault::io;
    });
    (*log)->submit(append(g1, 2, 1, 2, 1));
    log->pump();
    (*log)->submit(append(g1, 3, 1, 3, 1));
    log->pump();
    CHECK(calls == 1);
    CHECK(log->done.persisted[g1] == raft::write_number(1));
    REQUIRE(log->done.failures.size() == 1);
    CHECK(log->done.failures[0].code == error_code::io);
    CHECK(log->done.failures[0].path.find(".log") != std::string::npos);
    CHECK((*log)->failed());
  }
}

// After a failed sync the cache lies: the next start writes the tail again before it trusts it.
TEST_CASE("a tail whose sync failed is written again and synced at the next start") {
  memory_files disk;
  {
    auto log = start_wal(disk, 1);
    (*log)->submit(append(g1, 1, 1, 1, 1));
    log->pump();
    bool failed = false;
    disk.set_hook([&](const memory_files::operation& o) {
      if (o.call != memory_files::call::sync || failed) return memory_files::fault::none;
      failed = true;
      return memory_files::fault::io;
    });
    (*log)->submit(append(g1, 2, 1, 2, 1));
    log->pump();
    CHECK((*log)->failed());
  }
  disk.set_hook({});
  // The daemon starts again and reads entry 2 from the cache; then the machine stops.
  { CHECK((*start_wal(disk, 2))->recovered().front().last == log_index(2)); }
  disk.crash(1, memory_files::loss::everything);
  auto log = start_wal(disk, 3);
  CHECK((*log)->recovered().front().last == log_index(2));
  CHECK(log->read(g1, 1, 2)->size() == 2);
}

// The graceful stop of a daemon.
TEST_CASE("stop() waits for everything that was submitted") {
  memory_files disk;
  auto log = start_wal(disk, 1);
  for (std::uint64_t n = 1; n <= 50; ++n) (*log)->submit(append(g1, n, 1, n, 1, 1000));
  bool stopped = false;
  log->spawn(stop_and_tell(&**log, &stopped));
  while (!stopped) {
    log->loop.run_one_ready();
    log->log_worker.run_one();
    log->prepare_worker.run_one();
  }
  CHECK(log->log_worker.empty());
  CHECK(log->prepare_worker.empty());
  CHECK(log->done.persisted[g1] == raft::write_number(50));
}

// A truncation may be asked for before what it keeps is durable.
TEST_CASE("a truncation waits until the entries it names are durable") {
  memory_files disk;
  auto log = start_wal(disk, 1);
  (*log)->submit(append(g1, 1, 1, 1, 4));
  (*log)->truncate_prefix(g1, {log_index(4), term(1), {}}, log_index(4));
  (*log)->truncate_prefix(g1, {log_index(9), term(1), {}}, log_index(8));
  log->pump();
  CHECK(log->read(g1, 4, 4).has_value());
  (*log)->submit(append(g1, 2, 1, 5, 6));
  log->pump();
  (*log)->submit(append(g1, 3, 1, 11, 1));
  log->pump();
  CHECK(log->read(g1, 7, 7).has_error());
  CHECK(log->read(g1, 8, 11)->size() == 4);
}

} // namespace quorumd::storage::test
