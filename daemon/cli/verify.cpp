#include "daemon/cli/verify.hpp"

#include "daemon/cli/text.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>

namespace quorumd::cli {
namespace {

std::optional<std::uint64_t> hash_at(const client::status_row& r, log_index index) {
  for (const client::state_mark& m : r.marks)
    if (m.index == index) return m.hash;
  return std::nullopt;
}

/// 0 if there is none.
log_index highest_in_common(const std::vector<const client::status_row*>& rows) {
  log_index highest;
  for (const client::state_mark& m : rows.front()->marks) {
    const bool everywhere = std::all_of(rows.begin(), rows.end(),
                                        [&](const client::status_row* r) { return hash_at(*r, m.index).has_value(); });
    if (everywhere) highest = std::max(highest, m.index);
  }
  return highest;
}

} // namespace

verification verify(std::span<const client::status_row> rows) {
  verification v;
  std::vector<const client::status_row*> answered;
  for (const client::status_row& r : rows) {
    if (r.error.empty() && r.witness) continue;
    if (r.error.empty())
      answered.push_back(&r);
    else
      v.missing.push_back(r.name);
  }
  if (answered.empty()) return v;
  v.at = highest_in_common(answered);
  if (!v.at) {
    for (const client::status_row* r : answered) v.missing.push_back(r->name);
    return v;
  }
  std::map<std::uint64_t, std::vector<std::string>> holders;
  for (const client::status_row* r : answered) holders[*hash_at(*r, v.at)].push_back(r->name);
  const auto most = std::max_element(holders.begin(), holders.end(),
                                     [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  const bool majority = 2 * most->second.size() > answered.size();
  for (const auto& [hash, names] : holders) {
    auto& to = majority && hash == most->first ? v.same : v.differ;
    to.insert(to.end(), names.begin(), names.end());
  }
  return v;
}

std::string verification_text(const verification& v) {
  const std::string at = " at index " + std::to_string(v.at.value());
  if (!v.differ.empty() && v.same.empty()) return "the states of " + listed(v.differ) + " differ" + at;
  if (!v.differ.empty()) return "the state of " + listed(v.differ) + " differs from that of " + listed(v.same) + at;
  if (!v.at) return "not compared: no index in common yet of " + listed(v.missing);
  std::string out = v.same.size() == 1 ? listed(v.same) + " stands alone" + at
                                       : "the states of " + listed(v.same) + " are equal" + at;
  if (!v.missing.empty()) out += "; not compared: " + listed(v.missing);
  return out;
}

} // namespace quorumd::cli
