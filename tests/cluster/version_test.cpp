#include "consensus/storage/wal_format.hpp"
#include "consensus/types/crc32c.hpp"
#include "consensus/types/little_endian.hpp"
#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace quorumd;
using namespace quorumd::testing;

namespace {

std::vector<std::byte> read_bytes(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

/// Gives every entry of the node's log whose payload holds the words another kind, with checksums that hold: as if a
/// member of a later version had written it. How many there were.
int change_kind(const std::string& data, const std::string& words, std::uint16_t kind) {
  int changed = 0;
  for (const auto& file : std::filesystem::directory_iterator(data + "/wal")) {
    if (!storage::parse_segment_name(file.path().filename().string())) continue;
    std::vector<std::byte> bytes = read_bytes(file.path());
    const auto needle = std::as_bytes(std::span(words));
    for (std::size_t block = storage::block_bytes; block < bytes.size(); block += storage::block_bytes) {
      const auto head = storage::peek_batch_header(std::span(bytes).subspan(block));
      if (!head || block + storage::batch_bytes(head->length) > bytes.size()) continue;
      const std::span<std::byte> batch = std::span(bytes).subspan(block, storage::batch_bytes(head->length));
      if (!storage::batch_checksum_holds(batch)) continue;
      for (std::size_t at = 0; at + entry_header_bytes < batch.size(); at += 8) {
        const std::span<std::byte> rest = batch.subspan(at);
        const auto header = read_entry_header(rest);
        if (!header || entry_encoded_bytes(header->payload_bytes) > rest.size()) continue;
        const auto payload = rest.subspan(entry_header_bytes, header->payload_bytes);
        if (std::search(payload.begin(), payload.end(), needle.begin(), needle.end()) == payload.end()) continue;
        store_le<std::uint16_t>(rest.data() + 2, kind);
        store_le<std::uint32_t>(rest.data() + 36, crc32c(rest.first(36)));
        ++changed;
      }
      store_le<std::uint32_t>(batch.data() + 4, crc32c(batch.subspan(8)));
    }
    std::ofstream out(file.path(), std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  return changed;
}

} // namespace

// A member of a later version wrote an entry that this one does not know: it ends with a code of its own, and says
// which entry and what to do, instead of passing it over. A version that knows it goes on with everything that was
// there.
TEST_CASE("an entry of a later version ends the daemon with a code of its own") {
  cluster c("version_entry", {.nodes = 1, .set = {"storage.segment_bytes=4MiB", "storage.reserve_bytes=4MiB"}});
  c.start(0);
  c.wait_healthy(0);
  REQUIRE(c.anywhere({"put", "before", "1"}).code == 0);
  REQUIRE(c.anywhere({"put", "later", "a value of a later version"}).code == 0);
  REQUIRE(c.anywhere({"put", "after", "2"}).code == 0);
  REQUIRE(c.stop(0) == 0);

  REQUIRE(change_kind(c.data(0), "a value of a later version", 9) > 0);
  for (int start = 0; start < 2; ++start) {
    c.start(0);
    REQUIRE(c.node(0).wait(seconds(20)) == 76);
    REQUIRE(c.logged(0, "was written by another version of quorumd"));
    REQUIRE(c.logged(0, "it is of the unknown kind 9"));
  }

  REQUIRE(change_kind(c.data(0), "a value of a later version", 1) > 0);
  c.start(0);
  c.wait_healthy(0);
  REQUIRE(c.anywhere({"get", "later"}).output == "a value of a later version\n");
  REQUIRE(c.anywhere({"get", "after"}).output == "2\n");
}
