#pragma once

#include <chrono>
#include <cstddef>

namespace quorumd::coro {

using duration = std::chrono::steady_clock::duration;
using time_point = std::chrono::steady_clock::time_point;

/// The seam for time: monotonic, and virtual in the simulator.
class clock {
 public:
  virtual ~clock() = default;
  [[nodiscard]] virtual time_point now() const = 0;
  /// The caller has done so much work, in visits of records, on its loop. Real time has passed by itself; on virtual
  /// time this is what makes it pass.
  virtual void worked(std::size_t /*visits*/) const {}
};

class steady_clock final : public clock {
 public:
  [[nodiscard]] time_point now() const override { return std::chrono::steady_clock::now(); }
};

} // namespace quorumd::coro
