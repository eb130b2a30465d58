#pragma once

#include "tests/sim/run.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace quorumd::sim {

struct shrink_options {
  run_spec from;
  unsigned jobs = 1;
  std::uint64_t runs_max = 1000; ///< tried
  bool quiet = false;            ///< no progress on standard error
};

/// How large a run is.
struct run_size {
  std::size_t faults = 0; ///< and changes of members
  std::uint64_t nodes = 0;
  std::uint64_t clients = 0;
  double seconds = 0; ///< of virtual time
  std::uint64_t events = 0;
};

struct shrink_result {
  std::string complaint; ///< empty: the run does not fail, and nothing was tried
  run_spec smallest;
  std::string still; ///< what is wrong in the smallest run
  run_size before;
  run_size after;
  std::uint64_t runs = 0;
};

/// Looks for the smallest run that still fails in the same way: leaves out single faults (delta debugging), whole
/// kinds of them, members' changes, flips, sessions, leases, watches, clients and nodes, shortens the trouble, and
/// gives parts of the plan their defaults, until nothing more can go. Each run is a process of its own.
[[nodiscard]] shrink_result shrink(const shrink_options& o);

/// A complaint without what differs from run to run: its numbers, and the operations that it describes.
[[nodiscard]] std::string kind_of_complaint(std::string_view complaint);

} // namespace quorumd::sim
