#pragma once

#include "consensus/raft/ready.hpp"
#include "consensus/types/entry.hpp"
#include "consensus/types/ids.hpp"
#include "daemon/kv/command.hpp"
#include "daemon/node/roster.hpp"

#include <string>

namespace quorumd::node {

/// What a log would want to know of a node: the daemon writes it down, the simulator's counters count it. Called on
/// the node's loops.
class observer {
 public:
  virtual ~observer() = default;
  virtual void role_changed(const raft::soft_state&) {}
  /// The state machine holds the entry now; nobody was answered yet. On the path of every write: keep it cheap.
  virtual void entry_applied(const entry&) {}
  virtual void snapshot_taken(log_index, std::uint64_t /*bytes*/) {}
  virtual void snapshot_failed(const std::string& /*why*/) {}
  virtual void snapshot_sending(node_id /*to*/, log_index) {}
  virtual void snapshot_send_ended(node_id /*to*/, log_index, const std::string& /*why, or empty*/) {}
  /// As leader: that member is to send its snapshot, of that index or a later one, in this one's place.
  virtual void snapshot_ordered(node_id /*by*/, node_id /*to*/, log_index /*at_least*/) {}
  virtual void snapshot_order_ended(node_id /*by*/, node_id /*to*/, const std::string& /*why, or empty*/) {}
  virtual void snapshot_installed(log_index) {}
  virtual void incarnation_recorded(node_id, incarnation) {}
  /// The entry that says who the members are now was applied.
  virtual void members_changed(const roster&) {}
  virtual void member_refused(node_id, const std::string& /*why*/) {}
  virtual void handing_over(node_id /*to*/, const std::string& /*why*/) {}
  /// The cluster's settings are known, or others now.
  virtual void settings_changed(const kv::settings&) {}
  /// This member's state counts for nothing, and why; empty: it is what most members hold, after all.
  virtual void corrupt(const std::string& /*why*/) {}
  /// The reason could not be written down: a restart would forget it.
  virtual void doubt_not_noted(const std::string& /*why*/) {}
  virtual void space_changed(bool /*accepting*/, const std::string& /*detail*/) {}
  /// The store uses four fifths of storage.quota_bytes, or less than three quarters again; a quota of 0 is none.
  virtual void quota_nearly_used(bool /*is*/, std::uint64_t /*stored_bytes*/, std::uint64_t /*quota_bytes*/) {}
};

} // namespace quorumd::node
