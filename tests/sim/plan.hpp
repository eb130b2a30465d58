#pragma once

#include "consensus/raft/core.hpp"
#include "consensus/storage/wal.hpp"
#include "daemon/node/node.hpp"
#include "tests/sim/sim_network.hpp"
#include "tests/sim/sim_worker.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quorumd::sim {

/// The deliberate bugs of a run; each is switched on by its name.
struct mutants {
  raft::mutant raft = raft::mutant::none;
  storage::mutant storage = storage::mutant::none;
  node::bugs node;
  bool bulk_first = false; ///< of the streams
};
[[nodiscard]] const std::vector<std::string_view>& mutant_names();
[[nodiscard]] std::optional<mutants> find_mutant(std::string_view name);
/// How many seeds a sweep takes at the most until it finds the mutant.
[[nodiscard]] std::uint64_t seeds_of_mutant(std::string_view name);

/// What may go wrong in a run, and how often it is chosen; 0 is never.
struct fault_weights {
  std::uint64_t crash = 0;
  std::uint64_t crash_within_write = 0;
  std::uint64_t crash_all = 0;
  std::uint64_t stop = 0;
  std::uint64_t partition = 0;
  std::uint64_t one_way = 0;
  std::uint64_t cut = 0;
  std::uint64_t pause = 0;
  std::uint64_t slow_disk = 0;
  std::uint64_t full_disk = 0;
  std::uint64_t failing_sync = 0;

  [[nodiscard]] std::uint64_t sum() const {
    return crash + crash_within_write + crash_all + stop + partition + one_way + cut + pause + slow_disk + full_disk +
           failing_sync;
  }
};

struct load_plan {
  std::uint64_t clients = 4;
  std::uint64_t session_clients = 0; ///< of them: the first ones
  std::uint64_t keys = 5;
  std::uint64_t value_bytes_max = 64;
  coro::duration think_most = std::chrono::milliseconds(30);
  coro::duration deadline_least = std::chrono::milliseconds(300);
  coro::duration deadline_most = std::chrono::seconds(2);
  std::uint64_t operations_max = 4000;
  std::chrono::milliseconds max_age{0}; ///< of stale reads; 0: they have no bound
  // How often each kind is chosen.
  std::uint64_t puts = 45;
  std::uint64_t deletes = 8;
  std::uint64_t gets = 20;
  std::uint64_t old_gets = 4;
  std::uint64_t stale_gets = 8;
  std::uint64_t txns = 12;
  std::uint64_t compacts = 2;
  std::uint64_t leases = 0; ///< are granted, renewed and revoked, or end by time, and puts name them
  std::uint64_t watchers = 0;
};

/// Everything that a seed decides ahead: sizes, limits, timings, faults.
struct plan {
  std::uint64_t seed = 0;
  std::uint64_t nodes = 3;  ///< that the cluster begins with
  std::uint64_t spares = 0; ///< that may become members; 0: the members stay as they are
  coro::duration step_cost{};
  std::uint32_t lease_ticks = 0;         ///< of the starts that have leases on
  std::uint64_t leases_per_mille = 0;    ///< of the starts
  std::int64_t drift_most_per_mille = 0; ///< of a node's clock, either way
  bool staggered = true;                 ///< members take snapshots at moments of their own
  std::uint64_t packers = 0;   ///< a bit a member, by its number: whether it packs what it sends of its snapshots
  coro::duration visit_cost{}; ///< of a record that is visited
  network_options network;
  worker_options log_worker;
  worker_options prepare_worker;
  worker_options snapshot_worker;
  storage::wal_options wal;
  node::group_options group;
  wire::transport_options transport;
  fault_weights faults;
  std::uint64_t flips_a_start = 0;                                  ///< bits that are flipped on copies of the disk
  coro::duration fault_pause_most = std::chrono::milliseconds(400); ///< between two faults
  coro::duration down_most = std::chrono::seconds(1);
  std::uint64_t crash_candidates_per_mille = 0; ///< of the new candidates and leaders crash within milliseconds
  coro::duration change_pause_most = std::chrono::milliseconds(400); ///< between two changes of members
  std::uint64_t split_changes_per_mille = 0;                         ///< of them meet a partition
  load_plan load;
  coro::duration calm = std::chrono::milliseconds(500); ///< how long nothing happens at the end
  coro::duration trouble = std::chrono::seconds(6);     ///< how long faults go on

  bool adds_witnesses = false; ///< among the members that come; then nobody's disk is lost

  [[nodiscard]] bool changes_members() const { return spares != 0; }
  /// The longest that one election may take.
  [[nodiscard]] coro::duration election_timeout() const { return group.tick * (2 * group.raft.election_ticks); }
};

/// For a person who reads a trace.
[[nodiscard]] std::string describe(const plan& p);

[[nodiscard]] plan draw_plan(std::uint64_t seed, const mutants& m);

} // namespace quorumd::sim
