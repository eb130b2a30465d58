#include "daemon/cli/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace quorumd::cli {
namespace {

// Values below 2 * steps have a bucket each; every further doubling has `steps` buckets.
constexpr unsigned step_bits = 8;
constexpr std::uint64_t steps = std::uint64_t{1} << step_bits;
constexpr std::size_t bucket_count = (64 - step_bits) * steps + steps;

unsigned shift_of(std::uint64_t value) {
  const unsigned width = static_cast<unsigned>(std::bit_width(value));
  return width > step_bits + 1 ? width - (step_bits + 1) : 0;
}

std::size_t bucket_of(std::uint64_t value) {
  const unsigned shift = shift_of(value);
  return shift * steps + (value >> shift);
}

std::uint64_t top_of(std::size_t bucket) {
  if (bucket < 2 * steps) return bucket;
  const std::size_t shift = bucket / steps - 1;
  const std::uint64_t mantissa = bucket - shift * steps;
  return ((mantissa + 1) << shift) - 1;
}

} // namespace

histogram::histogram()
    : buckets_(bucket_count) {}

void histogram::record(std::uint64_t value) {
  ++buckets_[bucket_of(value)];
  ++count_;
  max_ = std::max(max_, value);
}

void histogram::merge(const histogram& other) {
  for (std::size_t i = 0; i < bucket_count; ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

std::uint64_t histogram::quantile(double q) const {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < bucket_count; ++i) {
    seen += buckets_[i];
    if (seen != 0 && seen >= wanted) return std::min(top_of(i), max_);
  }
  return max_;
}

} // namespace quorumd::cli
