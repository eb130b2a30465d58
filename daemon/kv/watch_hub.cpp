#include "daemon/kv/watch_hub.hpp"

#include "consensus/types/invariant.hpp"

#include <algorithm>
#include <utility>

namespace quorumd::kv {

watch_hub::watch_hub(const store& s, const watch_hub_options& o)
    : options_(o)
    , store_(&s)
    , delivered_(s.current()) {}

watch_hub::~watch_hub() = default;

result<watch_id> watch_hub::add(const watch_options& o, watch_sink& to, std::uint64_t tag) {
  constexpr std::string_view least_key{"\0", 1};
  const std::string_view key = o.key.empty() ? least_key : o.key;
  if (!o.range_end.empty() && !below(key, o.range_end)) return error(errc::range_empty);
  const revision current = store_->current();
  const bool from_history = o.start && o.start <= current;
  if (from_history && o.start < store_->history_floor()) return error(errc::compacted, store_->history_floor());

  group& g = group_of(key, o);
  ++g.size;
  std::unique_ptr<audience>& a = audiences_[&to];
  if (!a) a = std::make_unique<audience>(audience{.sink = &to, .stalled = {}, .starts = {}});
  ++a->size;
  const watch_id id(++last_id_);
  watcher& w = *watchers_
                    .emplace(id, std::make_unique<watcher>(watcher{
                                     .id = id, .tag = tag, .of = &g, .to = a.get(), .starts_later = {}, .next = {}}))
                    .first->second;
  if (from_history) {
    pursue(w, {o.start, o.start_sub});
    return id;
  }
  w.next = o.start ? change_place{o.start, o.start_sub} : change_place{current.next()};
  if (o.start) a->starts.insert(w.starts_later = o.start);
  step_in(w);
  return id;
}

void watch_hub::cancel(watch_id id) {
  if (const auto at = watchers_.find(id); at != watchers_.end()) forget(*at->second);
}

void watch_hub::resume(watch_sink& s) {
  const auto at = audiences_.find(&s);
  if (at == audiences_.end()) return;
  for (watcher* w : std::exchange(at->second->stalled, {})) {
    w->stalled = false;
    if (options_.bugs.skip_on_resume) ++w->next.sub;
    pursue(*w, w->next);
  }
}

/// What is half delivered is delivered anew to those that have nothing of it: its parts fall as they did.
void watch_hub::replace(const store& s) {
  QUORUMD_INVARIANT(s.current() >= delivered_, "a snapshot takes a store forward");
  running_.reset();
  settle_groups();
  store_ = &s;
}

std::optional<revision> watch_hub::progress(watch_id id) const {
  const auto at = watchers_.find(id);
  if (at == watchers_.end()) return std::nullopt;
  const watcher& w = *at->second;
  if (w.catching != nullptr) return w.catching->next.at.prev();
  if (w.stalled) return w.next.at.prev();
  return std::min(store_->current(), std::max(delivered_, w.next.at.prev()));
}

bool watch_hub::in_step(watch_sink& s) {
  const auto at = audiences_.find(&s);
  if (at == audiences_.end() || delivered_ != store_->current()) return false;
  audience& a = *at->second;
  a.starts.erase(a.starts.begin(), a.starts.upper_bound(delivered_));
  return a.in_step == a.size && a.starts.empty();
}

// --- groups ---

watch_hub::group& watch_hub::group_of(std::string_view key, const watch_options& o) {
  std::string_view kept_key;
  std::string_view kept_end;
  groups* all = nullptr;
  if (o.range_end.empty()) {
    auto at = by_key_.find(key);
    if (at == by_key_.end()) {
      auto made = std::make_unique<single>(single{std::string(key), {}});
      const std::string_view name = made->key;
      at = by_key_.emplace(name, std::move(made)).first;
    }
    kept_key = at->first;
    all = &at->second->value;
  } else {
    auto& entry = by_range_.at(key, o.range_end);
    kept_key = entry.key;
    kept_end = entry.range_end;
    all = &entry.value;
  }
  for (const std::unique_ptr<group>& g : *all)
    if (g->no_put == o.no_put && g->no_delete == o.no_delete && g->prev_kv == o.prev_kv) return *g;
  all->push_back(std::make_unique<group>(group{.key = kept_key,
                                               .range_end = kept_end,
                                               .no_put = o.no_put,
                                               .no_delete = o.no_delete,
                                               .prev_kv = o.prev_kv,
                                               .in_step = {},
                                               .pending = {}}));
  return *all->back();
}

void watch_hub::drop_if_unused(group& g) {
  if (g.size != 0 || g.touched) return;
  const std::string key(g.key);
  const std::string range_end(g.range_end);
  groups& all = range_end.empty() ? by_key_.find(key)->second->value : by_range_.at(key, range_end).value;
  std::erase_if(all, [&](const std::unique_ptr<group>& each) { return each.get() == &g; });
  if (!all.empty()) return;
  if (range_end.empty())
    by_key_.erase(key);
  else
    by_range_.erase(key, range_end);
}

// --- a watcher's places ---

void watch_hub::put_into(list& l, watcher& w) {
  w.slot = l.size();
  l.push_back(&w);
}

void watch_hub::take_out(list& l, const watcher& w) {
  l[w.slot] = l.back();
  l[w.slot]->slot = w.slot;
  l.pop_back();
}

void watch_hub::step_in(watcher& w) {
  if (in_step_ == 0 && !running_) delivered_ = store_->current(); // to nobody
  put_into(w.of->in_step, w);
  ++w.to->in_step;
  ++in_step_;
}

void watch_hub::step_out(watcher& w) {
  list& all = w.of->in_step;
  if (flushing_ == w.of && w.slot < flushed_) { // those that were served stay in front of the others
    watcher* last = all[--flushed_];
    std::swap(all[w.slot], all[flushed_]);
    std::swap(last->slot, w.slot);
  }
  take_out(all, w);
  --w.to->in_step;
  --in_step_;
}

/// It has left the list that it was in.
void watch_hub::stall(watcher& w, change_place next) {
  w.next = next;
  w.stalled = true;
  put_into(w.to->stalled, w);
}

void watch_hub::forget(watcher& w) {
  if (w.catching != nullptr)
    leave_pursuit(w);
  else if (w.stalled)
    take_out(w.to->stalled, w);
  else
    step_out(w);
  audience& a = *w.to;
  if (const auto at = a.starts.find(w.starts_later); w.starts_later && at != a.starts.end()) a.starts.erase(at);
  if (--a.size == 0) audiences_.erase(a.sink);
  --w.of->size;
  drop_if_unused(*w.of);
  watchers_.erase(w.id);
}

} // namespace quorumd::kv
