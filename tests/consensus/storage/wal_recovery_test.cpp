#include "consensus/storage/wal_format.hpp"
#include "tests/consensus/storage/wal_rig.hpp"

#include <algorithm>

namespace quorumd::storage::test {

using quorumd::testing::memory_files;

namespace {

/// A log of that many batches of one entry each, `bytes` of payload.
void fill(running_wal& log, std::uint64_t first, std::uint64_t last, std::size_t bytes = 100) {
  for (std::uint64_t n = first; n <= last; ++n) {
    write w{.group = g1,
            .number = raft::write_number(n),
            .hard = hard_state{term(1), node_id(2)},
            .install = {},
            .entries = {},
            .commit = log_index(n - 1)};
    w.entries.push_back(make_entry(g1, 1, n, std::string(bytes, 'x')));
    log->submit(std::move(w));
    log.pump();
  }
}

std::string segment_path(std::uint64_t sequence) {
  return std::string(wal_directory) + '/' + segment_name(sequence);
}

/// The paths of the segments, in order.
std::vector<std::string> segments_of(const memory_files& disk) {
  std::vector<std::string> all = disk.paths();
  std::erase_if(all, [](const std::string& path) { return !path.ends_with(".log"); });
  return all;
}

/// Where the batches of a segment begin, and the last one's end.
std::vector<std::uint64_t> batches_of(const memory_files& disk, std::uint64_t sequence) {
  const std::vector<std::byte> all = disk.contents(segment_path(sequence));
  const std::uint64_t id = parse_segment_header(all).header.id;
  std::vector<std::uint64_t> at{block_bytes};
  while (at.back() < all.size()) {
    const auto h = peek_batch_header(std::span(all).subspan(at.back()));
    if (!h || h->segment_id != id) break;
    at.push_back(at.back() + batch_bytes(h->length));
  }
  return at;
}

log_index last_of(memory_files& disk, wal_options o = small_options()) {
  auto log = start_wal(disk, 77, o);
  if (!log || (*log)->recovered().empty()) return log_index(0);
  const recovered_group& g = (*log)->recovered().front();
  const auto all = log->read(g1, g.start.index.value() + 1, g.last.value());
  CHECK(all.has_value());
  return g.last;
}

} // namespace

// Raft case 83: every way in which the last write may be cut short is cut, and nothing before it is lost.
TEST_CASE("case 83: a torn tail is cut: any subset of the last batch's sectors") {
  memory_files whole;
  { fill(*start_wal(whole, 1), 1, 2, 3000); }
  const std::vector<std::uint64_t> at = batches_of(whole, 1);
  REQUIRE(at.size() == 4); // where the opening and two begin, and the end
  const std::uint64_t begin = at[2];
  const std::uint64_t sectors = (at[3] - begin) / 512;
  REQUIRE(sectors == 8);
  for (std::uint64_t kept = 0; kept < (1u << sectors); ++kept) {
    auto disk = whole.copy();
    std::vector<std::byte> bytes = disk->contents(segment_path(1));
    for (std::uint64_t s = 0; s < sectors; ++s)
      if ((kept >> s & 1) == 0)
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(begin + s * 512), 512, std::byte{0});
    disk->set_contents(segment_path(1), bytes);
    // The last sector is padding, zero anyway.
    const bool all_kept = (kept & 0x7f) == 0x7f;
    CHECK(last_of(*disk) == log_index(all_kept ? 2 : 1));
  }
}

