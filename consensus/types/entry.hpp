#pragma once

#include "consensus/types/chunk.hpp"
#include "consensus/types/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace quorumd {

/// What a log entry is for. An entry may be of a kind of a later version: it is kept and passed on, and whoever comes
/// to apply it stops.
enum class entry_kind : std::uint16_t {
  leader_start = 0,  ///< the entry of its own term that a new leader appends (paper §8); no payload
  command = 1,       ///< an encoded command of the state machine
  configuration = 2, ///< incarnations of members, for the record
  members = 3,       ///< who the members are from here on (configuration.hpp), counting from when it is appended
  withheld = 4,      ///< in the log of a witness: a command stands here, which it does not hold; no payload
};

/// The portable header in front of each payload, little-endian, 40 bytes: the same in every node's log and in every
/// append. docs/disk-format.md describes it.
///   0 version u16 | 2 kind u16 | 4 payload bytes u32 | 8 group u64 | 16 term u64 | 24 index u64
///   32 CRC-32C of the payload u32 | 36 CRC-32C of bytes 0 to 36 u32
inline constexpr std::size_t entry_header_bytes = 40;
inline constexpr std::uint16_t entry_version = 2; ///< 1 held commands without an envelope
/// The largest payload of one entry.
inline constexpr std::size_t entry_payload_max = std::size_t{2} * 1024 * 1024;

/// The bytes an entry with that payload takes: header and payload, padded to 8.
[[nodiscard]] constexpr std::size_t entry_encoded_bytes(std::size_t payload_bytes) {
  return (entry_header_bytes + payload_bytes + 7) & ~std::size_t{7};
}

/// One entry of a group's log: a view of its portable bytes that keeps their chunk alive. Cheap to copy.
class entry {
 public:
  entry() = default;

  [[nodiscard]] quorumd::term term() const { return term_; }
  [[nodiscard]] log_index index() const { return index_; }
  [[nodiscard]] entry_kind kind() const { return kind_; }
  [[nodiscard]] std::span<const std::byte> payload() const { return {data_ + entry_header_bytes, payload_bytes_}; }
  /// Header, payload and padding, as they stand in every log and frame.
  [[nodiscard]] std::span<const std::byte> encoded() const { return {data_, entry_encoded_bytes(payload_bytes_)}; }

  /// A new entry with its own chunk: for the core's own entries and for tests.
  [[nodiscard]] static entry make(group_id group, quorumd::term term, log_index index, entry_kind kind,
                                  std::span<const std::byte> payload);

  enum class parse_error : std::uint8_t {
    truncated,
    version,
    length,
    header_checksum,
    payload_checksum,
    number,
    group
  };
  struct parsed; // an entry or why there is none
  /// Reads the entry at the front of the bytes, which lie in the chunk, without copying. The entry must belong to
  /// the group. The payload's checksum is compared as well.
  [[nodiscard]] static parsed parse(chunk_ref chunk, std::span<const std::byte> bytes, group_id group);

 private:
  friend class proposal;
  chunk_ref chunk_;
  const std::byte* data_ = nullptr;
  std::uint32_t payload_bytes_ = 0;
  entry_kind kind_ = entry_kind::leader_start;
  quorumd::term term_;
  log_index index_;
};

struct entry::parsed {
  std::optional<entry> value;
  parse_error error = parse_error::truncated;
};

/// What the error means, in words.
[[nodiscard]] const char* describe(entry::parse_error error);

/// The fields of a portable header, readable without the payload: for tools and recovery.
struct entry_header {
  std::uint16_t version = 0;
  entry_kind kind = entry_kind::leader_start;
  std::uint32_t payload_bytes = 0;
  group_id group;
  quorumd::term term;
  log_index index;
  std::uint32_t payload_crc = 0;
};
/// The header at the front of the bytes; nothing if they are too few or its checksum does not hold.
[[nodiscard]] std::optional<entry_header> read_entry_header(std::span<const std::byte> bytes);

/// A command that has its bytes and their checksum, but no place in a log yet: room for the header is kept in front
/// of the payload. Whoever accepts a command makes one; the leader seals it.
class proposal {
 public:
  proposal() = default;
  /// Room for a payload of that size; the caller fills payload() and then calls finish() once.
  proposal(chunk_arena& arena, std::size_t payload_bytes, entry_kind kind = entry_kind::command);

  [[nodiscard]] std::span<std::byte> payload() { return {data_ + entry_header_bytes, payload_bytes_}; }
  [[nodiscard]] std::span<const std::byte> payload() const { return {data_ + entry_header_bytes, payload_bytes_}; }
  /// Takes the payload's checksum and clears the padding.
  void finish();
  /// Writes the header in place and gives the entry; once.
  [[nodiscard]] entry seal(group_id group, quorumd::term term, log_index index) &&;

  [[nodiscard]] std::size_t encoded_bytes() const { return entry_encoded_bytes(payload_bytes_); }
  [[nodiscard]] entry_kind kind() const { return kind_; }
  /// What keeps the payload's bytes.
  [[nodiscard]] const chunk_ref& chunk() const { return chunk_; }

 private:
  chunk_ref chunk_;
  std::byte* data_ = nullptr;
  std::uint32_t payload_bytes_ = 0;
  std::uint32_t payload_crc_ = 0;
  entry_kind kind_ = entry_kind::command;
};

} // namespace quorumd
