#include "daemon/client/verification.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>

namespace quorumd::client {
namespace {

using compared = std::vector<const status_row*>;

std::optional<state_mark> mark_at(const status_row& r, log_index index) {
  for (const state_mark& m : r.marks)
    if (m.index == index) return m;
  return std::nullopt;
}

bool has_mark(const status_row& r, log_index index) {
  return mark_at(r, index).has_value();
}

/// The highest of those that most of them have. 0: none, or none that two have.
log_index best_index(const compared& rows) {
  std::map<log_index, std::size_t> holders;
  for (const status_row* r : rows)
    for (const state_mark& m : r->marks) ++holders[m.index];
  log_index best;
  std::size_t most = rows.size() == 1 ? 1 : 2;
  for (const auto& [index, count] : holders) {
    if (count < most) continue;
    most = count;
    best = index;
  }
  return best;
}

/// What all of them have a mark for, ascending.
std::set<log_index> common_indexes(const compared& rows) {
  std::set<log_index> all;
  for (const state_mark& m : rows.front()->marks)
    if (std::all_of(rows.begin(), rows.end(), [&](const status_row* r) { return has_mark(*r, m.index); }))
      all.insert(m.index);
  return all;
}

void find_where(const compared& rows, verification& v) {
  for (const log_index index : common_indexes(rows)) {
    const state_mark first = *mark_at(*rows.front(), index);
    const bool equal = std::all_of(rows.begin(), rows.end(),
                                   [&](const status_row* r) { return mark_at(*r, index)->hash == first.hash; });
    if (!equal) {
      v.unequal = first;
      return;
    }
    v.equal = first;
  }
}

} // namespace

verification verify(std::span<const status_row> rows) {
  verification v;
  compared answered;
  std::size_t all = 0;
  for (const status_row& r : rows) {
    if (r.error.empty() && r.witness) continue;
    ++all;
    if (r.error.empty())
      answered.push_back(&r);
    else
      v.missing.push_back(r.name);
  }
  if (answered.empty()) return v;
  v.at = best_index(answered);
  std::erase_if(answered, [&](const status_row* r) {
    if (v.at && has_mark(*r, v.at)) return false;
    v.missing.push_back(r->name);
    return true;
  });
  if (answered.empty()) return v;
  std::map<std::uint64_t, std::vector<std::string>> holders;
  for (const status_row* r : answered) holders[mark_at(*r, v.at)->hash].push_back(r->name);
  const auto most = std::max_element(holders.begin(), holders.end(),
                                     [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  const bool agreed = holders.size() == 1 || 2 * most->second.size() > all;
  for (const auto& [hash, names] : holders) {
    auto& to = agreed && hash == most->first ? v.same : v.differ;
    to.insert(to.end(), names.begin(), names.end());
  }
  if (!v.differ.empty()) find_where(answered, v);
  return v;
}

} // namespace quorumd::client
