#pragma once

#include "tests/sim/run.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quorumd::sim {

struct sweep_options {
  std::uint64_t first = 1;
  std::uint64_t last = 1;
  unsigned jobs = 1;
  std::string_view mutant; ///< its name, or empty
  bool quiet = false;      ///< nothing is printed
  bool stop_at_first = false;
  bool twice = false; ///< every seed runs a second time
};

struct sweep_failure {
  std::uint64_t seed = 0;
  std::string why;
};

struct sweep_result {
  std::vector<sweep_failure> failures; ///< ascending by seed
  counters counts;
  std::uint64_t runs = 0;
  std::uint64_t steps = 0;
  double seconds = 0;
};

/// Runs each seed in a process of its own (a broken invariant ends only that), some at a time. Every hundredth seed,
/// and the first, runs a second time in a freshly executed process and must give the same hash.
[[nodiscard]] sweep_result sweep(const sweep_options& o);

/// Runs a seed and writes what came of it to the file descriptor, as sweep() reads it: for the processes it starts.
void write_report(std::uint64_t seed, std::string_view mutant, int fd);

/// How to see a seed's run again.
[[nodiscard]] std::string replay_command(std::uint64_t seed, std::string_view mutant);

} // namespace quorumd::sim
