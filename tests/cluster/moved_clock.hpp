#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace quorumd::testing {

namespace shim {
struct clock_state;
}

/// The clocks of one node (shim/clock.cpp). They go as the machine's until they are moved, also while the node runs.
class moved_clock {
 public:
  explicit moved_clock(const std::string& file);
  moved_clock(const moved_clock&) = delete;
  moved_clock& operator=(const moved_clock&) = delete;
  ~moved_clock();

  /// The wall clock is so far ahead of the machine's, or behind it.
  void set_wall(std::chrono::seconds ahead);
  /// The other clocks stand still.
  void stop();
  /// They go on from where they stood.
  void go_on();
  /// How often the node has read a clock.
  [[nodiscard]] std::uint64_t readings() const;
  /// What has a process read the clocks of that file.
  [[nodiscard]] static std::vector<std::string> environment(const std::string& file);

 private:
  shim::clock_state* state_ = nullptr;
};

} // namespace quorumd::testing
