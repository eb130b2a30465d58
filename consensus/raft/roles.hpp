#pragma once

#include "consensus/raft/message.hpp"
#include "consensus/raft/quorum.hpp"
#include "consensus/types/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

namespace quorumd::raft {

// What a node remembers only as long as it plays a role (paper figure 4, with the thesis' pre-candidate).

struct follower_role {
  node_id leader; ///< of the current term; 0: unknown, and then no lease holds
};

struct pre_candidate_role {
  ballot votes; ///< on the term after the current one
};

struct candidate_role {
  ballot votes;
};

/// A read that waits for a quorum to confirm the leader (thesis §6.4).
struct pending_read {
  node_id from; ///< who gets the answer; oneself for a local read
  read_context context;
  log_index index;         ///< once its round began
  std::uint64_t round = 0; ///< 0: not begun
};

struct leader_role {
  log_index start;         ///< of the entry that began this leadership
  std::uint64_t since = 0; ///< the tick of that, or at which other members came into force
  std::uint32_t heartbeat_elapsed = 0;
  bool heartbeat_due = false;

  std::uint64_t round = 0; ///< the last quorum round begun
  std::vector<pending_read> reads;
  std::size_t reads_begun = 0; ///< the first ones of them, in order of their rounds

  node_id transferee; ///< 0: none
  std::uint64_t transfer_since = 0;
  bool transfer_told = false;
  bool lease_given_up = false; ///< somebody was told to campaign, whom no promise holds back

  std::uint64_t end_seen = 0; ///< the tick of the last look for who is near, where there are witnesses
  log_index end_before;       ///< the log's last index then

  std::vector<node_id> departing;    ///< no members any more, and not told yet
  log_index departed_at;             ///< of the newest configuration, which they have to hear of
  std::uint64_t departing_since = 0; ///< the tick at which that was committed

  std::size_t uncommitted_bytes = 0; ///< of this leadership's entries
};

using any_role = std::variant<follower_role, pre_candidate_role, candidate_role, leader_role>;

} // namespace quorumd::raft
