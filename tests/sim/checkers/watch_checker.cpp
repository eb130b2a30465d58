#include "tests/sim/checkers/watch_checker.hpp"

#include <algorithm>

namespace quorumd::sim {

bool watch_wish::wants(const seen_change& c) const {
  const bool within = end.empty() ? c.key == key : c.key >= key && (end == std::string(1, '\0') || c.key < end);
  return within && !(c.is.number == 0 ? no_delete : no_put);
}

complaint watch_checker::delivered(const change_history& h, std::span<const seen_change> got, bool more,
                                   std::uint64_t through, std::uint64_t compacted) {
  if (got.empty()) return "a delivery of nothing";
  if (through > h.last()) return "a delivery through revision " + std::to_string(through) + ", which is not committed";
  const history_place last = got.back().place();
  if (more && last.revision != through + 1)
    return "a part of revision " + std::to_string(last.revision) + " came as if all of revision " +
           std::to_string(through + 1) + " were to follow";
  const history_place then = more ? history_place{last.revision, last.sub + 1} : history_place{through + 1};
  std::size_t n = 0;
  for (std::size_t i = h.find(next_); i < h.find(then); ++i) {
    if (!wish_.wants(h[i])) continue;
    seen_change wanted = h[i];
    if (!wish_.prev_kv || wanted.is.mod <= compacted) wanted.prev.reset();
    if (n == got.size() || got[n].place() != wanted.place()) return "the " + describe(wanted) + " is missing";
    if (got[n] != wanted) return "the " + describe(wanted) + " came as another one, or with another predecessor";
    ++n;
  }
  if (n != got.size()) return "the " + describe(got[n]) + " came unasked";
  if (more) {
    bool follows = false;
    for (std::size_t i = h.find(then); i < h.find({last.revision + 1}); ++i) follows = follows || wish_.wants(h[i]);
    if (!follows) return "more of revision " + std::to_string(last.revision) + " is promised than there is";
  }
  next_ = then;
  return {};
}

complaint watch_checker::has_all(const change_history& h, std::uint64_t through) {
  const history_place then{through + 1};
  for (std::size_t i = h.find(next_); i < h.find(then); ++i)
    if (wish_.wants(h[i]))
      return "the " + describe(h[i]) + " never came, and all up to revision " + std::to_string(through) + " is said to";
  next_ = std::max(next_, then);
  return {};
}

complaint watch_checker::cancelled(std::uint64_t floor) {
  if (next_.revision >= floor)
    return "cancelled below revision " + std::to_string(floor) + ", though it needs revision " +
           std::to_string(next_.revision) + " next";
  next_ = {floor};
  return {};
}

} // namespace quorumd::sim
