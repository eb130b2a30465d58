#pragma once

#include <cstdint>

namespace quorumd::model {

/// Random runs of bare cores (tests/consensus/raft/random_run.hpp), one after the other.
struct random_sweep {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  std::uint64_t nodes = 3;
  bool changes = false;  ///< of the members
  bool validate = false; ///< each step is held against the specification
};

/// Prints what the runs met and how many events they took a second of one processor: inputs of a core, which are ticks,
/// messages, writes that became durable, commands and the like. 0 if nothing broke, else 1.
[[nodiscard]] int run_sweep(const random_sweep& s);

} // namespace quorumd::model
