#pragma once

#include "tests/sim/cluster.hpp"
#include "tests/sim/fault_script.hpp"
#include "tests/sim/nemesis.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace quorumd::sim {

/// The administrator of a run: adds, removes, promotes, demotes and replaces members, hands the leadership over, loses
/// a member's disk now and then, and starts what was added; by chance, or as in an earlier run. Does nothing in a run
/// whose members stay as they are.
class member_changes {
 public:
  member_changes(scheduler& s, cluster& c, nemesis& trouble, const plan& p, fault_script& f, counters& n);
  void start();
  /// Whether a member has yet to be brought back.
  [[nodiscard]] bool has_lost() const { return static_cast<bool>(lost_); }
  /// Brings back what is away and still counted on; nothing new.
  void finish() { finishing_ = true; }
  void stop() { stopped_ = true; }

 private:
  void next();
  void repeat();
  void turn(const fault& f);
  void act();
  void bring_back();
  void lose_a_disk(node::group& leading);
  void add(const node::roster& now);
  void ask(client::member_change c);
  [[nodiscard]] bool asked_and_waits();
  void transfer();
  void poll_joins();
  [[nodiscard]] node_id any_of(const std::vector<node_id>& ids);

  /// A change that a node was asked for, and may not have begun to look at: it may be paused.
  struct question {
    node_id of;
    std::uint64_t start = 0;
    std::shared_ptr<bool> begun;
  };

  scheduler& clock_;
  cluster& cluster_;
  nemesis& nemesis_;
  const plan& plan_;
  fault_script& script_;
  counters& counters_;
  prng random_;
  coro::time_point asked_at_; ///< of the last change
  std::vector<question> asked_;
  node_id lost_; ///< a member whose disk is gone
  coro::time_point lost_at_;
  coro::duration imposes_{}; ///< for how long it runs as if nothing had been
  bool finishing_ = false;
  bool stopped_ = false;
};

} // namespace quorumd::sim
