#pragma once

#include "tests/sim/cluster.hpp"
#include "tests/sim/fault_script.hpp"

#include <utility>
#include <vector>

namespace quorumd::sim {

/// What goes wrong in a run, chosen by its seed or as in an earlier run, until it is told to stop.
class nemesis {
 public:
  nemesis(scheduler& s, cluster& c, const plan& p, fault_script& f, counters& n);
  void start();
  void stop() { stopped_ = true; }
  /// Somebody stands for election, or won: a moment at which a crash hurts.
  void role_changed(node_id id, raft::role now);
  /// A change of members is asked for: the moment at which a part of a cluster must not be one. The part is those who
  /// stay as they are.
  void members_change(const std::vector<node_id>& staying);

 private:
  using link = std::pair<host_id, host_id>; ///< one direction: from, to
  void next();
  [[nodiscard]] fault_kind draw_kind();
  [[nodiscard]] bool came_too_late(coro::time_point due);
  void happens(fault_kind k, coro::time_point due, node_id who = {}, std::uint64_t staying = 0);
  void perform(const fault& f);
  void repeat_candidates(node_id id);
  void strike(fault_kind k);
  void partition();
  void split(const std::vector<node_id>& here);
  void one_way();
  void block_for_a_while(std::vector<link> cut);
  void tell_of(const std::vector<link>& cut);
  [[nodiscard]] node_id victim();
  [[nodiscard]] node_id other_than(node_id id);
  [[nodiscard]] coro::duration down_time();

  scheduler& clock_;
  cluster& cluster_;
  const plan& plan_;
  fault_script& script_;
  counters& counters_;
  prng random_;
  std::vector<fault> candidates_; ///< of an earlier run, that have yet to happen: each when its member stands again
  std::uint64_t partitions_ = 0;
  bool stopped_ = false;
};

} // namespace quorumd::sim
