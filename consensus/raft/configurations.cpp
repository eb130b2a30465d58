#include "consensus/raft/configurations.hpp"

#include "consensus/types/invariant.hpp"

#include <algorithm>
#include <utility>

namespace quorumd::raft {

configurations::configurations(log_index start, configuration base, const std::vector<entry>& logged)
    : start_(start)
    , base_(std::move(base)) {
  for (const entry& e : logged) append(e);
}

const configuration& configurations::at(log_index index) const {
  const auto after = std::partition_point(logged_.begin(), logged_.end(),
                                          [index](const logged& l) { return l.from.index() <= index; });
  return after == logged_.begin() ? base_ : std::prev(after)->members;
}

void configurations::append(const entry& e) {
  auto decoded = decode_configuration(e.payload());
  QUORUMD_INVARIANT(decoded, "a configuration is checked before it is appended");
  logged_.push_back({e, std::move(decoded->members)});
}

bool configurations::truncate(log_index from) {
  const std::size_t before = logged_.size();
  while (!logged_.empty() && logged_.back().from.index() >= from) logged_.pop_back();
  return logged_.size() != before;
}

void configurations::compact(log_index start) {
  const auto kept = std::partition_point(logged_.begin(), logged_.end(),
                                         [start](const logged& l) { return l.from.index() <= start; });
  if (kept != logged_.begin()) base_ = std::prev(kept)->members;
  logged_.erase(logged_.begin(), kept);
  start_ = start;
}

void configurations::restart(log_index start, configuration base) {
  logged_.clear();
  start_ = start;
  base_ = std::move(base);
}

} // namespace quorumd::raft
