#include "daemon/node/consistency.hpp"

#include <algorithm>
#include <chrono>

namespace quorumd::node {
namespace {

constexpr auto after_start = std::chrono::seconds(1); // the streams stand by then

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i)
    text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return text;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

} // namespace

void consistency::keep_house(coro::time_point now) {
  if (options_.every <= options_.every.zero()) return;
  if (next_ == coro::time_point()) next_ = now + std::min<coro::duration>(options_.every, after_start);
  if (now < next_) return;
  next_ = now + options_.every;
  seams_.status.collect(now, [this](const std::vector<client::status_row>& rows) { compare(rows); });
}

/// The revisions of which the first is the one at which the states part.
std::string consistency::describe(const client::verification& v, const std::string& who) const {
  std::vector<std::string> others = v.same;
  if (others.empty()) others = v.differ;
  std::erase(others, who);
  std::string text = "its state differs from that of " + joined(others) + " at index " + std::to_string(v.at.value());
  const client::state_mark equal = v.equal.index ? v.equal : equal_;
  const revision from = std::min(equal.revision.next(), v.unequal.revision);
  if (v.unequal.revision)
    text += ", first between revisions " + std::to_string(from.value()) + " and " +
            std::to_string(v.unequal.revision.value());
  if (v.same.empty()) text += ", and no majority of the members agrees on which is right";
  return text;
}

std::vector<client::status_row> comparable(std::vector<client::status_row> rows) {
  for (client::status_row& r : rows)
    if (r.error.empty() && r.speaks != client::protocol_level) r.error = "it runs another version";
  return rows;
}

void consistency::compare(const std::vector<client::status_row>& answers) {
  const std::vector<client::status_row> rows = comparable(answers);
  const client::verification v = client::verify(rows);
  if (v.differ.empty() && v.same.size() > 1)
    for (const client::status_row& r : rows)
      for (const client::state_mark& m : r.marks)
        if (m.index == v.at) equal_ = m;
  std::erase_if(corrupt_, [&](const auto& c) { // a member that is none any more is forgotten, too
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const auto& r) { return r.id == c.first; });
    return row == rows.end() || contains(v.same, row->name);
  });
  const std::size_t all =
      static_cast<std::size_t>(std::count_if(rows.begin(), rows.end(), [](const auto& r) { return !r.witness; }));
  for (const client::status_row& r : rows)
    if (r.error.empty() && contains(v.differ, r.name)) corrupt_[r.id] = describe(v, r.name);
  if (contains(v.differ, seams_.name))
    seams_.judged(describe(v, seams_.name));
  else if (contains(v.same, seams_.name) && 2 * v.same.size() > all)
    seams_.judged({});
}

} // namespace quorumd::node
