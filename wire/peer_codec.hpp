#pragma once

#include "consensus/types/chunk.hpp"
#include "wire/byte_buffer.hpp"
#include "wire/codec_error.hpp"
#include "wire/frame.hpp"
#include "wire/handshake.hpp"
#include "wire/peer_message.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace quorumd::wire {

/// What goes before what on a stream. Messages of one class arrive in order.
enum class traffic : std::uint8_t {
  control, ///< votes, heartbeats, acknowledgements, reads, credits
  log,     ///< appends and forwards
  bulk,    ///< snapshot chunks
};
inline constexpr std::size_t traffic_classes = 3;

[[nodiscard]] traffic traffic_of(const raft::message& m);
[[nodiscard]] traffic traffic_of(const peer_message& m);

// Bounds of what is decoded; what is encoded keeps to them.
inline constexpr std::size_t control_frame_max = std::size_t{1024} * 1024;
inline constexpr std::size_t bulk_frame_max = snapshot_chunk_bytes_max + std::size_t{64} * 1024;
inline constexpr std::size_t heartbeats_per_frame_max = 8192;
inline constexpr std::size_t members_max = 1024;

struct group_heartbeat {
  group_id group;
  raft::heartbeat body;
};
struct group_heartbeat_response {
  group_id group;
  raft::heartbeat_response body;
};

/// Why a stream is closed, said as the last thing on it.
struct goodbye {
  enum class cause : std::uint8_t {
    error = 0,     ///< a bad frame, silence, …
    refused = 1,   ///< the handshake found that the two can't talk
    duplicate = 2, ///< another stream of the pair stays
    stopping = 3,  ///< the sender stops
  };
  cause why = cause::error;
  std::string reason;
};

// Each appends a frame; long lists of heartbeats make several.
void encode_peer(byte_buffer& out, const peer_message& m);
void encode_peer(byte_buffer& out, group_id group, const raft::message& m);
void encode_heartbeats(byte_buffer& out, std::span<const group_heartbeat> list);
void encode_heartbeats(byte_buffer& out, std::span<const group_heartbeat_response> list);
void encode_hello(byte_buffer& out, const hello& h);
void encode_goodbye(byte_buffer& out, goodbye::cause why, std::string_view reason);
void encode_probe(byte_buffer& out);
void encode_probe_reply(byte_buffer& out);

/// What a frame was, beside the messages in it.
enum class peer_signal : std::uint8_t { messages, probe, probe_reply };

/// Reads a frame of an established stream, which the source just gave: appends its messages. Entries and blobs are
/// parts of the source's chunk. Terms, indexes, counts and checksums were checked; entries of an append are dense,
/// ascending and follow prev_index. A goodbye comes as the second alternative.
[[nodiscard]] decoded<std::variant<peer_signal, goodbye>>
decode_peer(std::span<const std::byte> frame, frame_reader& source, chunk_arena& arena, std::vector<peer_message>& out);
/// Reads the first frame of a stream.
[[nodiscard]] decoded<std::variant<hello, goodbye>> decode_greeting(std::span<const std::byte> frame);

} // namespace quorumd::wire
