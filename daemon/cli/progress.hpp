#pragma once

#include "coro/clock.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace quorumd::cli {

/// One line, redrawn in place on standard error while a long command runs. On anything but a terminal it is silent.
class progress_bar {
 public:
  /// `what` is counted, as in `imported`.
  progress_bar(std::string_view what, coro::time_point now);
  progress_bar(const progress_bar&) = delete;
  progress_bar& operator=(const progress_bar&) = delete;
  ~progress_bar() { clear(); }

  /// Draws, at most ten times a second. `share` is how much is done, 0 to 1; negative if that is not known.
  void update(double share, std::uint64_t count, coro::time_point now);

  /// Clears the line, so that something else can be printed.
  void clear();

  /// The line for a terminal so many columns wide.
  [[nodiscard]] static std::string render(std::string_view what, double share, std::uint64_t count, double per_second,
                                          std::size_t columns);

 private:
  std::string what_;
  coro::time_point started_;
  coro::time_point drawn_{};
  bool terminal_;
  bool visible_ = false;
};

} // namespace quorumd::cli
