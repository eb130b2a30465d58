#pragma once

#include "tests/sim/fault_script.hpp"
#include "tests/sim/plan.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace quorumd::sim {

/// Beside the kinds of faults: what else a run can be without.
inline constexpr std::array<std::string_view, 4> other_things{"flips", "sessions", "leases", "watches"};
/// Parts of a plan that can be as they are by default, and not as drawn.
inline constexpr std::array<std::string_view, 9> plan_parts{"costs",     "network", "lines",     "workers", "log",
                                                            "consensus", "node",    "snapshots", "streams"};

/// How a run differs from that of its seed alone, so that what failed is found again in a smaller one. As soon as
/// anything differs, the faults are those of the seed's own run, at the same moments.
struct overrides {
  left_out without;
  std::set<std::string_view> without_others; ///< of other_things
  std::set<std::string_view> plain;          ///< of plan_parts
  std::optional<std::uint64_t> clients;      ///< at least 1
  std::optional<std::uint64_t> nodes;        ///< 1 to 7
  std::optional<std::chrono::milliseconds> trouble;

  [[nodiscard]] bool any() const;
  void apply(plan& p) const;
  /// As on the command line, with a space before each option; empty if nothing differs.
  [[nodiscard]] std::string text() const;
  /// Takes an option of the command line, by its name without dashes and its value. Empty, or what is wrong with the
  /// value, naming the culprit; nothing if it is none of these options.
  [[nodiscard]] std::optional<std::string> take(std::string_view option, std::string_view value);
};

/// As a mistake names what was typed.
[[nodiscard]] std::string quoted(std::string_view typed);

/// Numbers and ranges as people write them, "1-4,7".
[[nodiscard]] std::string text_of(const std::set<std::uint64_t>& numbers);

} // namespace quorumd::sim
