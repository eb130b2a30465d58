#pragma once

#include "consensus/types/chunk.hpp"
#include "consensus/types/entry.hpp"
#include "daemon/kv/command.hpp"
#include "daemon/kv/result.hpp"
#include "wire/codec_error.hpp"
#include "wire/shared_bytes.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace quorumd::kv {

/// The version of what is known of commands. It is raised with everything that changes what a command does: a node that
/// does not know of it must not apply the command as if it were not there. Each command carries the lowest version that
/// has all that it uses.
inline constexpr std::uint16_t command_version =
    4; ///< 2: sessions, and what a leader says of itself; 3: leases; 4: an age of history

/// Transactions within transactions.
inline constexpr std::size_t txn_depth_max = 8;

/// What encode_result() makes at the most: every reply of the store (kv::reply_bytes_max, or one item), and less than
/// 64 bytes around each operation of a transaction.
inline constexpr std::size_t encoded_result_max = std::size_t{4} * 1024 * 1024 - 256;

/// Writes a command straight into the payload of a new proposal, which is finished. The command was validated.
[[nodiscard]] proposal encode_command(chunk_arena& arena, const command& c, const session_call& call = {});
/// Reads an entry's or proposal's payload, which is 8-byte aligned as theirs are. The views hold as long as the
/// payload; only a transaction allocates. Refuses what a later version wrote, whatever it is.
[[nodiscard]] wire::decoded<logged_command> decode_command(std::span<const std::byte> payload);

/// Writes what a command did, before the store's next mutation, for a reply that is sent later or from another node.
/// At most encoded_result_max bytes.
[[nodiscard]] wire::shared_bytes encode_result(chunk_arena& arena, const result<reply>& r);
/// Reads it; the views hold as long as the bytes.
[[nodiscard]] wire::decoded<result<reply>> decode_result(std::span<const std::byte> bytes);

} // namespace quorumd::kv
