#pragma once

#include "tests/sim/children.hpp"
#include "tests/sim/run.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quorumd::sim {

struct sweep_options {
  std::uint64_t first = 1;
  std::uint64_t last = 1;
  std::optional<std::chrono::duration<double>> at_most; ///< no run begins after so much time
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

/// Runs each seed in a process of its own, some at a time. Every hundredth seed, and the first, runs a second time in
/// a freshly executed process and must give the same hash. Progress is told on standard error once a minute.
[[nodiscard]] sweep_result sweep(const sweep_options& o);

/// Runs it and writes what came of it to the file descriptor, but for the history: for processes that are started.
void write_report(const run_spec& s, int fd, std::vector<fault> earlier = {});
/// What write_report() wrote; a process that ended otherwise is a complaint.
[[nodiscard]] run_result read_report(const ended_child& c);

} // namespace quorumd::sim
