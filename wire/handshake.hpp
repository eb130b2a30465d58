#pragma once

#include "consensus/types/ids.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace quorumd::wire {

/// Versions of the peer protocol that this build speaks.
inline constexpr std::uint16_t peer_version_min = 2; ///< 1 had entries of version 1
inline constexpr std::uint16_t peer_version_max = 2;

/// This build changes the members by joint consensus (features below); one that lacks it knows those of its
/// configuration file only.
inline constexpr std::uint64_t feature_member_changes = 1;
/// It understands clients' sessions (kv::session_level).
inline constexpr std::uint64_t feature_sessions = 2;
/// It takes a snapshot's chunks as zstd frames too (chunk_packing.hpp).
inline constexpr std::uint64_t feature_packed_chunks = 4;
/// Keeps the priorities of members in changes of its own, and withholds commands from witnesses.
inline constexpr std::uint64_t feature_witnesses = 8;
/// It understands leases (kv::lease_level).
inline constexpr std::uint64_t feature_leases = 16;
/// It bounds history by its age (kv::age_level).
inline constexpr std::uint64_t feature_history_age = 32;
/// It makes changes of the members that were asked of another member.
inline constexpr std::uint64_t feature_relayed_changes = 64;
/// It sends its snapshot to another member when the leader says so, and takes one from who does not lead.
inline constexpr std::uint64_t feature_delegated_snapshots = 128;

/// A member: as configured, which all nodes must agree on, or as the log says.
struct member {
  node_id id;
  std::string name;
  std::string address; ///< host:port for peers

  friend bool operator==(const member&, const member&) = default;
};

/// Who this node is, and whom it expects.
struct local_identity {
  cluster_id cluster;
  std::string cluster_name; ///< for messages to a person
  node_id id;
  std::string name;
  quorumd::incarnation incarnation;
  boot_id boot;
  std::string client_address; ///< host:port, as advertised
  std::string software;       ///< the version, for status
  std::uint64_t features = 0;
  std::vector<member> members; ///< with this node
  log_index members_index;     ///< of the change of members that they are from; 0: the configuration file
};

/// The first message each way.
struct hello {
  std::uint16_t version_min = peer_version_min;
  std::uint16_t version_max = peer_version_max;
  cluster_id cluster;
  std::string cluster_name;
  node_id id;
  std::string name;
  quorumd::incarnation incarnation;
  boot_id boot;
  node_id expected; ///< whom the sender means to talk to
  std::string client_address;
  std::string software;
  std::uint64_t features = 0;
  std::vector<member> members; ///< sorted by id
  log_index members_index;
};

/// What a stream knows of its other end.
struct peer_info {
  node_id id;
  std::string name;
  std::string client_address;
  std::string software;
  quorumd::incarnation incarnation;
  boot_id boot;
  std::uint16_t version = 0;  ///< the highest that both speak
  std::uint64_t features = 0; ///< that both have
  log_index members_index;    ///< of the change of members that it knew then
};

/// The greeting for the member.
[[nodiscard]] hello make_hello(const local_identity& self, node_id expected);

/// Why the two can't talk, as a sentence that names what differs; nothing if they can. `dialed` is the member that
/// this node dialed, 0 if it was called. Judged in this order: version, cluster name, identities, members, cluster id.
/// Member lists are compared as long as both are from configuration files. Who is no member as far as this node knows
/// may still be one if it knows of a later change.
[[nodiscard]] std::optional<std::string> check_hello(const local_identity& self, const hello& other, node_id dialed);

/// What the stream's owner keeps of a greeting that was checked.
[[nodiscard]] peer_info make_peer_info(const local_identity& self, const hello& other);

} // namespace quorumd::wire
