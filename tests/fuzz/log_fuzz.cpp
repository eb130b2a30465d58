// The segments of a log, damaged in any way: recovered, or refused with a place. The first byte says whether checksums
// are made to hold again, so that what stands behind them is read too.
#include "consensus/storage/wal_format.hpp"
#include "consensus/storage/wal_recovery.hpp"
#include "consensus/types/crc32c.hpp"
#include "consensus/types/invariant.hpp"
#include "consensus/types/little_endian.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/support/memory_files.hpp"

#include <algorithm>
#include <vector>

using namespace quorumd;

namespace {

constexpr std::size_t segment_bytes = 16384;

/// The checksum of a segment's header is at 12, of a batch's at 4; each is of the rest.
void repair(std::vector<std::byte>& segment) {
  if (segment.size() < storage::block_bytes) return;
  const std::span<std::byte> head = std::span(segment).first(storage::block_bytes);
  store_le(head.data() + 12, crc32c(head.subspan(16), crc32c(head.first(12))));
  for (std::size_t at = storage::block_bytes; at + storage::block_bytes <= segment.size();) {
    const std::span<std::byte> rest = std::span(segment).subspan(at);
    const auto header = storage::peek_batch_header(rest);
    if (!header) return;
    const std::uint64_t padded = storage::batch_bytes(header->length);
    if (padded > rest.size()) return;
    store_le(rest.data() + 4, crc32c(rest.subspan(8, static_cast<std::size_t>(padded) - 8)));
    at += static_cast<std::size_t>(padded);
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input in(data, size);
  const bool repaired = in.byte() % 2 == 0;
  testing::memory_files files;
  QUORUMD_INVARIANT(files.make_directory("/data/wal").has_value(), "a directory can be made");
  for (std::uint64_t sequence = 1; sequence <= 4 && !in.empty(); ++sequence) {
    const auto bytes = in.take(segment_bytes);
    std::vector<std::byte> segment(bytes.begin(), bytes.end());
    segment.resize(segment_bytes);
    if (repaired) repair(segment);
    files.set_contents("/data/wal/" + storage::segment_name(sequence), std::move(segment));
  }
  const auto read = storage::read_log(files, "/data/wal", {});
  if (!read) QUORUMD_INVARIANT(!read.error().message().empty(), "a refusal has a message");
  return 0;
}
