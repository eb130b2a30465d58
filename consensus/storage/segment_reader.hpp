#pragma once

#include "consensus/storage/file.hpp"
#include "consensus/storage/wal_format.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace quorumd::storage {

/// Reads one segment's file from front to back without holding more than a window of it in memory. For recovery and
/// for tools; it never changes anything.
class segment_reader {
 public:
  [[nodiscard]] static result<std::unique_ptr<segment_reader>> open(file_system& fs, const std::string& path);

  [[nodiscard]] const std::string& path() const { return file_->path(); }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] const parsed_segment_header& header() const { return header_; }

  /// Which batch is expected: of that segment, with that number. Nothing: any.
  struct expected {
    std::optional<std::uint64_t> segment_id;
    std::optional<std::uint64_t> number;
    bool whole = true; ///< its checksum holds
  };
  enum class found : std::uint8_t {
    good,
    nothing, ///< zeros, or the end of the file
    stale,   ///< of the file's earlier life: another segment's
    damaged, ///< something that is not a whole batch
  };
  struct batch {
    segment_reader::found state = found::nothing;
    batch_header header;
    std::span<const std::byte> records; ///< valid until the next call
    std::uint64_t padded = 0;           ///< bytes in the file
    std::string why;                    ///< what stands there, unless it is good
  };
  [[nodiscard]] result<batch> read(std::uint64_t offset, const expected& e);

  /// Looks from the offset on for a whole batch of that segment which says that batch `number` was durable when it was
  /// written; where. Only the segment's own id makes a proof: what a client wrote, in this life of the file or an
  /// earlier one, may look like any batch.
  [[nodiscard]] result<std::optional<std::uint64_t>> find_proof(std::uint64_t offset, std::uint64_t segment_id,
                                                                std::uint64_t number);
  /// The same for a segment whose header is lost: the first batch, which stands where no client's bytes ever did, must
  /// be whole and be batch `number` (nothing: any), and names the id; whether a later one says that it was durable.
  [[nodiscard]] result<std::optional<std::uint64_t>> find_proof_without_header(std::optional<std::uint64_t> number);

  /// The first entry whose header is whole between the offsets: names what a damaged stretch concerns.
  [[nodiscard]] result<std::optional<entry_header>> find_entry(std::uint64_t from, std::uint64_t to);

 private:
  segment_reader(std::unique_ptr<file> f, std::uint64_t bytes)
      : file_(std::move(f))
      , bytes_(bytes) {}
  /// The bytes from the offset on, fewer at the end of the file.
  [[nodiscard]] result<std::span<const std::byte>> view(std::uint64_t offset, std::size_t bytes);

  std::unique_ptr<file> file_;
  std::uint64_t bytes_;
  parsed_segment_header header_;
  std::vector<std::byte> window_;
  std::uint64_t window_at_ = 0;
  std::size_t window_bytes_ = 0;
};

} // namespace quorumd::storage
