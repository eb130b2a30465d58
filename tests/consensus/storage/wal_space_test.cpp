#include "consensus/storage/wal_format.hpp"
#include "tests/consensus/storage/wal_rig.hpp"

namespace quorumd::storage::test {

using quorumd::testing::memory_files;

namespace {

void put(running_wal& log, std::uint64_t n) {
  write w{.group = g1, .number = raft::write_number(n), .hard = {}, .install = {}, .entries = {}, .commit = {}};
  w.entries.push_back(make_entry(g1, 1, n, std::string(900, 'x')));
  log->submit(std::move(w));
  log.pump();
}

void vote(running_wal& log, std::uint64_t n, std::uint64_t t) {
  log->submit({.group = g1,
               .number = raft::write_number(n),
               .hard = hard_state{term(t), node_id(1)},
               .install = {},
               .entries = {},
               .commit = {}});
  log.pump();
}

/// Puts until the volume is full, after the n-th; which was the last one.
std::uint64_t put_until_full(running_wal& log, std::uint64_t n = 0) {
  for (const std::uint64_t most = n + 100; log->accepting_puts() && n < most;) put(log, ++n);
  REQUIRE_FALSE(log->accepting_puts());
  return n;
}

/// A log whose space is watched, all of whose preparations are done.
std::unique_ptr<running_wal> start_watched(memory_files& disk, const wal_options& o, std::uint64_t seed = 1) {
  auto log = start_wal(disk, seed, o);
  REQUIRE(log);
  log->spawn((*log)->run_space_watch());
  log->pump();
  return log;
}

/// One segment of the reserve is the log's, two are a snapshot's.
wal_options with_snapshot_reserve() {
  wal_options o = small_options();
  o.reserve_bytes = 3 * o.segment_bytes;
  return o;
}

/// A second of virtual time passes, and the watch looks for room.
void second(running_wal& log) {
  log.clock.advance(std::chrono::milliseconds(1001));
  log.loop.timers().fire_due();
  log.pump();
}

} // namespace

// A full disk is not a failed disk: puts are refused, votes and compaction go on, and it ends when there is room.
TEST_CASE("a full volume refuses puts, keeps the reserve for votes and compaction, and recovers") {
  memory_files disk;
  auto log = start_watched(disk, small_options());
  REQUIRE((*log)->accepting_puts());
  disk.set_capacity(disk.used_bytes() + 16 * 1024);
  std::uint64_t n = put_until_full(*log);
  const space_status s = (*log)->space();
  CHECK(s.volume == wal_directory);
  CHECK(s.needed_bytes >= 16 * 1024);
  CHECK(s.message.find("make room") != std::string::npos);
  CHECK(log->done.persisted[g1] == raft::write_number(n));
  CHECK_FALSE((*log)->failed());

  // Votes still reach the disk, in what is prepared and in the reserve.
  for (std::uint64_t t = 1; t <= 4; ++t) {
    ++n;
    vote(*log, n, 10 + t);
    CHECK(log->done.persisted[g1] == raft::write_number(n));
  }
  second(*log);
  CHECK_FALSE((*log)->accepting_puts());

  // A snapshot lets the log begin later: freed segments make the room.
  const log_index last = [&] {
    log_index i(1);
    while (log->read(g1, i.value() + 1, i.value() + 1)) i = i.next();
    return i;
  }();
  (*log)->truncate_prefix(g1, {last, term(1), {}}, last.next());
  log->pump();
  for (int i = 0; i < 5; ++i) second(*log);
  CHECK((*log)->stats().disk_bytes == disk.used_bytes());
  disk.set_capacity(UINT64_MAX);
  for (int i = 0; i < 3; ++i) second(*log);
  CHECK((*log)->accepting_puts());
  CHECK((*log)->space().message.empty());
  for (int i = 0; i < 20; ++i) {
    write w{.group = g1, .number = raft::write_number(++n), .hard = {}, .install = {}, .entries = {}, .commit = {}};
    w.entries.push_back(make_entry(g1, 14, last.value() + 1 + static_cast<std::uint64_t>(i), std::string(900, 'y')));
    (*log)->submit(std::move(w));
    log->pump();
  }
  CHECK(log->done.persisted[g1] == raft::write_number(n));
}

// Nothing that was acknowledged is lost when even the reserve is used up: what comes later waits.
TEST_CASE("with no room at all writes wait, unacknowledged, and go on when room returns") {
  memory_files disk;
  auto log = start_watched(disk, small_options());
  disk.set_capacity(disk.used_bytes());
  std::uint64_t n = 0;
  while (n < 100 && log->done.persisted[g1] == raft::write_number(n)) put(*log, ++n);
  CHECK(n > 3);
  CHECK(log->done.persisted[g1] == raft::write_number(n - 1));
  CHECK_FALSE((*log)->failed());
  put(*log, ++n);
  second(*log);
  CHECK(log->done.persisted[g1] == raft::write_number(n - 2));
  disk.set_capacity(UINT64_MAX);
  second(*log);
  second(*log);
  CHECK(log->done.persisted[g1] == raft::write_number(n));
  CHECK((*log)->accepting_puts());
  CHECK(log->read(g1, 1, n)->size() == n);
}

// An entry that is larger than a segment, from a member that is configured for larger ones, makes its segment longer:
// where the volume has no room for that it waits, and the log has not failed.
TEST_CASE("an entry larger than a segment waits on a full volume, unacknowledged, until room returns") {
  memory_files disk;
  auto log = start_watched(disk, small_options());
  put(*log, 1);
  disk.set_capacity(disk.used_bytes() + 20'000);
  write w{.group = g1, .number = raft::write_number(2), .hard = {}, .install = {}, .entries = {}, .commit = {}};
  w.entries.push_back(make_entry(g1, 1, 2, std::string(100'000, 'x')));
  (*log)->submit(std::move(w));
  log->pump();
  for (int i = 0; i < 3; ++i) second(*log);
  CHECK_FALSE((*log)->failed());
  CHECK_FALSE((*log)->accepting_puts());
  CHECK(log->done.persisted[g1] == raft::write_number(1));
  disk.set_capacity(UINT64_MAX);
  for (int i = 0; i < 3; ++i) second(*log);
  CHECK(log->done.persisted[g1] == raft::write_number(2));
  CHECK((*log)->accepting_puts());
  CHECK(payload_of(log->read(g1, 2, 2)->front()).size() == 100'000);
  CHECK((*log)->stats().disk_bytes == disk.used_bytes());
}

// The daemon starts on a full volume too: compaction needs it running.
TEST_CASE("a log opens on a full volume") {
  memory_files disk;
  {
    auto log = start_wal(disk, 1);
    for (std::uint64_t n = 1; n <= 5; ++n) put(*log, n);
  }
  disk.set_capacity(disk.used_bytes());
  for (std::uint64_t restart = 2; restart < 6; ++restart) {
    auto log = start_wal(disk, restart);
    REQUIRE(log);
    CHECK((*log)->recovered().front().last == log_index(5));
  }
}

// Its reserve is used up, too: a member that cannot start could never be emptied.
TEST_CASE("a log opens on a full volume without a reserve, and grows as far as there is room") {
  memory_files disk;
  {
    auto log = start_wal(disk, 1);
    for (std::uint64_t n = 1; n <= 5; ++n) put(*log, n);
  }
  // As a long time on a full volume leaves it: nothing prepared, no reserve.
  std::uint64_t begun = 0;
  for (const std::string& path : disk.paths()) {
    const parsed_segment_header h = parse_segment_header(disk.contents(path));
    if (path.ends_with("reserve")) REQUIRE(disk.remove(path).has_value());
    if (!path.ends_with(".log")) continue;
    if (h.state == header_state::good)
      begun = h.header.sequence;
    else
      REQUIRE(disk.remove(path).has_value());
  }
  REQUIRE(disk.rename("/data/wal.reached-" + sequence_digits(begun + 1), "/data/wal.reached-" + sequence_digits(begun))
              .has_value());
  disk.set_capacity(disk.used_bytes() + 20 * 1024);
  for (std::uint64_t restart = 2; restart < 4; ++restart) {
    auto log = start_wal(disk, restart);
    REQUIRE(log);
    CHECK((*log)->recovered().front().last == log_index(5));
    CHECK_FALSE((*log)->accepting_puts());
  }
  auto log = start_watched(disk, small_options(), 9);
  std::uint64_t number = 0;
  const auto votes = [&](std::uint64_t t) {
    vote(*log, ++number, t);
    return log->done.persisted[g1] == raft::write_number(number);
  };
  CHECK(votes(7));
  std::uint64_t t = 8;
  while (t < 20 && votes(t)) ++t;
  CHECK(t < 20); // there is an end to it, at which it waits
  CHECK_FALSE((*log)->failed());
  disk.set_capacity(UINT64_MAX);
  for (int i = 0; i < 4; ++i) second(*log);
  CHECK(log->done.persisted[g1] == raft::write_number(number));
  CHECK((*log)->accepting_puts());
}

// What the log waits for is freed by a snapshot alone: its room, and the segment that the log moves on to, are held
// ready for just that.
TEST_CASE("a full volume is freed by a snapshot, without room from elsewhere") {
  memory_files disk;
  const wal_options o = with_snapshot_reserve();
  auto log = start_watched(disk, o);
  disk.set_capacity(disk.used_bytes() + 4 * o.segment_bytes);
  std::uint64_t n = put_until_full(*log);
  for (int i = 0; i < 3; ++i) second(*log);
  // The snapshot's part of the reserve is free, and stays so while deletes and votes go on, until they need the rest.
  CHECK(*disk.free_bytes("/data") >= 2 * o.segment_bytes);
  const std::uint64_t before = n;
  while (n < before + 2) put(*log, ++n);
  for (int i = 0; i < 3; ++i) second(*log);
  CHECK(log->done.persisted[g1] == raft::write_number(n));
  CHECK(*disk.free_bytes("/data") >= 2 * o.segment_bytes);
  const snapshot_mark mark{log_index(n), term(1), {{node_id(1)}, {}, {}}};
  (*log)->truncate_prefix(g1, mark, mark.index.next());
  log->pump();
  for (int i = 0; i < 5; ++i) second(*log);
  CHECK((*log)->accepting_puts());
  CHECK((*log)->stats().disk_bytes == disk.used_bytes());
  for (std::uint64_t more = 0; more < 20; ++more) {
    put(*log, ++n);
    const snapshot_mark next{log_index(n), term(1), {{node_id(1)}, {}, {}}};
    (*log)->truncate_prefix(g1, next, next.index.next());
    log->pump();
  }
  CHECK(log->done.persisted[g1] == raft::write_number(n));
  CHECK((*log)->accepting_puts());
}

// The snapshot worker met the full volume first.
TEST_CASE("a snapshot without room is given its part of the reserve, and puts are refused until there is room") {
  memory_files disk;
  const wal_options o = with_snapshot_reserve();
  auto log = start_watched(disk, o);
  disk.set_capacity(disk.used_bytes());
  const std::uint64_t before = disk.used_bytes();
  (*log)->report_no_space(error(error_code::no_space, "/data/snapshots/x.tmp", "the disk is full"));
  log->pump();
  CHECK_FALSE((*log)->accepting_puts());
  CHECK(before - disk.used_bytes() == 2 * o.segment_bytes);
  disk.set_capacity(UINT64_MAX);
  second(*log);
  CHECK((*log)->accepting_puts());
  CHECK(disk.used_bytes() == before);
}

// A small store writes little, and a full volume lets it write less: the next segment, which is prepared no faster than
// the log fills its own, is prepared all the same once there is room.
TEST_CASE("puts are taken again after a full volume though the log has hardly grown") {
  memory_files disk;
  wal_options o = small_options();
  o.segment_bytes = std::size_t{1} << 20;
  o.reserve_bytes = 2 * o.segment_bytes;
  auto log = start_watched(disk, o);
  std::uint64_t n = 0;
  while (n < 5) put(*log, ++n);
  disk.set_capacity(disk.used_bytes());
  SUBCASE("a snapshot met it") {
    (*log)->report_no_space(error(error_code::no_space, "/data/snapshots/x.tmp", "the disk is full"));
    log->pump();
  }
  SUBCASE("the log met it") {
    n = put_until_full(*log, n);
  }
  REQUIRE_FALSE((*log)->accepting_puts());
  for (int i = 0; i < 5; ++i) second(*log);
  disk.set_capacity(UINT64_MAX);
  for (int i = 0; i < 4; ++i) second(*log);
  CHECK((*log)->accepting_puts());
}

// The volume gives nothing back, and the log goes on in what is its own: the segment that a snapshot frees, and the
// reserve.
TEST_CASE("the one segment that a snapshot frees on a full volume is used again, and then the reserve") {
  memory_files disk;
  auto log = start_watched(disk, small_options());
  std::uint64_t n = 0;
  while ((*log)->stats().segments_opened < 2) put(*log, ++n);
  disk.set_capacity(disk.used_bytes());
  (*log)->report_no_space(error(error_code::no_space, "/data/snapshots/x.tmp", "the disk is full"));
  log->pump();
  second(*log);
  REQUIRE_FALSE((*log)->accepting_puts());
  const snapshot_mark mark{log_index(n - 1), term(1), {{node_id(1)}, {}, {}}};
  (*log)->truncate_prefix(g1, mark, mark.index.next());
  log->pump();
  const std::uint64_t before = n;
  while (n < before + 7) put(*log, ++n); // deletes, say: two for a segment
  for (int i = 0; i < 3; ++i) second(*log);
  CHECK(log->done.persisted[g1] == raft::write_number(n));
  CHECK((*log)->stats().segments_recycled > 0);
  CHECK_FALSE((*log)->failed());
}

// A start without room for a whole segment begins with a short one, and frees an old one.
TEST_CASE("a log whose first segment is short goes on in one that was freed") {
  memory_files disk;
  {
    auto log = start_wal(disk, 1);
    put(*log, 1);
    put(*log, 2);
  }
  for (const std::string& path : disk.paths())
    if (path.ends_with("reserve") ||
        (path.ends_with(".log") && parse_segment_header(disk.contents(path)).state != header_state::good))
      REQUIRE(disk.remove(path).has_value());
  REQUIRE(
      disk.rename("/data/wal.reached-" + sequence_digits(2), "/data/wal.reached-" + sequence_digits(1)).has_value());
  disk.set_capacity(disk.used_bytes() + 2 * block_bytes);
  const std::vector<group_snapshot> snapshots{{g1, {log_index(9), term(1), {{node_id(1)}, {}, {}}}}};
  auto log = start_wal(disk, 2, small_options(), {g1}, snapshots);
  REQUIRE(log);
  log->spawn((*log)->run_space_watch());
  log->pump();
  for (std::uint64_t number = 1; number <= 2; ++number) {
    vote(*log, number, 5 + number);
    second(*log);
    CHECK(log->done.persisted[g1] == raft::write_number(number));
  }
}

} // namespace quorumd::storage::test
