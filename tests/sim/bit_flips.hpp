#pragma once

#include "consensus/storage/wal.hpp"
#include "tests/sim/counters.hpp"
#include "tests/sim/prng.hpp"
#include "tests/support/memory_files.hpp"

#include <string>

namespace quorumd::sim {

/// Disks decay: one bit of a node's log is flipped on a copy of its disk, and the copy is recovered as a start would.
/// Either the start refuses, or the flip changes nothing that the log remembers; all that may be lost is the very last
/// batch, which cannot be told from one that was never finished (docs/disk-format.md).
class bit_flips {
 public:
  bit_flips(storage::wal_options o, prng p, counters& c)
      : options_(o)
      , random_(p)
      , counters_(c) {}

  /// One flip, at a place that the seed chooses. Empty, or what went unnoticed.
  [[nodiscard]] std::string try_one(const testing::memory_files& disk);

 private:
  const storage::wal_options options_;
  prng random_;
  counters& counters_;
};

} // namespace quorumd::sim
