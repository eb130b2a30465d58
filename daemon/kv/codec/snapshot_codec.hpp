#pragma once

#include "daemon/kv/snapshot.hpp"
#include "wire/byte_buffer.hpp"
#include "wire/codec_error.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace quorumd::kv {

/// The content of a snapshot file: blocks of sections, each with its kind, its version and its length in front. The
/// state comes first, and the records come in order; whoever stores a block knows its length and checks its checksum. A
/// section of a later version is refused, never passed over: a state without it would differ from the other members'.
enum class snapshot_section : std::uint16_t {
  state = 1,    ///< of the store, but for its records: a message
  members = 2,  ///< whose data directory is on record: node::membership::encode()
  records = 3,  ///< a message
  settings = 4, ///< a message; left out where there are none. Of version 2 if history is bounded by its age
  session = 5,  ///< a message for each
  leases = 6,   ///< a message, in front of the sessions; any number of them, and one at least from lease_level on
};
/// Of a section: raised together with what is in it.
inline constexpr std::uint16_t snapshot_section_version = 1;
inline constexpr std::uint16_t snapshot_settings_version = 2;
/// Kind u16, version u16, bytes of the body u32. Bodies are padded to 8.
inline constexpr std::size_t snapshot_section_head_bytes = 8;

struct snapshot_section_view {
  snapshot_section kind = snapshot_section::state;
  std::span<const std::byte> body;
};

/// Appends a section to the buffer.
void encode_snapshot_section(wire::byte_buffer& out, snapshot_section kind, std::span<const std::byte> body);
/// With its settings behind it.
void encode_snapshot_header(wire::byte_buffer& out, const snapshot_header& header);
void encode_snapshot_records(wire::byte_buffer& out, std::span<const record_view> records);

void encode_snapshot_session(wire::byte_buffer& out, const session_record& s);
void encode_snapshot_leases(wire::byte_buffer& out, std::span<const lease_record> leases);

/// Takes the first section off what is left of a block, which is 8-byte aligned and not empty. `unknown_kind`: a later
/// version wrote it.
[[nodiscard]] wire::decoded<snapshot_section_view> take_snapshot_section(std::span<const std::byte>& rest);
/// Reads a section's body.
[[nodiscard]] wire::decoded<snapshot_header> decode_snapshot_header(std::span<const std::byte> body);
[[nodiscard]] wire::decoded<settings> decode_snapshot_settings(std::span<const std::byte> body);
/// It has bytes of its own.
[[nodiscard]] wire::decoded<session_record> decode_snapshot_session(std::span<const std::byte> body);
[[nodiscard]] wire::decoded<std::vector<lease_record>> decode_snapshot_leases(std::span<const std::byte> body);
/// Replaces `out`; the views hold as long as the body's bytes.
[[nodiscard]] wire::decoded<void> decode_snapshot_records(std::span<const std::byte> body,
                                                          std::vector<record_view>& out);

} // namespace quorumd::kv
