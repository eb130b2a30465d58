#pragma once

#include "consensus/raft/ready.hpp"
#include "consensus/types/ids.hpp"

#include <cstdint>
#include <string>

namespace quorumd::wire {

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
  std::uint64_t lag = 0;  ///< entries that the leader has committed and this node has not applied
  bool accepting = false; ///< puts: its disk has room for them
  std::string error;      ///< not empty: the node did not answer, and only id, name and address are known

  friend bool operator==(const status_row&, const status_row&) = default;
};

/// As the status table prints it: a pre-candidate is a candidate.
[[nodiscard]] const char* name_of(raft::role role);

} // namespace quorumd::wire