// Raft case 83: a damaged batch that a later one calls durable is never taken for a torn tail.
TEST_CASE("case 83: a corrupt middle is refused at every sector, and the tail is cut") {
  memory_files whole;
  {
    auto log = start_wal(whole, 1);
    fill(*log, 1, 5, 1000); // two fit into the first segment
  }
  const std::vector<std::uint64_t> first = batches_of(whole, 1);
  const std::vector<std::uint64_t> second = batches_of(whole, 2);
  REQUIRE(first.size() == 4);
  REQUIRE(second.size() == 4);
  const std::uint64_t last_begin = second[2];
  int refused = 0;
  for (const std::uint64_t sequence : {1, 2}) {
    const std::uint64_t end = sequence == 1 ? first.back() : second.back();
    for (std::uint64_t offset = 0; offset < end; offset += 256) { // each sector twice: its first byte and its middle
      auto disk = whole.copy();
      disk->flip(segment_path(sequence), offset, std::byte{0x20});
      if (sequence == 2 && offset >= last_begin) {
        CHECK(last_of(*disk) == log_index(4));
        continue;
      }
      const std::optional<error> e = open_error(*disk);
      INFO("segment " << sequence << " offset " << offset);
      REQUIRE(e.has_value());
      CHECK(e->code == error_code::corrupt);
      CHECK(e->path.find("/data/wal") == 0);
      CHECK(e->offset.has_value());
      CHECK(e->message().find("treat this member as lost") != std::string::npos);
      if (sequence == 1 && offset >= block_bytes) {
        CHECK(e->path == segment_path(1));
        CHECK(e->group == g1);
        CHECK(e->index.has_value());
        // The batch that holds the flipped byte is named.
        const auto batch = std::prev(std::upper_bound(first.begin(), first.end(), offset));
        CHECK(e->offset == *batch);
      }
      ++refused;
    }
  }
  CHECK(refused > 80);
}

// A file is gone: somebody removed it, or fsck did. The newest ones hold acknowledged entries and votes like any other,
// and nothing that is left of the log mentions them.
TEST_CASE("a missing segment is refused, the newest ones too") {
  memory_files whole;
  { fill(*start_wal(whole, 1), 1, 12, 1000); }
  const std::vector<std::string> segments = segments_of(whole);
  REQUIRE(segments.size() > 4);
  for (std::size_t from = 0; from < segments.size(); ++from)
    for (std::size_t to = from; to < segments.size(); ++to) {
      auto disk = whole.copy();
      for (std::size_t i = from; i <= to; ++i) REQUIRE(disk->remove(segments[i]).has_value());
      const std::optional<error> e = open_error(*disk);
      INFO("without segments " << from << " to " << to);
      REQUIRE(e.has_value());
      CHECK(e->code == error_code::corrupt);
      CHECK(e->message().find("missing") != std::string::npos);
      CHECK(e->message().find("treat this member as lost") != std::string::npos);
    }
}

// Starts that follow each other, and crashes within them, take segments away by themselves.
TEST_CASE("no start takes its own doings for a missing segment") {
  memory_files whole;
  { fill(*start_wal(whole, 1), 1, 12, 1000); }
  for (const std::size_t segment_blocks : {4, 8}) { // of another size the prepared ones are given up
    wal_options o = small_options();
    o.segment_bytes = segment_blocks * block_bytes;
    for (std::uint64_t at = 1; at < 60; ++at) {
      auto disk = whole.copy();
      for (std::uint64_t restart = 0; restart < 3; ++restart) {
        const std::uint64_t stop = disk->count().operations + at;
        disk->set_hook([stop](const memory_files::operation& op) {
          return op.changes() && op.number >= stop ? memory_files::fault::freeze : memory_files::fault::none;
        });
        {
          counting_entropy random(restart);
          auto w = wal::open(*disk, wal_directory, o, random);
          if (w) running_wal(std::move(*w), {g1}).pump();
        }
        disk->set_hook({});
        disk->crash(at + restart);
      }
      INFO("crash before operation " << at << " of each start");
      CHECK(last_of(*disk, o) == log_index(12));
    }
  }
}

