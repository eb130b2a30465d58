#pragma once

#include "consensus/types/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// Who the members of a cluster are, and requests to change that: a part of the client protocol.
namespace quorumd::client {

/// Members named in one change, and rows of one answer.
inline constexpr std::size_t member_rows_max = 128;
/// Bytes of a member's name, or the cluster's.
inline constexpr std::size_t member_name_max = 255;
/// Bytes of a member's address.
inline constexpr std::size_t member_address_max = 300;

/// For leadership: the highest leads, where it can.
inline constexpr std::uint8_t priority_default = 50;
inline constexpr std::uint8_t priority_most = 100;

enum class member_action : std::uint8_t { add = 0, remove = 1, promote = 2, demote = 3, update = 4, replace = 5 };

/// A member that is to change.
struct member_spec {
  std::string name;
  std::string address;                  ///< where the others dial it, host:port; empty: as it is
  std::string new_name;                 ///< replace: what the new member is called; empty: the same
  bool witness = false;                 ///< add: it is to vote and hold no data
  std::optional<std::uint8_t> priority; ///< add, update: for leadership; nothing: as it is

  friend bool operator==(const member_spec&, const member_spec&) = default;
};

/// Asks for the members as the answering node knows them.
struct members_request {};

/// Asks the leader to change the members, all of those that are named at once.
struct member_change {
  member_action action = member_action::add;
  std::vector<member_spec> members;
  bool force = false;  ///< though it may cost the quorum
  bool promote = true; ///< add, replace: make it a voter once it has caught up
};

/// Asks the leader to hand its leadership over.
struct leader_transfer {
  std::string to; ///< a member's name; empty: whoever is the best
};

/// A node that is to become a member asks who the cluster is.
struct join_request {
  std::string name;
  std::string address; ///< where the others dial it
};

enum class member_role : std::uint8_t {
  voter = 0,
  learner = 1,
  incoming = 2, ///< votes only in the configuration that a change under way leads to
  outgoing = 3, ///< votes only in the one that it leads away from
};

/// A member, as the answering node knows it.
struct member_row {
  node_id id;
  std::string name;
  std::string address;        ///< for the other members
  std::string client_address; ///< empty: unknown
  member_role role = member_role::voter;
  bool promotes = false;            ///< a learner that becomes a voter once it has caught up
  bool leader = false;              ///< as far as the answering node knows
  bool connected = false;           ///< to the answering node, or it is that node
  log_index match;                  ///< what it holds of the leader's log; 0: unknown, only the leader knows
  std::uint64_t behind = 0;         ///< entries of the leader's log that it does not hold
  quorumd::incarnation incarnation; ///< of its data directory; 0: none on record
  bool witness = false;             ///< votes, and holds no data
  std::uint8_t priority = priority_default;

  friend bool operator==(const member_row&, const member_row&) = default;
};

/// Answers every request about members with what they are then.
struct members_reply {
  cluster_id cluster;
  std::string cluster_name;
  log_index index;          ///< of the entry that the configuration is from; 0: the configuration files
  bool changing = false;    ///< a change is under way
  bool from_leader = false; ///< the leader answered
  quorumd::term term;       ///< of whoever answered; 0: it does not say
  std::vector<member_row> rows;
};

/// As the command line takes it: "add".
[[nodiscard]] const char* name_of(member_action action);
/// As the table of members prints it: who is incoming is "joining", who is outgoing is "leaving".
[[nodiscard]] const char* name_of(member_role role);

} // namespace quorumd::client
