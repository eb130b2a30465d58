#pragma once

#include "consensus/types/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace quorumd::wire {

/// Of one request or reply.
inline constexpr std::size_t member_rows_max = 128;

enum class member_action : std::uint8_t { add = 0, remove = 1, promote = 2, demote = 3, update = 4, replace = 5 };

/// A member that a change is about.
struct member_spec {
  std::string name;
  std::string address;  ///< HOST:PORT for peers; empty: as it is
  std::string new_name; ///< replace: of the member that takes its place; empty: the same

  friend bool operator==(const member_spec&, const member_spec&) = default;
};

/// Asks for the members as the answering node knows them.
struct members_request {};

/// Asks the leader to change the members, all of these at once.
struct member_change {
  member_action action = member_action::add;
  std::vector<member_spec> members;
  bool force = false;  ///< though it may cost the quorum
  bool promote = true; ///< add, replace: a new member becomes a voter once it has caught up
};

/// Asks the leader to hand its leadership over; to nobody: to the best.
struct leader_transfer {
  std::string to;
};

/// A node that is to become a member asks who the cluster is.
struct join_request {
  std::string name;
  std::string address; ///< HOST:PORT for peers
  quorumd::incarnation incarnation;
};

enum class member_role : std::uint8_t {
  voter = 0,
  learner = 1,
  incoming = 2, ///< votes only in the configuration that the change under way leads to
  outgoing = 3, ///< votes only in the one that it leads away from
};

struct member_row {
  node_id id;
  std::string name;
  std::string address;        ///< HOST:PORT for peers
  std::string client_address; ///< empty: unknown
  member_role role = member_role::voter;
  bool promotes = false; ///< becomes a voter once it has caught up
  bool leader = false;
  bool connected = false;           ///< to the answering node; that itself is
  log_index match;                  ///< what it certainly holds; 0: unknown, since the leader alone knows
  std::uint64_t behind = 0;         ///< entries that the leader has and it may lack
  quorumd::incarnation incarnation; ///< 0: none is on record

  friend bool operator==(const member_row&, const member_row&) = default;
};

/// Answers all of these requests.
struct members_reply {
  cluster_id cluster;
  std::string cluster_name;
  log_index index;       ///< of the entry that they are from; 0: the configuration files
  bool changing = false; ///< a change is under way
  bool from_leader = false;
  std::vector<member_row> rows; ///< in the order of their names
};

} // namespace quorumd::wire
