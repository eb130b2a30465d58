#pragma once

#include "consensus/raft/core.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace quorumd::raft::test {

class cluster;

/// What one run met, so that a sweep can tell that it met everything.
struct run_counters {
  std::uint64_t elections = 0;
  std::uint64_t applied = 0;
  std::uint64_t crashes = 0;
  std::uint64_t lost_writes = 0;
  std::uint64_t truncations = 0;
  std::uint64_t installs = 0;
  std::uint64_t loads = 0;
  std::uint64_t reads = 0;
  std::uint64_t joint_changes = 0;
  std::uint64_t inputs = 0; ///< that the cores were given
};

/// Several bare cores for some thousand steps of one seed: messages dropped, doubled and reordered, writes delayed,
/// crashes that lose what was not persisted, cuts, compactions, reads, transfers; if wanted, changes of the
/// members, who are all but one at first; with some seeds a gentler world in
/// which leaderships follow each other fast, leaders sleep, and messages arrive leaderships later. Gives what broke, or
/// nothing; a broken invariant of the core aborts. `begun` is shown the cluster before the first step: to watch it.
[[nodiscard]] std::string random_run(std::uint64_t seed, std::uint64_t nodes, mutant m, run_counters& counters,
                                     bool changes = false, const std::function<void(cluster&)>& begun = {});

/// Whether one of the seeds breaks with the mutant, each in a process of its own.
[[nodiscard]] bool caught_by_random_runs(mutant m, std::uint64_t seeds, bool changes = false);

} // namespace quorumd::raft::test
