#pragma once

#include "consensus/types/ids.hpp"
#include "coro/clock.hpp"

#include <cstddef>
#include <deque>
#include <optional>

namespace quorumd::node {

/// Remembers which revision was current when, as far back as history is to be kept. It was current here, so it may have
/// been superseded elsewhere before: what at() says is never later than what was current in the cluster, and history
/// below it is at least that old. A node that has just started knows nothing yet.
///
/// Belongs to the group's loop.
class revision_ages {
 public:
  /// That it is current now, if that is to be remembered: samples are a 64th of `keep` apart. With `keep` of zero
  /// everything is forgotten.
  void note(coro::time_point now, revision current, coro::duration keep);
  /// The latest that is known to have been current then or before; nothing: none is.
  [[nodiscard]] std::optional<revision> at(coro::time_point then) const;
  [[nodiscard]] std::size_t size() const { return samples_.size(); }

 private:
  struct sample {
    coro::time_point when;
    revision current;
  };
  std::deque<sample> samples_; ///< in order of time
};

} // namespace quorumd::node
