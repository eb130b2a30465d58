#pragma once

#include "tests/sim/run.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace quorumd::sim {

/// What the command line asks for.
struct arguments {
  enum class task : std::uint8_t { none, one, report, explain, shrink, seeds, minutes, mutants, list };

  task what = task::none;
  run_spec spec; ///< of one run; of a sweep the mutant alone
  std::pair<std::uint64_t, std::uint64_t> seeds;
  std::chrono::duration<double> minutes{};
  std::optional<std::uint64_t> from;
  std::uint64_t within = 400;
  unsigned jobs = 2;
  bool trace = false;
  bool twice = false;
};

/// Reads them; empty, or what is wrong, naming the culprit.
[[nodiscard]] std::string parse(int argc, const char* const* argv, arguments& a);

} // namespace quorumd::sim
