#pragma once

#include "consensus/types/configuration.hpp"
#include "consensus/types/entry.hpp"
#include "consensus/types/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// The bytes of the log. docs/disk-format.md is the page that describes them.
namespace quorumd::storage {

inline constexpr std::size_t block_bytes = 4096;
inline constexpr std::uint32_t wal_format_version = 3; ///< 1 and 2 hold entries of version 1

[[nodiscard]] constexpr std::uint64_t padded_to_block(std::uint64_t bytes) {
  return (bytes + block_bytes - 1) / block_bytes * block_bytes;
}

/// A sequence as it stands in names: 16 hexadecimal digits.
[[nodiscard]] std::string sequence_digits(std::uint64_t sequence);
[[nodiscard]] std::optional<std::uint64_t> parse_sequence(std::string_view digits);
/// The name of a segment's file: its sequence, `.log`.
[[nodiscard]] std::string segment_name(std::uint64_t sequence);
[[nodiscard]] std::optional<std::uint64_t> parse_segment_name(std::string_view name);
/// The file that holds the reserve.
inline constexpr const char* reserve_name = "reserve";

/// The first block of a segment.
struct segment_header {
  std::uint64_t id = 0;           ///< random: no batch of the file's earlier life carries it
  std::uint64_t sequence = 0;     ///< dense; also the file's name
  std::uint64_t oldest = 0;       ///< no segment below this sequence is needed
  std::uint64_t first_number = 0; ///< of the segment's first batch
  std::uint64_t previous_id = 0;  ///< of the segment before; 0 for none
  std::uint64_t previous_end = 0; ///< where that one ends: every batch of it before is durable, none after counts
};

void encode(const segment_header& h, std::span<std::byte, block_bytes> into,
            std::uint32_t version = wal_format_version);

enum class header_state : std::uint8_t { good, not_a_header, other_version };
struct parsed_segment_header {
  header_state state = header_state::not_a_header;
  segment_header header;
  std::uint32_t version = 0;
};
[[nodiscard]] parsed_segment_header parse_segment_header(std::span<const std::byte> block);

/// In front of the records of one batch.
struct batch_header {
  std::uint64_t segment_id = 0;
  std::uint64_t number = 0;  ///< dense over all segments
  std::uint64_t durable = 0; ///< every batch up to this number was known durable when this one was written
  std::uint32_t length = 0;  ///< bytes of the records
  std::uint32_t records = 0;
};
inline constexpr std::size_t batch_header_bytes = 40;

/// The bytes that a batch with that many bytes of records takes.
[[nodiscard]] constexpr std::uint64_t batch_bytes(std::uint64_t records_bytes) {
  return padded_to_block(batch_header_bytes + records_bytes);
}
/// What the bytes claim to be, before any checksum; nothing if they do not begin like a batch.
[[nodiscard]] std::optional<batch_header> peek_batch_header(std::span<const std::byte> bytes);
/// Whether the checksum of the whole padded batch holds.
[[nodiscard]] bool batch_checksum_holds(std::span<const std::byte> padded);

// --- records ----------------------------------------------------------------------------------------------------

enum class record_kind : std::uint16_t {
  opening = 1,
  hard_state = 2,
  install = 3,
  entries = 4,
  commit = 5,
  prefix = 6,
  moved = 7,
};

/// A group as it stood when the segment was opened.
struct opening_record {
  hard_state hard;
  log_index commit;
  snapshot_mark start;
  snapshot_mark snapshot;
};
struct hard_record {
  hard_state hard;
};
/// The log starts anew after the mark.
struct install_record {
  snapshot_mark mark;
};
struct entries_record {
  log_index first;
  std::uint32_t count = 0;
  std::span<const std::byte> bytes; ///< portable entries, one after the other
};
struct commit_record {
  log_index index;
};
/// Everything up to the mark is covered by a snapshot; the kept log begins after (start, start_term).
struct prefix_record {
  log_index start;
  quorumd::term start_term;
  snapshot_mark mark;
};
/// Entries that the log has, once more, so that the segment where they stood is not needed for them any longer.
struct moved_record {
  entries_record entries;
};
using record_body = std::variant<opening_record, hard_record, install_record, entries_record, commit_record,
                                 prefix_record, moved_record>;
struct record {
  group_id group;
  record_body body;
  std::span<const std::byte> encoded; ///< header and body
};

/// Walks over the records of one batch.
class record_reader {
 public:
  explicit record_reader(std::span<const std::byte> records)
      : rest_(records) {}
  /// The next record; nothing at the end, or when problem() says what is wrong.
  [[nodiscard]] std::optional<record> next();
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  std::span<const std::byte> rest_;
  std::string problem_;
};

/// Builds one batch in a buffer that keeps its memory. Order: begin(), for a new segment header(), records, finish().
class batch_builder {
 public:
  void begin();
  void add_opening(group_id g, const opening_record& r);
  void add_hard_state(group_id g, const hard_state& h);
  void add_install(group_id g, const snapshot_mark& m);
  void add_entries(group_id g, std::span<const entry> entries);
  /// Encoded entries, one after the other, as they stand in the log.
  void add_moved(group_id g, log_index first, std::uint32_t count, std::span<const std::byte> entries);
  void add_commit(group_id g, log_index i);
  void add_prefix(group_id g, const prefix_record& r);
  /// A record of another batch, as it is.
  void add_encoded(std::span<const std::byte> record);

  /// Bytes of records so far.
  [[nodiscard]] std::size_t records_bytes() const { return used_ - records_at; }
  [[nodiscard]] bool empty() const { return records_ == 0; }
  /// Puts header and checksum in front, and zeros behind. With a segment header the bytes begin with its block.
  [[nodiscard]] std::span<const std::byte> finish(const batch_header& numbers, const segment_header* opening);
  /// The records as they stand in the finished batch.
  [[nodiscard]] std::span<const std::byte> records() const { return {buffer_.data() + records_at, records_bytes()}; }
  /// Where the records begin behind the batch's own beginning.
  static constexpr std::size_t records_offset = batch_header_bytes;

 private:
  /// The segment's header block comes first in the buffer, used or not.
  static constexpr std::size_t batch_at = block_bytes;
  static constexpr std::size_t records_at = batch_at + batch_header_bytes;
  [[nodiscard]] std::byte* grow(std::size_t bytes);
  [[nodiscard]] std::byte* add(record_kind kind, group_id g, std::size_t body_bytes);
  [[nodiscard]] std::byte* add_entries_head(record_kind kind, group_id g, log_index first, std::uint32_t count,
                                            std::size_t bytes);

  std::vector<std::byte> buffer_;
  std::size_t used_ = records_at;
  std::uint32_t records_ = 0;
};

/// The bytes that the records of these parts take at most.
[[nodiscard]] std::size_t entries_bytes(std::span<const entry> entries);

} // namespace quorumd::storage
