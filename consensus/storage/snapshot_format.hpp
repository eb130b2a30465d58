#pragma once

#include "consensus/storage/snapshot_file.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// The bytes of a snapshot file. docs/disk-format.md is the page that describes them.
namespace quorumd::storage {

inline constexpr std::uint32_t snapshot_format_version = 2; ///< 1 has blocks without sections
inline constexpr std::size_t snapshot_header_bytes_min = 72;
inline constexpr std::size_t snapshot_header_bytes_max = std::size_t{64} * 1024;
inline constexpr std::size_t snapshot_block_head_bytes = 8;
inline constexpr std::size_t snapshot_footer_bytes = 40;

[[nodiscard]] std::vector<std::byte> encode_snapshot_header(const snapshot_info& info);
/// How long the header claims to be; nothing if the bytes do not begin like a snapshot.
[[nodiscard]] std::optional<std::size_t> peek_snapshot_header_bytes(std::span<const std::byte> bytes);
struct parsed_snapshot_header {
  enum class state : std::uint8_t { good, damaged, other_version };
  parsed_snapshot_header::state state = state::damaged;
  std::uint32_t version = 0;
  snapshot_info info;
};
[[nodiscard]] parsed_snapshot_header parse_snapshot_header(std::span<const std::byte> header);

struct snapshot_block_head {
  std::uint32_t bytes = 0; ///< 0 stands in front of the footer
  std::uint32_t crc = 0;   ///< of the length and the block
};
void encode(const snapshot_block_head& h, std::byte* at);
[[nodiscard]] snapshot_block_head parse_block_head(std::span<const std::byte> bytes);
/// The checksum in front of a block.
[[nodiscard]] std::uint32_t snapshot_block_crc(std::span<const std::byte> block);

struct snapshot_footer {
  std::uint64_t blocks = 0;
  std::uint64_t bytes = 0; ///< of all blocks, without their heads
  std::uint32_t crc = 0;   ///< of all blocks, one after the other
};
[[nodiscard]] std::vector<std::byte> encode(const snapshot_footer& f);
[[nodiscard]] std::optional<snapshot_footer> parse_snapshot_footer(std::span<const std::byte> bytes);

/// GROUP-INDEX-TERM in 16 hexadecimal digits each, and what the file is.
inline constexpr std::string_view snapshot_published = ".snap";
inline constexpr std::string_view snapshot_unfinished = ".tmp";
inline constexpr std::string_view snapshot_receiving = ".part";
[[nodiscard]] std::string snapshot_name(group_id group, log_index index, quorumd::term term, std::string_view kind);
struct parsed_snapshot_name {
  group_id group;
  log_index index;
  quorumd::term term;
};
[[nodiscard]] std::optional<parsed_snapshot_name> parse_snapshot_name(std::string_view name, std::string_view kind);

} // namespace quorumd::storage
