#include "tests/sim/checkers/change_history.hpp"

#include <algorithm>
#include <utility>

namespace quorumd::sim {

std::string describe(const seen_change& c) {
  const std::string where = " (change " + std::to_string(c.sub) + " of revision " + std::to_string(c.is.mod) + ")";
  if (c.is.number == 0) return "deletion of " + c.key + where;
  return "put of " + c.key + ", version " + std::to_string(c.is.number) + where;
}

complaint change_history::add(std::uint64_t revision, std::vector<seen_change> changes) {
  if (revision != last() + 1)
    return "revision " + std::to_string(revision) + " was made after revision " + std::to_string(last());
  firsts_.push_back(all_.size());
  for (std::size_t i = 0; i != changes.size(); ++i) {
    seen_change& c = changes[i];
    if (c.place() != history_place{revision, static_cast<std::uint32_t>(i)})
      return "revision " + std::to_string(revision) + " has a " + describe(c) + " as its change " + std::to_string(i);
    const auto before = present_.find(c.key);
    c.prev.reset();
    if (before != present_.end()) c.prev = before->second;
    if (c.is.number != 0)
      present_[c.key] = c.is;
    else if (before == present_.end())
      return "a key was deleted that was not there: " + describe(c);
    else
      present_.erase(before);
    all_.push_back(std::move(c));
  }
  return changes.empty() ? "revision " + std::to_string(revision) + " changed nothing" : complaint();
}

std::size_t change_history::find(history_place p) const {
  if (p.revision > last()) return all_.size();
  if (p.revision == 0) return 0;
  const std::size_t first = firsts_[p.revision - 1];
  const std::size_t end = p.revision == last() ? all_.size() : firsts_[p.revision];
  return std::min(first + p.sub, end);
}

std::vector<std::string> change_history::keys_of(std::uint64_t lease) const {
  std::vector<std::string> keys;
  for (const auto& [key, version] : present_)
    if (version.lease == lease) keys.push_back(key);
  return keys;
}

} // namespace quorumd::sim
