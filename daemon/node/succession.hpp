#pragma once

#include "consensus/raft/core.hpp"
#include "consensus/storage/wal.hpp"
#include "daemon/client/status.hpp"
#include "daemon/node/member_admin.hpp"
#include "daemon/node/observer.hpp"
#include "daemon/node/peer_map.hpp"
#include "wire/transport.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace quorumd::node {

/// Whom a leader hands its leadership to of its own accord (thesis §3.10): when its volume is full or its state
/// corrupt, to the first of which neither is true; and to the voter of the highest priority above its own, once that
/// one has kept up with the log for some seconds. Either is asked first whether it has room: a member with a full
/// volume is left alone. Belongs to the group's loop.
class succession {
 public:
  struct seams {
    group_id group;
    node_id self;
    raft::core& core;
    const member_admin& admin;
    const peer_map& peers;
    const storage::wal& wal;
    wire::transport& transport;
    node::observer& observer;
    std::function<void()> wake; ///< the core has something to say
    const std::string& corrupt; ///< why this node's state counts for nothing; empty: it counts
  };
  explicit succession(seams s)
      : seams_(std::move(s)) {}

  /// A few times a second, with the tick.
  void keep_house(std::uint64_t ticks);
  /// What a member said of itself; false if this did not ask.
  bool answered(std::uint64_t query, node_id member, const client::status_row& its);

 private:
  [[nodiscard]] bool leads() const { return seams_.core.soft().serving; }
  /// Why it should not lead; empty: it may.
  [[nodiscard]] std::string why_not() const;
  void seek_room();
  void seek_preferred();
  [[nodiscard]] node_id preferred() const;
  [[nodiscard]] bool keeps_up(node_id id) const;
  void ask(node_id id);
  void hand_over_to(node_id to, const std::string& why);

  const seams seams_;
  std::uint64_t now_ = 0; ///< ticks, like all below
  std::uint64_t asked_at_ = 0;
  std::uint64_t handed_over_at_ = 0;
  node_id candidate_; ///< the preferred one
  std::uint64_t candidate_since_ = 0;
};

} // namespace quorumd::node
