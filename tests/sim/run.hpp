#pragma once

#include "tests/sim/checkers/history.hpp"
#include "tests/sim/counters.hpp"
#include "tests/sim/fault_script.hpp"
#include "tests/sim/overrides.hpp"
#include "tests/sim/plan.hpp"
#include "tests/sim/told.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace quorumd::sim {

/// Which run it is.
struct run_spec {
  std::uint64_t seed = 0;
  std::string mutant; ///< its name, or empty
  overrides changed;
};

/// What is done with it beside.
struct run_options {
  bool print = false;              ///< every event
  told_to tell;                    ///< who wants its story
  fault_script::listener on_fault; ///< who wants to know of its faults; only where they are drawn
  bool keep_history = false;       ///< of the clients
};

struct run_result {
  std::string complaint; ///< empty: nothing was wrong
  counters counts;
  std::uint64_t hash = 0;   ///< of the trace
  std::uint64_t events = 0; ///< in it
  std::uint64_t steps = 0;
  coro::duration virtual_time{};
  std::vector<operation> history; ///< if it was to be kept
};

/// Acknowledged writes below which a run proves too little.
inline constexpr std::uint64_t acknowledged_min = 10;

/// One whole run: trouble under load, then healing, then the last checks. If anything is changed, `earlier` are the
/// faults of the seed's own run (faults_of); else they are drawn.
[[nodiscard]] run_result run_seed(const run_spec& s, const run_options& o = {}, std::vector<fault> earlier = {});

/// The faults of the seed's own run, in which nothing is changed, in order: found in a process of its own, since that
/// run may break an invariant.
[[nodiscard]] std::vector<fault> faults_of(std::uint64_t seed, const std::string& mutant);

/// As run_seed(), with the faults that it needs.
[[nodiscard]] run_result run_again(const run_spec& s, const run_options& o = {});

/// How to see a run again.
[[nodiscard]] std::string replay_command(const run_spec& s);

} // namespace quorumd::sim
