#pragma once

#include "coro/clock.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace quorumd::sim {

/// Something that a person wants to know of a run: a moment, the beginning of what goes on, or its end.
struct told {
  enum class topic : std::uint8_t {
    phase,
    leads,
    down,
    pause,
    slow_disk,
    full_disk,
    link,
    fault,
    member,
    snapshot,
    wrong,
    stands,
    operation
  };
  enum class part : std::uint8_t { moment, begins, ends, all_end };

  topic of = topic::phase;
  part what = part::moment;
  std::uint64_t which = 0; ///< of what goes on several times at once, each of which ends by itself: a node, a number
  std::string text;        ///< empty at an end
  std::uint64_t fault = 0; ///< the number of the fault that did it, where there is one

  static told moment(topic t, std::string text) { return {t, part::moment, 0, std::move(text)}; }
  static told begins(topic t, std::uint64_t which, std::string text) {
    return {t, part::begins, which, std::move(text)};
  }
  static told ends(topic t, std::uint64_t which) { return {t, part::ends, which, {}}; }
  /// Everything of that topic.
  static told all_end(topic t) { return {t, part::all_end, 0, {}}; }
};

using told_to = std::function<void(coro::time_point, const told&)>;

} // namespace quorumd::sim
