#include "daemon/node/snapshot_chunks.hpp"

#include "tests/support/memory_files.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

using namespace quorumd;
using namespace quorumd::node;
using quorumd::testing::memory_files;

namespace {

const storage::snapshot_info packed_info{
    .cluster = cluster_id(1),
    .group = group_id(1),
    .mark = {.index = log_index(3), .term = term(1), .members = {.voters = {node_id(1)}}},
    .created_unix_ms = 0};
constexpr std::size_t chunk_bytes = 8192;

/// A file whose first half is the same word over and over, and whose second half is noise.
std::string make_file(memory_files& files) {
  std::mt19937_64 random(1); // NOLINT: the same on every run
  std::vector<std::byte> block(65536);
  auto writer = storage::snapshot_writer::create(files, "/from", packed_info);
  REQUIRE(writer.has_value());
  for (int i = 0; i < 4; ++i) {
    for (std::size_t at = 0; at < block.size(); ++at)
      block[at] = static_cast<std::byte>(i < 2 ? "sensor-4711 "[at % 12] : static_cast<char>(random()));
    REQUIRE((*writer)->append(block).has_value());
  }
  const auto file = (*writer)->finish();
  REQUIRE(file.has_value());
  return file->path;
}

struct transfer {
  explicit transfer(memory_files& all)
      : files(all)
      , path(make_file(all))
      , reader(storage::snapshot_reader::open(all, path).value()) {}

  std::unique_ptr<storage::snapshot_receiver> receiver() {
    auto r = storage::snapshot_receiver::create(files, "/to", packed_info.cluster, packed_info.group,
                                                packed_info.mark.index, packed_info.mark.term, reader->bytes());
    REQUIRE(r.has_value());
    return std::move(*r);
  }
  wire::snapshot_chunk chunk_at(std::uint64_t offset, bool packed) {
    std::optional<wire::chunk_packer> none;
    auto part = read_part(*reader, offset, chunk_bytes, packed ? packer : none);
    REQUIRE(part.has_value());
    wire::snapshot_chunk c;
    c.offset = offset;
    c.packed_of = part->packed ? part->file_bytes : 0;
    c.bytes = part->bytes;
    return c;
  }

  memory_files& files;
  const std::string path;
  std::unique_ptr<storage::snapshot_reader> reader;
  std::optional<wire::chunk_packer> packer{std::in_place};
  wire::chunk_unpacker unpacker;
};

} // namespace

// A transfer that was packed may go on with one that is not, and the other way round, from wherever it was.
TEST_CASE("a file arrives as it was, however its chunks travel and whoever goes on with it") {
  memory_files files;
  transfer t(files);
  std::size_t packed = 0;
  std::size_t wire_bytes = 0;
  for (bool packs = true, complete = false; !complete; packs = !packs) {
    const auto receiver = t.receiver(); // finds what arrived
    for (int i = 0; i < 3 && !receiver->complete(); ++i) {
      const wire::snapshot_chunk c = t.chunk_at(receiver->received(), packs);
      packed += c.packed_of != 0 ? 1 : 0;
      wire_bytes += c.bytes.bytes.size();
      REQUIRE(write_chunk(*receiver, t.unpacker, c).has_value());
    }
    complete = receiver->complete();
    if (!complete) continue;
    auto sealed = receiver->seal();
    REQUIRE(sealed.has_value());
    CHECK((*sealed)->verify().has_value());
    CHECK(files.contents((*sealed)->path()) == files.contents(t.path));
  }
  CHECK(packed > 4); // of the first half every other three
  CHECK(wire_bytes < t.reader->bytes() * 4 / 5);
}

TEST_CASE("what makes no chunk smaller is sent as it is") {
  memory_files files;
  transfer t(files);
  CHECK(t.chunk_at(16384, true).packed_of == chunk_bytes);
  CHECK(t.chunk_at(16384, false).packed_of == 0);
  CHECK(t.chunk_at(196608, true).packed_of == 0); // noise
  CHECK(t.chunk_at(196608, true).bytes.bytes.size() == chunk_bytes);
}

TEST_CASE("a chunk that cannot be unpacked is corrupt, and leaves the file as it was") {
  memory_files files;
  transfer t(files);
  const auto receiver = t.receiver();
  REQUIRE(write_chunk(*receiver, t.unpacker, t.chunk_at(0, true)).has_value());
  wire::snapshot_chunk bad = t.chunk_at(chunk_bytes, true);
  std::vector<std::byte> damaged(bad.bytes.bytes.begin(), bad.bytes.bytes.end());
  damaged[damaged.size() / 2] ^= std::byte{1};
  bad.bytes.bytes = damaged;
  const auto refused = write_chunk(*receiver, t.unpacker, bad);
  REQUIRE(refused.has_error());
  CHECK(refused.error().code == storage::error_code::corrupt);
  CHECK(refused.error().message().find("offset 8192") != std::string::npos);
  CHECK(receiver->received() == chunk_bytes);
  CHECK(write_chunk(*receiver, t.unpacker, t.chunk_at(chunk_bytes, true)).has_value());
}

TEST_CASE("a file that ends where more of it is wanted is corrupt") {
  memory_files files;
  transfer t(files);
  const auto part = read_part(*t.reader, t.reader->bytes(), chunk_bytes, t.packer);
  REQUIRE(part.has_error());
  CHECK(part.error().code == storage::error_code::corrupt);
}
