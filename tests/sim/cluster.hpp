#pragma once

#include "tests/sim/bit_flips.hpp"
#include "tests/sim/checkers/cluster_checkers.hpp"
#include "tests/sim/committed_changes.hpp"
#include "tests/sim/counters.hpp"
#include "tests/sim/plan.hpp"
#include "tests/sim/process.hpp"
#include "tests/sim/sim_disk.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace quorumd::sim {

/// Names a command in the checkers.
[[nodiscard]] std::uint64_t payload_hash(std::span<const std::byte> payload);

/// The nodes of a run: starts, crashes and stops them, and looks at them after every step. The first thing that must
/// not be ends the run as its complaint.
class cluster {
 public:
  class listener {
   public:
    virtual ~listener() = default;
    /// Nothing that was asked of the node will be answered any more.
    virtual void node_gone(node_id id) = 0;
    virtual void role_changed(node_id id, raft::role now) = 0;
  };

  cluster(scheduler& s, const plan& p, counters& c);
  /// After shut_down().
  ~cluster();

  void set_listener(listener& l) { listener_ = &l; }

  void boot_all();
  /// Power or process gone; back after a while.
  void crash(node_id id, bool quietly, coro::duration back_after, const char* why);
  /// As crash(), within the n-th effect that the node has on its disk from now.
  void crash_within_write(node_id id, std::uint64_t effects, coro::duration back_after);
  /// A graceful stop; back after a while.
  void stop(node_id id, coro::duration grace, coro::duration back_after);
  void pause(node_id id, coro::duration length);
  void slow_disk(node_id id, coro::duration length);
  void fill_disk(node_id id, coro::duration length);
  void fail_sync(node_id id, std::uint64_t syncs);

  /// It crashes, its disk is emptied, and it stays away until it joins.
  void expel(node_id id, const char* why);
  /// A node that is away starts, and was told this of the cluster.
  void join(node_id id, const node::introduction& told);
  /// It crashes, its disk is emptied, and it starts as if nothing had been, until it is expelled.
  void impersonate(node_id id);
  [[nodiscard]] bool outside(node_id id) const;
  /// Those that the leader, or whoever has applied most, knows as members.
  [[nodiscard]] std::vector<node_id> members() const;
  /// Ends every disturbance; who is down comes back soon.
  void heal();
  /// After heal(): disks stall no more, so that nothing is left for which a leader could be lost.
  void calm();
  /// From now on nobody who heard from the leader, and can hear it, may stand for election.
  void expect_quiet() { quiet_ = true; }
  /// Starts one that is down.
  void come_back(node_id id) { boot(at(id)); }

  /// The run is over, perhaps in the middle of something: every process is ended as by a crash.
  void shut_down();

  /// After every step of the scheduler.
  void after_step();
  void complain(complaint c);
  [[nodiscard]] const complaint& wrong() const { return complaint_; }

  [[nodiscard]] fabric& network() { return fabric_; }
  [[nodiscard]] std::vector<node_id> ids() const;
  [[nodiscard]] bool up(node_id id) const;
  /// Neither up nor about to end.
  [[nodiscard]] bool down(node_id id) const;
  [[nodiscard]] bool paused(node_id id) const;
  /// How often it was started.
  [[nodiscard]] std::uint64_t starts(node_id id) const;
  /// When the node was last disturbed in a way that excuses a late answer.
  [[nodiscard]] coro::time_point disturbed(node_id id) const;
  [[nodiscard]] node::node& the_node(node_id id);
  /// Of a node that is up.
  [[nodiscard]] process& the_process(node_id id);
  [[nodiscard]] sim_disk& disk(node_id id);
  /// Who leads the highest term, as far as it knows itself; 0 for none.
  [[nodiscard]] node_id leader() const;
  [[nodiscard]] acknowledgement_checker& acknowledgements() { return acknowledgements_; }
  [[nodiscard]] committed_changes& changes() { return changes_; }
  /// Why the nodes are not all up with equal logs, all applied; empty if they are.
  [[nodiscard]] std::string why_not_settled() const;
  /// At the end of a run.
  void gather(counters& into);

 private:
  class member;
  [[nodiscard]] member& at(node_id id) const { return *members_[id.value() - 1]; }
  [[nodiscard]] static std::string standing(const member& m);
  void boot(member& m);
  void begin_end(member& m);
  void end(member& m);
  void look_at(member& m);
  void look_at_leader(member& m);
  void look_at_candidate(const member& m);
  void look_at_start(member& m);
  void look_at_files(member& m);
  void compare_state(member& m);
  void gather_stages(const member& m, counters& into);

  scheduler& clock_;
  const plan& plan_;
  counters& counters_;
  fabric fabric_;
  prng random_;
  bit_flips flips_;
  listener* listener_ = nullptr;
  std::vector<std::unique_ptr<member>> members_;
  election_checker elections_;
  log_checker logs_;
  committed_log committed_;
  state_checker states_;
  state_checker rosters_;
  progress_checker progress_;
  acknowledgement_checker acknowledgements_;
  committed_changes changes_;
  complaint complaint_;
  bool quiet_ = false;
  bool closing_ = false;
};

} // namespace quorumd::sim
