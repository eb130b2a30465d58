#pragma once

#include "tests/sim/counters.hpp"
#include "tests/sim/plan.hpp"

#include <cstdint>
#include <string>

namespace quorumd::sim {

struct run_result {
  std::string complaint; ///< empty: nothing was wrong
  counters counts;
  std::uint64_t hash = 0;   ///< of the trace
  std::uint64_t events = 0; ///< in it
  std::uint64_t steps = 0;
  coro::duration virtual_time{};
};

/// Acknowledged writes below which a run proves too little.
inline constexpr std::uint64_t acknowledged_min = 10;

/// One whole run: trouble under load, then healing, then the last checks.
[[nodiscard]] run_result run_seed(std::uint64_t seed, const mutants& m, bool print);

} // namespace quorumd::sim
