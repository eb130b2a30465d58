#include "daemon/kv/history.hpp"

#include "consensus/types/invariant.hpp"

#include <algorithm>
#include <iterator>

namespace quorumd::kv {

history::history(const store& s)
    : store_(s)
    , size_(s.changes_.size() - s.making_.subs) {}

std::size_t history::find(change_place p) const {
  const auto begin = store_.changes_.begin();
  const auto end = begin + static_cast<std::ptrdiff_t>(size_);
  const auto earlier = [](const store::noted_change& c, revision r) { return c.at < r; };
  // Mostly asked for what came last: the search widens from there.
  std::size_t near = 1;
  while (near < size_ && at(size_ - near) >= p.at) near *= 2;
  const auto first =
      std::lower_bound(near < size_ ? end - static_cast<std::ptrdiff_t>(near) : begin, end, p.at, earlier);
  const auto i = static_cast<std::size_t>(first - begin);
  if (p.sub == 0) return i;
  if (i + p.sub < size_ && at(i + p.sub) == p.at) return i + p.sub;
  return static_cast<std::size_t>(std::lower_bound(first, end, p.at.next(), earlier) - begin);
}

change_place history::place(std::size_t i) const {
  if (i == size_) return {current().next()};
  const std::size_t first = i == 0 || at(i - 1) != at(i) ? i : find({at(i)});
  return {at(i), static_cast<std::uint32_t>(i - first)};
}

event history::operator[](std::size_t i) const {
  const record& r = *store_.changes_[i].of;
  const std::size_t n = r.up_to(at(i));
  QUORUMD_INVARIANT(n != 0 && r[n - 1].mod == at(i), "a change that is known made a version that is held");
  return event_of(r, n - 1);
}

std::optional<event> history::next_of(std::string_view key, revision from) const {
  const record* r = store_.index_.find(key);
  if (r == nullptr) return std::nullopt;
  const std::size_t n = r->up_to(from.prev());
  if (n == r->size() || (*r)[n].mod > current()) return std::nullopt;
  return event_of(*r, n);
}

/// What lies below the compaction floor does not show, be it freed or not.
event history::event_of(const record& r, std::size_t version) const {
  const kv::version& v = r[version];
  event e;
  e.kv =
      v.tombstone() ? key_value_view{.key = r.key(), .value = {}, .mod_revision = v.mod, .lease = {}} : view_of(r, v);
  e.sub = v.sub;
  if (version != 0 && v.mod > store_.compacted() && !r[version - 1].tombstone()) e.prev = view_of(r, r[version - 1]);
  return e;
}

} // namespace quorumd::kv
