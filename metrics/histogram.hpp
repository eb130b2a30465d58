#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace quorumd::metrics {

/// Counts values in buckets that are at most 1/2^step_bits of their value wide, as HdrHistogram does: a quantile is
/// never below the exact one and at most that share above. Values from 2^value_bits on share the last bucket; `max`
/// and `sum` stay exact. Of a fixed size: recording takes a few nanoseconds and never allocates.
///
/// One writer; others read a copy that its owner made.
template <unsigned step_bits, unsigned value_bits>
class basic_histogram {
 public:
  // Values below 2 * steps have a bucket each; every further doubling has `steps` buckets.
  static constexpr std::uint64_t steps = std::uint64_t{1} << step_bits;
  static constexpr std::size_t bucket_count = (value_bits - step_bits + 1) * steps;
  static constexpr std::uint64_t value_max = ~std::uint64_t{0} >> (64 - value_bits);

  void record(std::uint64_t value, std::uint64_t times = 1) {
    buckets_[bucket_of(std::min(value, value_max))] += times;
    count_ += times;
    sum_ += value * times;
    max_ = std::max(max_, value);
  }
  /// In nanoseconds; a time that ran backwards counts as none.
  void record(std::chrono::nanoseconds d, std::uint64_t times = 1) {
    record(static_cast<std::uint64_t>(std::max<std::chrono::nanoseconds::rep>(d.count(), 0)), times);
  }

  void merge(const basic_histogram& other) {
    for (std::size_t i = 0; i < bucket_count; ++i) buckets_[i] += other.buckets_[i];
    count_ += other.count_;
    sum_ += other.sum_;
    max_ = std::max(max_, other.max_);
  }

  /// What was recorded after `earlier`, a copy of this histogram, was made. Its max is exact if it is a new one, else
  /// the end of its last bucket.
  [[nodiscard]] basic_histogram since(const basic_histogram& earlier) const {
    basic_histogram d;
    std::size_t last = 0;
    for (std::size_t i = 0; i < bucket_count; ++i) {
      d.buckets_[i] = buckets_[i] - std::min(buckets_[i], earlier.buckets_[i]);
      d.count_ += d.buckets_[i];
      if (d.buckets_[i] != 0) last = i;
    }
    d.sum_ = sum_ - std::min(sum_, earlier.sum_);
    if (d.count_ != 0) d.max_ = max_ > earlier.max_ ? max_ : std::min(max_, top_of(last));
    return d;
  }

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t sum() const { return sum_; }
  [[nodiscard]] std::uint64_t max() const { return max_; }
  [[nodiscard]] double mean() const {
    return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
  }
  /// The smallest bucket's upper end at or below which the share q (0 to 1) of the values lies; 0 when empty.
  [[nodiscard]] std::uint64_t quantile(double q) const {
    const auto wanted = static_cast<std::uint64_t>(std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_)));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < bucket_count; ++i) {
      seen += buckets_[i];
      if (seen != 0 && seen >= wanted) return i + 1 == bucket_count ? max_ : std::min(top_of(i), max_);
    }
    return max_;
  }

  /// How many of the values lie in buckets that end at or below it.
  [[nodiscard]] std::uint64_t count_up_to(std::uint64_t value) const {
    std::uint64_t n = 0;
    for (std::size_t i = 0; i < bucket_count && top_of(i) <= value; ++i) n += buckets_[i];
    return n;
  }

  // --- to carry it elsewhere ---
  /// The buckets from the first to the last that is not empty; nothing when all are.
  struct extent {
    std::size_t first = 0;
    std::span<const std::uint64_t> counts;
  };
  [[nodiscard]] extent used() const {
    std::size_t first = 0;
    std::size_t end = bucket_count;
    while (first < end && buckets_[first] == 0) ++first;
    while (end > first && buckets_[end - 1] == 0) --end;
    return {first, std::span(buckets_).subspan(first, end - first)};
  }
  /// Adds so many values of a bucket; those and the totals are what used(), sum() and max() said.
  void add_bucket(std::size_t bucket, std::uint64_t values) {
    buckets_.at(bucket) += values;
    count_ += values;
  }
  void add_totals(std::uint64_t sum, std::uint64_t max) {
    sum_ += sum;
    max_ = std::max(max_, max);
  }

 private:
  static std::size_t bucket_of(std::uint64_t value) {
    const auto width = static_cast<unsigned>(std::bit_width(value));
    const unsigned shift = width > step_bits + 1 ? width - (step_bits + 1) : 0;
    return shift * steps + (value >> shift);
  }
  static std::uint64_t top_of(std::size_t bucket) {
    if (bucket < 2 * steps) return bucket;
    const std::size_t shift = bucket / steps - 1;
    const std::uint64_t mantissa = bucket - shift * steps;
    return ((mantissa + 1) << shift) - 1;
  }

  std::array<std::uint64_t, bucket_count> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
};

/// What a running node records: 3% wide buckets up to 2^40 (18 minutes in nanoseconds, a tebibyte), in 9 KiB.
using histogram = basic_histogram<5, 40>;
/// What the benchmark records: buckets of 0.4%, in 114 KiB.
using fine_histogram = basic_histogram<8, 64>;

} // namespace quorumd::metrics
