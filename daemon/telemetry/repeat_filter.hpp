#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace quorumd::telemetry {

/// Decides what is worth a line of the log, where somebody outside can make the same thing happen as often as he likes.
/// A line of a kind about a subject is admitted once a second; of different subjects of one kind, which he may choose
/// too, a few. From any thread.
class repeat_filter {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::seconds interval{1};
  static constexpr std::size_t subjects_max = 8; ///< of a kind within the interval

  /// Nothing if the line is to be left out, else how many of its kind were left out since the last that was admitted.
  [[nodiscard]] std::optional<std::uint64_t> admit(std::string_view kind, std::string_view subject, time_point now);

 private:
  struct lines_of_kind {
    std::map<std::string, time_point, std::less<>> last;
    std::uint64_t left_out = 0;
  };

  std::mutex mutex_; // around everything; held for no longer than a look into a small map
  std::map<std::string, lines_of_kind, std::less<>> kinds_;
};

} // namespace quorumd::telemetry
