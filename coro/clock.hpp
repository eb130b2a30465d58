#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace quorumd::coro {

using duration = std::chrono::steady_clock::duration;
using time_point = std::chrono::steady_clock::time_point;

/// The seam for time: monotonic, and virtual in the simulator.
class clock {
 public:
  virtual ~clock() = default;
  [[nodiscard]] virtual time_point now() const = 0;
  /// Microseconds from any beginning; they pass while the machine sleeps, too.
  [[nodiscard]] virtual std::uint64_t boot_us() const {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(now().time_since_epoch()).count());
  }
  /// The caller has done so much work, in visits of records, on its loop. Real time has passed by itself; on virtual
  /// time this is what makes it pass.
  virtual void worked(std::size_t /*visits*/) const {}
};

class steady_clock final : public clock {
 public:
  [[nodiscard]] time_point now() const override { return std::chrono::steady_clock::now(); }
  [[nodiscard]] std::uint64_t boot_us() const override;
};

} // namespace quorumd::coro
