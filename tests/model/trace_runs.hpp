#pragma once

#include "consensus/raft/core.hpp"
#include "tests/consensus/raft/random_run.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace quorumd::model {

/// A random run of bare cores each of whose steps is held against the specification. What broke, or nothing.
struct traced {
  std::string broken;
  std::uint64_t steps = 0;
  std::uint64_t moves = 0;
};
[[nodiscard]] traced traced_run(std::uint64_t seed, std::uint64_t nodes, raft::test::run_counters& counters,
                                bool changes);

/// How a deliberate bug comes to light in random runs of the seeds from 1 on, each in a process of its own.
struct catches {
  std::optional<std::uint64_t> by_trace; ///< the first seed whose steps the specification forbids
  std::string why;                       ///< of that seed
  std::optional<std::uint64_t>
      by_end; ///< the first seed up to then that breaks Raft's promises, or an invariant of the core
  /// The specification forbade a step in an earlier seed, or earlier in the same one.
  [[nodiscard]] bool trace_first() const;
  std::uint64_t trace_step = 0; ///< where in by_trace
  std::uint64_t end_step = 0;   ///< where in by_end; the step after the last known one, if the process ended
};
/// Goes on until the specification has forbidden a step, or the seeds are used up: what breaks later comes second.
[[nodiscard]] catches catch_mutant(raft::mutant m, std::uint64_t seeds, bool changes);

} // namespace quorumd::model