// A value may hold anything, whole batches among it, and a recycled segment still holds the values of its earlier life.
TEST_CASE("what a client wrote is never taken for proof") {
  std::vector<std::byte> forged(block_bytes);
  {
    batch_builder b;
    b.begin();
    b.add_commit(g1, log_index(1));
    const auto bytes =
        b.finish({.segment_id = 7, .number = 1'000'000, .durable = 999'999, .length = 0, .records = 0}, nullptr);
    REQUIRE(bytes.size() == block_bytes);
    std::copy(bytes.begin(), bytes.end(), forged.begin());
  }
  // The batch's and the record's headers, the stretch's and the entry's stand before the value in the first block.
  std::string value(block_bytes - batch_header_bytes - 16 - 16 - entry_header_bytes, 'x');
  for (int i = 0; i < 2; ++i) value.append(reinterpret_cast<const char*>(forged.data()), forged.size());

  memory_files disk;
  std::uint64_t found = 0;
  auto log = start_wal(disk, 1);
  for (std::uint64_t n = 1; n <= 30; ++n) {
    write w{.group = g1,
            .number = raft::write_number(n),
            .hard = {},
            .install = {},
            .entries = {},
            .commit = log_index(n - 1)};
    w.entries.push_back(make_entry(g1, 1, n, value));
    (*log)->submit(std::move(w));
    log->pump();
    const snapshot_mark mark{log_index(n), term(1), {}};
    if (n % 3 == 0) (*log)->truncate_prefix(g1, mark, mark.index.next());
    log->pump();
    const std::vector<group_snapshot> snapshots{{g1, {log_index(n / 3 * 3), term(1), {}}}};
    auto after_crash = disk.copy();
    const std::optional<error> e =
        open_error(*after_crash, small_options(), n < 3 ? std::vector<group_snapshot>() : snapshots);
    INFO("after entry " << n << ": " << (e ? e->message() : ""));
    CHECK_FALSE(e.has_value());
    // The values are there: else nothing was tried.
    for (const std::string& path : segments_of(disk)) {
      const std::vector<std::byte> all = disk.contents(path);
      for (std::size_t at = 2 * block_bytes; at < all.size(); at += block_bytes)
        if (std::equal(forged.begin(), forged.end(), all.begin() + static_cast<std::ptrdiff_t>(at))) ++found;
    }
  }
  CHECK((*log)->stats().segments_recycled > 3);
  CHECK(found > 30);
}

// A file of a segment that was used before holds old batches with good checksums.
TEST_CASE("stale batches of a recycled segment are never taken for valid, and the mutant that takes them is found") {
  memory_files whole;
  std::vector<group_snapshot> snapshots;
  {
    auto log = start_wal(whole, 1);
    for (std::uint64_t n = 1; n <= 40; ++n) {
      fill(*log, n, n, 900);
      const snapshot_mark mark{log_index(n), term(1), {}};
      snapshots = {{g1, mark}};
      if (n % 5 == 0) (*log)->truncate_prefix(g1, mark, mark.index);
      log->pump();
    }
    REQUIRE((*log)->stats().segments_recycled > 3);
  }
  snapshots = {{g1, {log_index(40), term(1), {}}}};
  wal_options bad = small_options();
  bad.mutant = mutant::accept_stale_batch;
  auto honest = whole.copy();
  auto log = start_wal(*honest, 5, small_options(), {g1}, snapshots);
  CHECK((*log)->recovered().front().last == log_index(40));
  auto fooled = whole.copy();
  const std::optional<error> e = open_error(*fooled, bad, snapshots);
  if (e) {
    CHECK(e->code == error_code::corrupt);
  } else {
    auto again = whole.copy();
    auto wrong = start_wal(*again, 5, bad, {g1}, snapshots);
    CHECK((*wrong)->recovered().front().last != log_index(40));
  }
}

// Raft case 83: a log that ends before what it knows to be committed has lost something.
TEST_CASE("case 83: a commit beyond the last entry refuses to start with a diagnosis") {
  memory_files disk;
  {
    auto log = start_wal(disk, 1);
    fill(*log, 1, 3);
    (*log)->submit({.group = g1,
                    .number = raft::write_number(4),
                    .hard = {},
                    .install = {},
                    .entries = {},
                    .commit = log_index(9)});
    log->pump();
  }
  const std::optional<error> e = open_error(disk);
  REQUIRE(e.has_value());
  CHECK(e->code == error_code::corrupt);
  CHECK(e->group == g1);
  CHECK(e->index == log_index(3));
  CHECK(e->message().find("9 was known committed") != std::string::npos);
}

// The files were written by another quorumd, a newer one or one from before commands had an envelope.
TEST_CASE("a segment of another format version is refused by name") {
  for (const std::uint32_t other : {wal_format_version - 1, wal_format_version + 1}) {
    memory_files disk;
    { fill(*start_wal(disk, 1), 1, 2); }
    std::vector<std::byte> bytes = disk.contents(segment_path(1));
    const segment_header h = parse_segment_header(bytes).header;
    std::vector<std::byte> block(block_bytes); // with a checksum that holds
    encode(h, std::span<std::byte, block_bytes>(block.data(), block_bytes), other);
    std::copy(block.begin(), block.end(), bytes.begin());
    disk.set_contents(segment_path(1), bytes);
    const std::optional<error> e = open_error(disk);
    REQUIRE(e.has_value());
    CHECK(e->code == error_code::version);
    CHECK(e->message().find("format version " + std::to_string(other)) != std::string::npos);
  }
}

// After kill -9 the last batch may be only in the page cache: it is copied and synced before the log is used.
TEST_CASE("the last batch is durable in a fresh segment once the log is open") {
  memory_files disk;
  auto log = start_wal(disk, 1);
  fill(*log, 1, 2);
  // The write reaches the cache, the process is killed before its sync.
  disk.set_hook([](const memory_files::operation& o) {
    return o.call == memory_files::call::sync ? memory_files::fault::freeze : memory_files::fault::none;
  });
  fill(*log, 3, 3);
  log.reset();
  disk.set_hook({});
  disk.crash(1, memory_files::loss::nothing); // of the process only: visible, though nothing proves it durable
  const std::uint64_t syncs = disk.count().syncs;
  counting_entropy random(4);
  auto opened = wal::open(disk, wal_directory, small_options(), random);
  REQUIRE(opened.has_value());
  CHECK((*opened)->recovered().front().last == log_index(3));
  CHECK(disk.count().syncs > syncs);
  opened = error();
  disk.crash(2, memory_files::loss::everything);
  CHECK(last_of(disk) == log_index(3));
}

// A start copies the last batch into a fresh segment and cuts it off the old one. Did a power cut bring that batch
// back, the log behind a damaged header would pass for one that never was, and an acknowledged entry or a vote be
// forgotten. So the cut is durable; and where it was not (a start of an earlier version), the batches that follow tell.
TEST_CASE("what a start cut off does not come back and hide a damaged header") {
  memory_files disk;
  { fill(*start_wal(disk, 1), 1, 2); }
  const std::vector<std::byte> uncut = disk.contents(segment_path(1));
  const std::uint64_t cut = batches_of(disk, 1).at(2);
  { fill(*start_wal(disk, 2), 3, 3); }
  disk.crash(3, memory_files::loss::everything);
  CHECK(disk.contents(segment_path(1)).size() == cut);
  for (const bool durable : {true, false}) {
    if (!durable) disk.set_contents(segment_path(1), uncut);
    CHECK(last_of(*disk.copy()) == log_index(3));
    for (std::uint64_t offset = 0; offset < block_bytes; offset += 64) {
      auto damaged = disk.copy();
      damaged->flip(segment_path(2), offset, std::byte{0x20});
      INFO("durable " << durable << " offset " << offset);
      const std::optional<error> e = open_error(*damaged);
      REQUIRE(e.has_value());
      CHECK(e->code == error_code::corrupt);
    }
  }
}

// Recovery tells a supervisor that it lives.
TEST_CASE("recovery reports its progress") {
  memory_files disk;
  { fill(*start_wal(disk, 1), 1, 20, 900); }
  std::uint64_t calls = 0;
  std::uint64_t before = 0;
  counting_entropy random(4);
  const auto opened =
      wal::open(disk, wal_directory, small_options(), random, {}, [&](std::uint64_t done, std::uint64_t total) {
        ++calls;
        CHECK(done >= before);
        CHECK(done <= total);
        before = done;
      });
  REQUIRE(opened.has_value());
  CHECK(calls >= 20);
}

// Raft case 62: a crash after the snapshot was published and before the log's new beginning was written.
TEST_CASE("case 62: the log is aligned with a newer snapshot when it opens") {
  memory_files whole;
  { fill(*start_wal(whole, 1), 1, 5); }
  const configuration members{{node_id(1), node_id(2), node_id(3)}, {}, {}};
  const auto recovered = [&](memory_files& disk, const snapshot_mark& mark) {
    const std::vector<group_snapshot> snapshots{{g1, mark}};
    recovered_group g;
    for (std::uint64_t restart = 1; restart < 4; ++restart) {
      auto log = start_wal(disk, restart, small_options(), {g1}, snapshots);
      g = (*log)->recovered().front();
    }
    return g;
  };
  SUBCASE("beyond the log's end: the log begins anew after it, and the vote stays") {
    const recovered_group g = recovered(whole, {log_index(9), term(1), members});
    CHECK(g.start == snapshot_mark{log_index(9), term(1), members});
    CHECK(g.last == log_index(9));
    CHECK(g.runs.empty());
    CHECK(g.commit == log_index(9));
    CHECK(g.hard == hard_state{term(1), node_id(2)});
  }
  SUBCASE("of a term that the log had not recorded yet: the term is taken over, without a vote") {
    const recovered_group g = recovered(whole, {log_index(9), term(3), members});
    CHECK(g.start == snapshot_mark{log_index(9), term(3), members});
    CHECK(g.hard == hard_state{term(3), node_id()});
  }
  SUBCASE("conflicting with the log: likewise") {
    const recovered_group g = recovered(whole, {log_index(5), term(3), members});
    CHECK(g.last == log_index(5));
    CHECK(g.start.term == term(3));
    CHECK(g.runs.empty());
  }
  SUBCASE("inside the log: nothing is lost and the commit moves forward") {
    const recovered_group g = recovered(whole, {log_index(5), term(1), members});
    CHECK(g.start.index == log_index(0));
    CHECK(g.last == log_index(5));
    CHECK(g.commit == log_index(5));
  }
}

// A snapshot ends inside a term, and the next leader overwrites all that follows it: that term has no entry left, and
// the log is as legal as any.
TEST_CASE("case 83: a term whose last entries are overwritten right behind the log's beginning is forgotten") {
  memory_files disk;
  const snapshot_mark mark{log_index(10), term(1), {{node_id(1)}, {}, {}}};
  const auto append = [](running_wal& log, std::uint64_t number, std::uint64_t t, std::uint64_t first,
                         std::uint64_t last) {
    write w{.group = g1,
            .number = raft::write_number(number),
            .hard = hard_state{term(t), node_id(2)},
            .install = {},
            .entries = {},
            .commit = {}};
    for (std::uint64_t i = first; i <= last; ++i) w.entries.push_back(make_entry(g1, t, i, "x"));
    log->submit(std::move(w));
    log.pump();
  };
  {
    auto log = start_wal(disk, 1);
    append(*log, 1, 1, 1, 15);
    (*log)->truncate_prefix(g1, mark, log_index(11));
    log->pump();
    append(*log, 2, 2, 11, 12);
  }
  const std::vector<group_snapshot> snapshots{{g1, mark}};
  auto log = start_wal(disk, 2, small_options(), {g1}, snapshots);
  const recovered_group& g = (*log)->recovered().front();
  CHECK(g.start == mark);
  CHECK(g.last == log_index(12));
  REQUIRE(g.runs.size() == 1);
  CHECK(g.runs[0].first == log_index(11));
  CHECK(g.runs[0].term == term(2));
  CHECK(why_refused(g) == "");
}

// A snapshot directory that was lost or restored from an old copy.
TEST_CASE("a log that begins after every snapshot is refused") {
  memory_files disk;
  {
    auto log = start_wal(disk, 1);
    fill(*log, 1, 5);
    (*log)->truncate_prefix(g1, {log_index(4), term(1), {}}, log_index(5));
    log->pump();
  }
  CHECK(open_error(disk)->code == error_code::corrupt);
  const std::vector<group_snapshot> old{{g1, {log_index(2), term(1), {}}}};
  const std::optional<error> e = open_error(disk, small_options(), old);
  REQUIRE(e.has_value());
  CHECK(e->index == log_index(4));
  const std::vector<group_snapshot> good{{g1, {log_index(4), term(1), {}}}};
  CHECK_FALSE(open_error(disk, small_options(), good));
}

} // namespace quorumd::storage::test
