#pragma once

#include "consensus/raft/ready.hpp"
#include "consensus/types/ids.hpp"
#include "daemon/kv/command.hpp"
#include "wire/codec_error.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace quorumd::client {

/// What a member's state hashes to (kv::store::content_hash) after it has applied an entry. Two members whose marks at
/// one index differ have applied different things.
struct state_mark {
  log_index index;
  std::uint64_t hash = 0;
  quorumd::revision revision; ///< the store's then; 0: it does not say

  friend bool operator==(const state_mark&, const state_mark&) = default;
};
/// Of one row.
inline constexpr std::size_t state_marks_max = 64;

/// What members must all know before one of them uses it, counted up: 1 the first version, 2 changes of members,
/// 3 clients' sessions (kv::session_level), 4 leases (kv::lease_level), 5 an age of history (kv::age_level). The
/// handshake's features say which single ones a stream has (handshake.hpp).
inline constexpr std::uint16_t protocol_level = 5;

/// What a node says of itself and one of its groups: a row of the status table.
struct status_row {
  node_id id;
  std::string name;
  std::string address; ///< for clients
  std::string version;
  group_id group;
  raft::role role = raft::role::follower;
  node_id leader; ///< 0: unknown
  quorumd::term term;
  log_index commit;
  log_index applied;
  quorumd::revision revision;
  std::uint64_t keys = 0;
  std::uint64_t disk_bytes = 0;
  std::uint64_t lag = 0;           ///< entries that the leader has committed and this node has not applied
  bool accepting = false;          ///< puts: its disk has room for them
  std::uint64_t store_bytes = 0;   ///< about what the state takes in memory
  std::uint64_t history_bytes = 0; ///< of them, for old revisions
  std::optional<kv::settings> settings;
  std::vector<state_mark> marks; ///< at some earlier indexes, ascending, and at `applied`
  std::uint16_t speaks = 1;      ///< protocol_level of its build
  bool witness = false;          ///< it holds no data
  std::uint64_t keys_hash = 0;   ///< kv::store::keys_hash(), at `revision` and `compacted`; 0: it does not say
  quorumd::revision compacted;   ///< the lowest one that can be read
  std::string corrupt; ///< why its state counts for nothing; empty: it is not known to differ from the others'
  std::string error;   ///< not empty: the node did not answer, and only id, name and address are known

  friend bool operator==(const status_row&, const status_row&) = default;
};

/// As a member sends it to another (wire::status_answer): at most wire::status_bytes_max.
[[nodiscard]] std::vector<std::byte> encode_status(const status_row& r);
[[nodiscard]] wire::decoded<status_row> decode_status(std::span<const std::byte> bytes);

/// As the status table prints it: a pre-candidate is a candidate.
[[nodiscard]] const char* name_of(raft::role role);
/// The same of a node that answered; a witness is called one, since it is never anything but a follower.
[[nodiscard]] const char* role_of(const status_row& r);

} // namespace quorumd::client
