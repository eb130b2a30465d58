#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace quorumd::cli {

/// Counts values from 0 to 2^63 in buckets that are at most 1/256 of their value wide, so that a quantile is never
/// below the exact one and at most that much above. Recording is a few nanoseconds and never allocates.
class histogram {
 public:
  histogram();

  void record(std::uint64_t value);
  void merge(const histogram& other);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  /// Exact; 0 when empty.
  [[nodiscard]] std::uint64_t max() const { return max_; }
  /// The smallest bucket's upper end at or below which the share q (0 to 1) of the values lies; 0 when empty.
  [[nodiscard]] std::uint64_t quantile(double q) const;

 private:
  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

} // namespace quorumd::cli
