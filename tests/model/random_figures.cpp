#include "tests/model/random_figures.hpp"

#include "tests/model/trace_runs.hpp"

#include <cinttypes>
#include <cstdio>
#include <ctime>
#include <string>

namespace quorumd::model {
namespace {

double processor_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

} // namespace

int run_sweep(const random_sweep& s) {
  raft::test::run_counters c;
  std::uint64_t failed = 0;
  std::uint64_t steps = 0;
  const double begun = processor_seconds();
  for (std::uint64_t seed = s.from; seed <= s.to; ++seed) {
    std::string broken;
    if (s.validate) {
      const traced one = traced_run(seed, s.nodes, c, s.changes);
      steps += one.steps;
      broken = one.broken;
    } else {
      broken = raft::test::random_run(seed, s.nodes, raft::mutant::none, c, s.changes);
    }
    if (broken.empty()) continue;
    ++failed;
    std::printf("FAILED: seed %" PRIu64 ": %s\n", seed, broken.c_str());
  }
  const double seconds = processor_seconds() - begun;
  std::printf("%" PRIu64 " runs, %" PRIu64 " events in %.1f s of one processor: %.0f events/s\n", s.to - s.from + 1,
              c.inputs, seconds, static_cast<double>(c.inputs) / seconds);
  std::printf("%" PRIu64 " elections, %" PRIu64 " entries, %" PRIu64 " crashes, %" PRIu64 " truncations, %" PRIu64
              " snapshots, %" PRIu64 " joint configurations\n",
              c.elections, c.applied, c.crashes, c.truncations, c.installs, c.joint_changes);
  if (s.validate) std::printf("%" PRIu64 " steps held against the specification\n", steps);
  return failed == 0 ? 0 : 1;
}

} // namespace quorumd::model
