#pragma once

#include "daemon/node/peer_map.hpp"
#include "daemon/node/snapshot_place.hpp"
#include "daemon/node/snapshot_sender.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

namespace quorumd::node {

/// As leader: has a follower that keeps up send its newest snapshot to the member that needs one, so that a join costs
/// the leader nothing. Where none can, or one did not, the leader sends its own. Belongs to the group's loop.
class snapshot_delegation {
 public:
  snapshot_delegation(snapshot_context& context, const peer_map& peers, snapshot_sender& own)
      : context_(context)
      , peers_(peers)
      , own_(own) {}

  /// The core wants one sent.
  void start(node_id to, quorumd::term term);
  void take(node_id from, const wire::snapshot_report& report);
  void peer_lost(node_id peer);
  /// No longer the leader.
  void stop_all();
  /// Gives up followers that say nothing; called a few times a second.
  void keep_house();
  /// As snapshot_sender::pinned().
  [[nodiscard]] std::optional<log_index> pinned(log_index floor) const;

 private:
  struct order {
    std::uint64_t number = 0;
    node_id by;
    log_index pinned;
    coro::time_point heard;
  };
  [[nodiscard]] node_id choose(node_id to) const;
  [[nodiscard]] bool knows_orders(node_id id) const;
  void end(node_id to, const std::string& why);

  snapshot_context& context_;
  const peer_map& peers_;
  snapshot_sender& own_;
  std::map<node_id, order> orders_;         ///< by who is to have it
  std::map<node_id, node_id> disappointed_; ///< whom the last order for it failed at
  std::uint64_t next_number_ = 1;
};

} // namespace quorumd::node
