#pragma once

#include <atomic>
#include <cstdint>

namespace quorumd::testing::shim {

/// The file that a process's clocks go by, which it maps. Whoever moves them maps it too.
inline constexpr const char* variable_clock = "CLOCK_SHIM_FILE";

struct clock_state {
  std::atomic<std::int64_t> wall_ahead_ns;
  /// Of the clocks that go on from the machine's start: how far they are behind while they run, and the negative of
  /// what CLOCK_MONOTONIC reads while they stand still.
  std::atomic<std::int64_t> behind_ns;
  std::atomic<std::uint64_t> readings; ///< how often the process has asked for any of them
};
static_assert(std::atomic<std::int64_t>::is_always_lock_free);

} // namespace quorumd::testing::shim
