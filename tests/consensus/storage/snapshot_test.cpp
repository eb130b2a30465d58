#include "consensus/storage/inspect.hpp"
#include "consensus/storage/snapshot_file.hpp"
#include "consensus/storage/snapshot_format.hpp"
#include "tests/consensus/storage/wal_rig.hpp"
#include "tests/support/memory_files.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace quorumd::storage::test {

using quorumd::testing::memory_files;

namespace {

const std::string snapshots_at = "/data/snapshots";

snapshot_info info_at(std::uint64_t index) {
  return {.cluster = cluster_id(0xc1),
          .group = g1,
          .mark = {log_index(index), term(3), {{node_id(1), node_id(2)}, {}, {node_id(7)}}},
          .created_unix_ms = 1234};
}

std::vector<std::byte> block_of(std::uint64_t n, std::size_t bytes) {
  std::vector<std::byte> b(bytes);
  for (std::size_t i = 0; i < bytes; ++i) b[i] = static_cast<std::byte>(n * 31 + i * 7);
  return b;
}

result<snapshot_file> write_snapshot(file_system& fs, std::uint64_t index, std::uint64_t blocks = 4,
                                     std::size_t bytes = 700) {
  auto w = snapshot_writer::create(fs, snapshots_at, info_at(index));
  if (!w) return w.error();
  for (std::uint64_t n = 0; n < blocks; ++n) {
    const result<void> done = (*w)->append(block_of(n, bytes + n));
    if (!done) return done.error();
  }
  return (*w)->finish();
}

std::string part_path(std::uint64_t group, std::uint64_t index) {
  return join(snapshots_at, snapshot_name(group_id(group), log_index(index), term(3), snapshot_receiving));
}

void check_whole(file_system& fs, const std::string& path, std::uint64_t index, std::uint64_t blocks = 4,
                 std::size_t bytes = 700) {
  auto r = snapshot_reader::open(fs, path);
  REQUIRE_MESSAGE(r.has_value(), r.error().message());
  CHECK((*r)->info() == info_at(index));
  CHECK((*r)->verify().has_value());
  std::vector<std::byte> block;
  for (std::uint64_t n = 0; n < blocks; ++n) {
    const result<bool> more = (*r)->next(block);
    REQUIRE(more.has_value());
    CHECK(*more);
    CHECK(block == block_of(n, bytes + n));
  }
  CHECK(*(*r)->next(block) == false);
}

/// Sends a file's bytes to a receiver in chunks, from where it is.
result<void> transfer(snapshot_reader& from, snapshot_receiver& to, std::size_t chunk,
                      std::uint64_t stop_at = UINT64_MAX) {
  std::vector<std::byte> bytes(chunk);
  while (!to.complete() && to.received() < stop_at) {
    const result<std::size_t> n = from.read_raw(to.received(), bytes);
    if (!n) return n.error();
    const result<void> done = to.write(to.received(), std::span(bytes).first(*n));
    if (!done) return done;
  }
  return {};
}

/// What an installer does once everything arrived, without building anything.
result<snapshot_file> finish(snapshot_receiver& to) {
  const auto reader = to.seal();
  if (!reader) return reader.error();
  for (result<bool> more = true; more && *more;) {
    more = (*reader)->check_on(1);
    if (more) continue;
    to.abandon();
    return more.error();
  }
  return to.publish(**reader);
}

} // namespace

