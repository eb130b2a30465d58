#include "daemon/node/revision_ages.hpp"

#include <algorithm>
#include <iterator>

namespace quorumd::node {
namespace {
constexpr int samples_in_keep = 64;
constexpr std::size_t age_samples_max = 256;
} // namespace

void revision_ages::note(coro::time_point now, revision current, coro::duration keep) {
  if (keep <= keep.zero()) {
    samples_.clear();
    return;
  }
  // One that is old enough is needed, and no older ones.
  while (samples_.size() >= 2 && samples_[1].when <= now - keep) samples_.pop_front();
  if (!samples_.empty() && now - samples_.back().when < keep / samples_in_keep) return;
  // More than there are in one `keep`: it was shorter once, and they are closer than need be.
  if (samples_.size() >= age_samples_max) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < samples_.size(); i += 2) samples_[kept++] = samples_[i];
    samples_.resize(kept);
  }
  samples_.push_back({now, current});
}

std::optional<revision> revision_ages::at(coro::time_point then) const {
  const auto later = std::upper_bound(samples_.begin(), samples_.end(), then,
                                      [](coro::time_point t, const sample& s) { return t < s.when; });
  if (later == samples_.begin()) return std::nullopt;
  return std::prev(later)->current;
}

} // namespace quorumd::node
