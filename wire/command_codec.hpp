#pragma once

#include "consensus/types/chunk.hpp"
#include "consensus/types/entry.hpp"
#include "daemon/kv/command.hpp"
#include "daemon/kv/result.hpp"
#include "wire/codec_error.hpp"
#include "wire/peer_message.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace quorumd::wire {

/// The version of what is known of commands. It is raised with everything that changes what a command does: a node that
/// does not know of it must not apply the command as if it were not there. Each command carries the lowest version that
/// has all that it uses.
inline constexpr std::uint16_t command_version =
    4; ///< 2: sessions, and what a leader says of itself; 3: leases; 4: an age of history

/// Writes a command straight into the payload of a new proposal, which is finished. The command was validated.
[[nodiscard]] proposal encode_command(chunk_arena& arena, const kv::command& c, const kv::session_call& call = {});
/// Reads an entry's or proposal's payload, which is 8-byte aligned as theirs are. The views hold as long as the
/// payload; only a transaction allocates. Refuses what a later version wrote, whatever it is.
[[nodiscard]] decoded<kv::logged_command> decode_command(std::span<const std::byte> payload);

/// Writes what a command did, before the store's next mutation, for a reply that is sent later or from another node.
/// It fits a reply (client_reply_frame_max).
[[nodiscard]] shared_bytes encode_result(chunk_arena& arena, const kv::result<kv::reply>& r);
/// Reads it; the views hold as long as the bytes.
[[nodiscard]] decoded<kv::result<kv::reply>> decode_result(std::span<const std::byte> bytes);

} // namespace quorumd::wire