// What is written is read back, and bigger than the writer's buffer.
TEST_CASE("a snapshot is written, published and read back") {
  memory_files disk;
  const auto f = write_snapshot(disk, 10, 5, 400'000);
  REQUIRE(f.has_value());
  CHECK(f->bytes == disk.contents(f->path).size());
  check_whole(disk, f->path, 10, 5, 400'000);
  disk.crash(1, memory_files::loss::everything);
  check_whole(disk, f->path, 10, 5, 400'000);
}

// Every byte counts.
TEST_CASE("every flipped byte of a snapshot is noticed, and an older whole one is used") {
  memory_files whole;
  REQUIRE(write_snapshot(whole, 5).has_value());
  const auto f = write_snapshot(whole, 10);
  REQUIRE(f.has_value());
  for (std::uint64_t at = 0; at < f->bytes; ++at) {
    auto disk = whole.copy();
    disk->flip(f->path, at, std::byte{0x10});
    const auto r = snapshot_reader::open(*disk, f->path);
    if (r) {
      const result<void> verified = (*r)->verify();
      REQUIRE(verified.has_error());
      CHECK(verified.error().code == error_code::corrupt);
      CHECK(verified.error().offset.has_value());
    }
    const auto newest = newest_snapshot(*disk, snapshots_at, g1);
    REQUIRE(newest.has_value());
    REQUIRE(newest->newest.has_value());
    CHECK(newest->newest->info == info_at(5));
    CHECK(newest->damaged.size() == 1);
  }
}

// A snapshot cut at any length is not one.
TEST_CASE("a snapshot that is cut short is refused at every length") {
  memory_files disk;
  const auto f = write_snapshot(disk, 10, 2, 100);
  REQUIRE(f.has_value());
  const std::vector<std::byte> all = disk.contents(f->path);
  for (std::size_t n = 0; n < all.size(); ++n) {
    disk.set_contents(f->path, {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(n)});
    CHECK(snapshot_reader::open(disk, f->path).has_error());
  }
}

// As etcd's clients save it: with padding and a digest behind it.
TEST_CASE("a snapshot with a trailer is the snapshot, and with another end it is none") {
  for (const std::size_t bytes : {1U, 100U, 333U, 511U, 512U, 700U, 2000U, 40'000U}) {
    memory_files disk;
    const auto f = write_snapshot(disk, 10, 2, bytes);
    REQUIRE(f.has_value());
    const std::vector<std::byte> plain = disk.contents(f->path);
    std::vector<std::byte> saved = plain;
    const std::vector<std::byte> padding = snapshot_trailer(saved.size());
    saved.insert(saved.end(), padding.begin(), padding.end());
    CHECK(saved.size() % snapshot_trailer_unit == 0);
    saved.resize(saved.size() + snapshot_digest_bytes, std::byte{0xdd});
    disk.set_contents(f->path, saved);
    check_whole(disk, f->path, 10, 2, bytes);
    CHECK((*snapshot_reader::open(disk, f->path))->bytes() == plain.size());
    for (const std::size_t cut : {1U, 31U, 32U, 33U, 34U, 35U}) {
      disk.set_contents(f->path, {saved.begin(), saved.end() - cut});
      CHECK(snapshot_reader::open(disk, f->path).has_error());
    }
    saved[saved.size() - snapshot_digest_bytes - 1] ^= std::byte{1};
    disk.set_contents(f->path, saved);
    CHECK(snapshot_reader::open(disk, f->path).has_error());
  }
}

// Two whole blocks in another order are not the snapshot.
TEST_CASE("exchanged blocks are noticed") {
  memory_files disk;
  auto w = snapshot_writer::create(disk, snapshots_at, info_at(10));
  REQUIRE((*w)->append(block_of(1, 64)).has_value());
  REQUIRE((*w)->append(block_of(2, 64)).has_value());
  const auto f = (*w)->finish();
  REQUIRE(f.has_value());
  std::vector<std::byte> all = disk.contents(f->path);
  const auto first = all.end() - 40 - 2 * 72;
  std::swap_ranges(first, first + 72, first + 72);
  disk.set_contents(f->path, all);
  CHECK((*snapshot_reader::open(disk, f->path))->verify().error().code == error_code::corrupt);
}

// Raft case 62: at every step of publishing a snapshot, a crash leaves the old one or both.
TEST_CASE("case 62: a crash at every operation of a snapshot leaves a whole one") {
  std::uint64_t operations = 0;
  std::uint64_t fresh = 0;
  {
    memory_files disk;
    REQUIRE(write_snapshot(disk, 5).has_value());
    const std::uint64_t before = disk.count().operations;
    REQUIRE(write_snapshot(disk, 10).has_value());
    operations = disk.count().operations - before;
  }
  REQUIRE(operations >= 5);
  for (std::uint64_t at = 1; at <= operations + 1; ++at)
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      memory_files disk;
      REQUIRE(write_snapshot(disk, 5).has_value());
      const std::uint64_t limit = disk.count().operations + at;
      disk.set_hook([limit](const memory_files::operation& o) {
        return o.changes() && o.number >= limit ? memory_files::fault::freeze : memory_files::fault::none;
      });
      const bool published = write_snapshot(disk, 10).has_value();
      CHECK(published == (at > operations));
      disk.set_hook({});
      disk.crash(seed);
      REQUIRE(remove_unfinished_snapshots(disk, snapshots_at).has_value());
      const auto newest = newest_snapshot(disk, snapshots_at, g1);
      REQUIRE(newest.has_value());
      REQUIRE(newest->newest.has_value());
      CHECK(newest->damaged.empty()); // what has the name is whole
      const std::uint64_t index = newest->newest->info.mark.index.value();
      CHECK((index == 10 || (!published && index == 5)));
      fresh += index == 10 ? 1 : 0;
      check_whole(disk, newest->newest->path, index);
      // Nothing else is left, and it can be tried again.
      CHECK(write_snapshot(disk, 11).has_value());
      const auto removed = remove_snapshots_below(disk, snapshots_at, g1, log_index(11));
      REQUIRE(removed.has_value());
      CHECK(disk.paths().size() == 1);
    }
  CHECK(fresh > 8);
}

// Raft case 62: the same on the side of a node that receives one, where the transfer is resumed.
TEST_CASE("case 62: a crash at every operation of a transfer loses nothing, and the transfer goes on") {
  memory_files source;
  const auto f = write_snapshot(source, 10, 6, 3000);
  REQUIRE(f.has_value());
  for (std::uint64_t at = 1; at <= 20; ++at)
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
      memory_files disk;
      auto reader = snapshot_reader::open(source, f->path);
      disk.set_hook([at](const memory_files::operation& o) {
        return o.changes() && o.number >= at ? memory_files::fault::freeze : memory_files::fault::none;
      });
      const auto receive = [&]() -> result<snapshot_file> {
        auto to = snapshot_receiver::create(disk, snapshots_at, cluster_id(0xc1), g1, log_index(10), term(3), f->bytes);
        if (!to) return to.error();
        const result<void> sent = transfer(**reader, **to, 1500);
        if (!sent) return sent.error();
        return finish(**to);
      };
      result<snapshot_file> got = receive();
      disk.set_hook({});
      disk.crash(seed);
      // What was lost in the middle is found by finish(), and the next try starts anew.
      if (!newest_snapshot(disk, snapshots_at, g1)->newest) {
        got = receive();
        if (!got) {
          CHECK(got.error().code == error_code::corrupt);
          got = receive();
        }
        REQUIRE_MESSAGE(got.has_value(), got.error().message());
      }
      const auto newest = newest_snapshot(disk, snapshots_at, g1);
      REQUIRE(newest->newest.has_value());
      check_whole(disk, newest->newest->path, 10, 6, 3000);
    }
}

// A broken stream costs only what had not arrived.
TEST_CASE("a transfer is resumed where it stopped, and refuses what does not follow") {
  memory_files source;
  memory_files disk;
  const auto f = write_snapshot(source, 10, 6, 3000);
  auto reader = snapshot_reader::open(source, f->path);
  const auto create = [&] {
    return snapshot_receiver::create(disk, snapshots_at, cluster_id(0xc1), g1, log_index(10), term(3), f->bytes);
  };
  {
    auto to = create();
    REQUIRE(transfer(**reader, **to, 1000, 5000).has_value());
    CHECK((*to)->received() == 5000);
    CHECK(finish(**to).error().code == error_code::corrupt);
  }
  auto to = create();
  CHECK((*to)->received() == 5000);
  const std::vector<std::byte> chunk(100);
  CHECK((*to)->write(6000, chunk).error().code == error_code::corrupt);
  CHECK((*to)->write(4000, chunk).has_value()); // a repetition
  REQUIRE(transfer(**reader, **to, 1000).has_value());
  REQUIRE(finish(**to).has_value());
  CHECK((*to)->write(0, chunk).error().code == error_code::stopped);
}

// A snapshot of another cluster must never be installed.
TEST_CASE("a received snapshot of another cluster, group, index or term is refused and removed") {
  memory_files source;
  const auto f = write_snapshot(source, 10);
  auto reader = snapshot_reader::open(source, f->path);
  const auto receive = [&](std::uint64_t cluster, std::uint64_t group, std::uint64_t index, std::uint64_t t) {
    memory_files disk;
    auto to = snapshot_receiver::create(disk, snapshots_at, cluster_id(cluster), group_id(group), log_index(index),
                                        term(t), f->bytes);
    REQUIRE(transfer(**reader, **to, 1000).has_value());
    const auto got = finish(**to);
    CHECK(disk.paths().size() == (got ? 1 : 0));
    return got ? error_code::none : got.error().code;
  };
  CHECK(receive(0xc1, 1, 10, 3) == error_code::none);
  CHECK(receive(0xc2, 1, 10, 3) == error_code::foreign);
  CHECK(receive(0xc1, 2, 10, 3) == error_code::foreign);
  CHECK(receive(0xc1, 1, 11, 3) == error_code::foreign);
  CHECK(receive(0xc1, 1, 10, 4) == error_code::foreign);
}

// A full disk is told apart from a failed one, and the half-written file goes away.
TEST_CASE("a snapshot on a full volume is no_space and leaves nothing behind") {
  memory_files disk;
  REQUIRE(write_snapshot(disk, 5).has_value());
  disk.set_capacity(disk.used_bytes() + 2000);
  const auto f = write_snapshot(disk, 10, 4, 3000);
  REQUIRE(f.has_error());
  CHECK(f.error().code == error_code::no_space);
  CHECK(disk.paths().size() == 1);

  memory_files source;
  const auto sent = write_snapshot(source, 20, 4, 3000);
  auto reader = snapshot_reader::open(source, sent->path);
  auto to = snapshot_receiver::create(disk, snapshots_at, cluster_id(0xc1), g1, log_index(20), term(3), sent->bytes);
  const result<void> done = transfer(**reader, **to, 1000);
  REQUIRE(done.has_error());
  CHECK(done.error().code == error_code::no_space);
  CHECK(disk.paths().size() == 1);
}

// A failed sync publishes nothing.
TEST_CASE("a snapshot whose sync fails is not published") {
  memory_files disk;
  disk.set_hook([](const memory_files::operation& o) {
    return o.call == memory_files::call::sync ? memory_files::fault::io : memory_files::fault::none;
  });
  CHECK(write_snapshot(disk, 10).error().code == error_code::io);
  CHECK_FALSE(newest_snapshot(disk, snapshots_at, g1)->newest.has_value());
}

// A crash cut the file in the middle of a chunk: the sender, who starts over, must get past that.
TEST_CASE("a received snapshot that was cut within a chunk is resumed by the chunk that overlaps it") {
  memory_files source;
  const auto f = write_snapshot(source, 10);
  auto reader = snapshot_reader::open(source, f->path);
  memory_files disk;
  const auto create = [&] {
    return snapshot_receiver::create(disk, snapshots_at, cluster_id(0xc1), g1, log_index(10), term(3), f->bytes);
  };
  std::vector<std::byte> whole(f->bytes);
  REQUIRE((*reader)->read_raw(0, whole).value() == whole.size());
  {
    auto to = create();
    REQUIRE((*to)->write(0, std::span(whole).first(700)).has_value());
  }
  auto to = create();
  CHECK((*to)->received() == 700);
  REQUIRE((*to)->write(0, std::span(whole).first(1000)).has_value());
  CHECK((*to)->received() == 1000);
  CHECK((*to)->write(1001, std::span(whole).subspan(1001)).error().code == error_code::corrupt);
  REQUIRE((*to)->write(500, std::span(whole).subspan(500)).has_value());
  REQUIRE(finish(**to).has_value());
}

// After a sync that failed the next one succeeds while the bytes are lost: what arrived must not be resumed.
TEST_CASE("a received snapshot whose sync fails once starts anew, and survives the power cut after it is published") {
  memory_files source;
  const auto f = write_snapshot(source, 10);
  auto reader = snapshot_reader::open(source, f->path);
  memory_files disk;
  const auto create = [&] {
    return snapshot_receiver::create(disk, snapshots_at, cluster_id(0xc1), g1, log_index(10), term(3), f->bytes);
  };
  {
    auto to = create();
    REQUIRE(transfer(**reader, **to, 1000).has_value());
    disk.set_hook([](const memory_files::operation& o) {
      return o.call == memory_files::call::sync ? memory_files::fault::io : memory_files::fault::none;
    });
    CHECK(finish(**to).error().code == error_code::io);
    disk.set_hook({});
  }
  auto to = create();
  CHECK((*to)->received() == 0);
  REQUIRE(transfer(**reader, **to, 1000).has_value());
  REQUIRE(finish(**to).has_value());
  disk.crash(1);
  CHECK(newest_snapshot(disk, snapshots_at, g1)->newest.has_value());
}

// Each broken transfer would leave its file for ever.
TEST_CASE("a group has at most one unfinished transfer: another one's beginning removes what the last one left") {
  memory_files disk;
  const auto begin = [&](std::uint64_t group, std::uint64_t index) {
    auto to = snapshot_receiver::create(disk, snapshots_at, cluster_id(0xc1), group_id(group), log_index(index),
                                        term(3), 5000);
    REQUIRE(to.has_value());
    CHECK((*to)->write(0, block_of(index, 1000)).has_value());
  };
  begin(1, 10);
  begin(2, 11);
  begin(1, 20);
  CHECK(disk.paths() == std::vector{part_path(1, 20), part_path(2, 11)});
  begin(1, 10); // of an older leader: what arrived of the other one is not what it sends
  CHECK(disk.paths() == std::vector{part_path(1, 10), part_path(2, 11)});
}

// What the log or a snapshot has passed will not be asked for again.
TEST_CASE("an unfinished transfer goes away with the snapshots below one that is taken, or when it is of that index") {
  memory_files disk;
  const std::vector<std::byte> some(100);
  for (const std::uint64_t index : {9, 10, 11}) disk.set_contents(part_path(1, index), some);
  disk.set_contents(part_path(2, 9), some);
  REQUIRE(write_snapshot(disk, 10).has_value());
  CHECK(*remove_snapshots_below(disk, snapshots_at, g1, log_index(10)) == 0);
  CHECK(disk.paths().size() == 3);
  CHECK(disk.paths().front() == snapshots_at + "/" + snapshot_name(g1, log_index(10), term(3), snapshot_published));
  CHECK(disk.contents(part_path(1, 11)) == some);
  CHECK(disk.contents(part_path(2, 9)) == some);
}

// An earlier version may have left many, and a crash comes before any removal.
TEST_CASE("at start the newest unfinished transfer of each group stays, if it is beyond the published snapshots") {
  memory_files disk;
  const std::vector<std::byte> some(100);
  for (const std::uint64_t index : {5, 10, 11, 12}) disk.set_contents(part_path(1, index), some);
  for (const std::uint64_t index : {5, 10}) disk.set_contents(part_path(2, index), some);
  REQUIRE(write_snapshot(disk, 4).has_value());
  REQUIRE(write_snapshot(disk, 10).has_value());
  REQUIRE(remove_unfinished_snapshots(disk, snapshots_at).has_value());
  std::vector<std::string> left = disk.paths();
  CHECK(std::erase_if(left, [](const std::string& p) { return p.ends_with(snapshot_published); }) == 2);
  CHECK(left == std::vector{part_path(1, 12), part_path(2, 10)});
}

// The log's next sync may have to wait for all that is in the cache.
TEST_CASE("a large snapshot is never in the cache alone, neither written nor received") {
  std::uint64_t dirty = 0;
  std::uint64_t most = 0;
  const auto watch = [&](const memory_files::operation& o) {
    if (o.call == memory_files::call::write) most = std::max(most, dirty += o.bytes);
    if (o.call == memory_files::call::sync) dirty = 0;
    return memory_files::fault::none;
  };
  memory_files source;
  source.set_hook(watch);
  const auto f = write_snapshot(source, 10, 10, snapshot_block_max - 100);
  REQUIRE(f.has_value());
  CHECK(most >= snapshot_sync_bytes);
  CHECK(most < snapshot_sync_bytes + snapshot_block_max + 1000);
  source.set_hook({});

  dirty = most = 0;
  memory_files disk;
  disk.set_hook(watch);
  auto reader = snapshot_reader::open(source, f->path);
  auto to = snapshot_receiver::create(disk, snapshots_at, cluster_id(0xc1), g1, log_index(10), term(3), f->bytes);
  REQUIRE(transfer(**reader, **to, 65536).has_value());
  CHECK(most >= snapshot_sync_bytes);
  CHECK(most < snapshot_sync_bytes + 65536);
  CHECK(finish(**to).has_value());
}

// A sender does not read all of a large snapshot before its first chunk: the receiver checks every byte.
TEST_CASE("the newest snapshot whose header and footer are whole is opened, and nothing else of it is read") {
  memory_files disk;
  CHECK(open_newest_snapshot(disk, snapshots_at, g1).error().code == error_code::not_found);
  REQUIRE(write_snapshot(disk, 5).has_value());
  const auto f = write_snapshot(disk, 10, 4, 100'000);
  std::uint64_t read = 0;
  disk.set_hook([&](const memory_files::operation& o) {
    if (o.call == memory_files::call::read) read += o.bytes;
    return memory_files::fault::none;
  });
  disk.flip(f->path, 1000); // within a block
  auto opened = open_newest_snapshot(disk, snapshots_at, g1);
  REQUIRE(opened.has_value());
  CHECK((*opened)->info() == info_at(10));
  CHECK(read < 1000);
  CHECK((*opened)->check_on(f->bytes).error().code == error_code::corrupt);

  disk.flip(f->path, f->bytes - 1);
  opened = open_newest_snapshot(disk, snapshots_at, g1);
  REQUIRE(opened.has_value());
  CHECK((*opened)->info() == info_at(5));
  disk.flip((*opened)->path(), 20);
  CHECK(open_newest_snapshot(disk, snapshots_at, g1).error().code == error_code::corrupt);
}

// For `quorumd inspect snapshot`.
TEST_CASE("inspection lists a snapshot's blocks, and names damage") {
  memory_files disk;
  const auto f = write_snapshot(disk, 10, 3, 100);
  std::vector<inspected> seen;
  REQUIRE(inspect_snapshot(disk, f->path, [&](const inspected& i) { seen.push_back(i); }).has_value());
  REQUIRE(seen.size() == 5);
  CHECK(seen.front().text.find("index 10 term 3") != std::string::npos);
  CHECK(seen.back().text == "whole: 3 blocks");
  disk.flip(f->path, f->bytes - 60);
  seen.clear();
  REQUIRE(inspect_snapshot(disk, f->path, [&](const inspected& i) { seen.push_back(i); }).has_value());
  CHECK(seen.back().kind == inspected_kind::problem);
}

} // namespace quorumd::storage::test
