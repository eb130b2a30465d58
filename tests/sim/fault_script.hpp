#pragma once

#include "consensus/types/ids.hpp"
#include "coro/clock.hpp"
#include "tests/sim/prng.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace quorumd::sim {

/// What can go wrong at one moment of a run.
enum class fault_kind : std::uint8_t {
  crash,
  crash_within_write,
  crash_all,
  stop,
  partition,
  one_way,
  cut,
  pause,
  slow_disk,
  full_disk,
  failing_sync,
  slow_candidate,  ///< the disk of who stands for election, or won
  crash_candidate, ///< who stood for election a moment ago, or won
  split,           ///< those who stay do not hear those whom a change of members concerns
  change,          ///< of members, or a disk that is lost, or the leadership handed over
  count,
};

inline constexpr std::array<std::string_view, static_cast<std::size_t>(fault_kind::count)> fault_names{
    "crash",     "crash-within-write", "crash-all",    "stop",           "partition",       "one-way", "cut",   "pause",
    "slow-disk", "full-disk",          "failing-sync", "slow-candidate", "crash-candidate", "split",   "change"};
[[nodiscard]] constexpr std::string_view name_of(fault_kind k) {
  return fault_names[static_cast<std::size_t>(k)];
}

/// A fault, as it can be repeated: all that it draws is drawn from a state that is its own.
struct fault {
  std::uint64_t number = 0; ///< from 1, in the order of their happening; 0: a turn at which nothing may be left out
  fault_kind kind = fault_kind::crash;
  coro::time_point due;
  prng random{0};
  node_id who;               ///< of those that meet a candidate
  std::uint64_t staying = 0; ///< of a split: bit n for member n
};
static_assert(std::is_trivially_copyable_v<fault>, "it is written to another process as it is");

/// What a repeated run leaves out.
struct left_out {
  std::set<fault_kind> kinds;
  std::set<std::uint64_t> numbers;
};

/// The faults of a run. Drawn ones are numbered and told; else they are those of an earlier run, at the same moments,
/// and nothing that is left out moves another.
class fault_script {
 public:
  using listener = std::function<void(const fault&)>;

  /// Draws; whoever listens is told of each fault before it happens.
  explicit fault_script(listener l = {})
      : listener_(std::move(l)) {}
  fault_script(std::vector<fault> earlier, left_out without)
      : repeated_(std::move(earlier))
      , without_(std::move(without)) {}

  /// Whether the faults are an earlier run's.
  [[nodiscard]] bool repeats() const { return repeated_.has_value(); }
  /// Of the earlier run, in order; stays as it is.
  [[nodiscard]] const std::vector<fault>& earlier() const { return *repeated_; }
  /// Numbers one that was drawn.
  fault drawn(fault f) {
    f.number = ++numbered_;
    if (listener_) listener_(f);
    return f;
  }
  /// Tells of a moment at which time stopped for no fault.
  fault turn(fault f) const {
    if (listener_) listener_(f);
    return f;
  }
  [[nodiscard]] bool leaves_out(const fault& f) const {
    return without_.kinds.contains(f.kind) || without_.numbers.contains(f.number);
  }

 private:
  listener listener_;
  std::optional<std::vector<fault>> repeated_;
  left_out without_;
  std::uint64_t numbered_ = 0;
};

} // namespace quorumd::sim
