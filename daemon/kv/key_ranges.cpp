#include "daemon/kv/key_ranges.hpp"

#include <algorithm>
#include <iterator>

namespace quorumd::kv {

void key_ranges::add(std::string_view key, std::string_view range_end) {
  if (!below(key, range_end)) return;
  auto at = ranges_.upper_bound(key);
  if (at != ranges_.begin() && below(key, std::prev(at)->second)) {
    --at;
    key = at->first;
  }
  while (at != ranges_.end() && below(at->first, range_end)) {
    if (at->second == no_end || (range_end != no_end && range_end < at->second)) range_end = at->second;
    at = ranges_.erase(at);
  }
  ranges_.emplace(key, range_end);
}

bool key_ranges::contains(std::string_view key) const {
  const auto after = ranges_.upper_bound(key);
  return after != ranges_.begin() && below(key, std::prev(after)->second);
}

bool key_changes::put(std::string_view key) {
  return !erases(key) && put_.insert(key).second;
}

bool key_changes::erase(std::string_view key, std::string_view range_end) {
  if (range_end.empty()) {
    erased_.insert(key);
    return !put_.contains(key);
  }
  erased_ranges_.add(key, range_end);
  return !puts_within(key, range_end);
}

bool key_changes::puts_within(std::string_view key, std::string_view range_end) const {
  const auto first = put_.lower_bound(key);
  return first != put_.end() && below(*first, range_end);
}

bool key_changes::conflicts(const key_changes& other) const {
  const auto changes = [this](std::string_view key) { return put_.contains(key) || erases(key); };
  const auto puts = [this](std::string_view key) { return put_.contains(key); };
  const auto puts_any = [this](const auto& range) { return puts_within(range.first, range.second); };
  return std::any_of(other.put_.begin(), other.put_.end(), changes) ||
         std::any_of(other.erased_.begin(), other.erased_.end(), puts) ||
         std::any_of(other.erased_ranges_.begin(), other.erased_ranges_.end(), puts_any);
}

void key_changes::merge(const key_changes& other) {
  put_.insert(other.put_.begin(), other.put_.end());
  erased_.insert(other.erased_.begin(), other.erased_.end());
  for (const auto& [key, range_end] : other.erased_ranges_) erased_ranges_.add(key, range_end);
}

} // namespace quorumd::kv
