#pragma once

#include "consensus/types/ids.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace quorumd::node {

/// What a group knows of another node's stream. Kept of who was ever connected.
struct peer_state {
  bool up = false;
  bool refused = false; ///< its data directory does not stand for it
  quorumd::incarnation incarnation;
  std::uint64_t features = 0;
  log_index members_index;    ///< of the change of members that it knew when it connected
  std::string name;           ///< as it said last
  std::string client_address; ///< likewise
};

using peer_map = std::map<node_id, peer_state>;

} // namespace quorumd::node
