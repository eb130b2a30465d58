#include "daemon/kv/watch_hub.hpp"

#include <algorithm>
#include <utility>

namespace quorumd::kv {

bool watch_hub::advance(std::size_t visits_max) {
  if (!running_) {
    if (in_step_ == 0) delivered_ = store_->current();
    if (delivered_ == store_->current()) return true;
    visits_ = visits();
    work_.emplace(); // of one that was given up a place would be left
    running_.emplace(deliver_new());
  }
  if (!running_->run(*work_, visits_max)) return false;
  running_.reset();
  return true;
}

sliced<bool> watch_hub::deliver_new() {
  while (delivered_ != store_->current()) {
    if (delivered_.next() < store_->history_floor()) {
      co_await cancel_lost();
      continue;
    }
    const revision r = in_step_ == 0 ? revision() : next_change();
    if (!r) {
      delivered_ = store_->current();
      continue;
    }
    const bool known = co_await deliver_revision(r);
    settle_groups();
    if (known) delivered_ = r;
  }
  co_return true;
}

/// The first revision to be delivered that changed something; 0: none.
revision watch_hub::next_change() const {
  const history h(*store_);
  const std::size_t first = h.find({delivered_.next()});
  return first == h.size() ? revision() : h.at(first);
}

/// False: it was compacted away meanwhile.
sliced<bool> watch_hub::deliver_revision(revision r) {
  for (std::uint32_t sub = 0;; ++sub) {
    if (!work_->spend()) co_await work_->pause();
    std::size_t bytes = 0;
    std::size_t bytes_with_prev = 0;
    {
      const history h(*store_);
      if (r < h.floor()) co_return false;
      const std::size_t i = h.find({r, sub});
      if (i == h.size() || h.at(i) != r) break;
      const event e = h[i];
      find_groups(e);
      bytes = event_bytes(e, false);
      bytes_with_prev = event_bytes(e, true);
    }
    for (group* g : hits_) {
      if (!work_->spend()) co_await work_->pause();
      const std::size_t more = g->prev_kv ? bytes_with_prev : bytes;
      if (!g->pending.empty() && g->pending_bytes + more > options_.batch_bytes_max) {
        const bool known = co_await flush(*g, r, {r, sub});
        if (!known) co_return false;
      }
      g->pending.push_back(sub);
      g->pending_bytes += more;
    }
  }
  for (group* g : touched_) {
    const bool known = co_await flush(*g, r, {r.next()});
    if (!known) co_return false;
  }
  co_return true;
}

/// The groups in step that want the event. Until settle_groups() none of them goes.
void watch_hub::find_groups(const event& e) {
  hits_.clear();
  const auto take = [&](const groups& all) {
    for (const std::unique_ptr<group>& g : all) {
      if (g->in_step.empty() || !g->wants(e)) continue;
      hits_.push_back(g.get());
      if (!std::exchange(g->touched, true)) touched_.push_back(g.get());
    }
  };
  if (const auto at = by_key_.find(e.kv.key); at != by_key_.end()) take(at->second->value);
  by_range_.for_each_at(e.kv.key, take);
}

/// Delivers what is pending of the revision, after which the watchers go on at `then`. False: it was compacted away.
sliced<bool> watch_hub::flush(group& g, revision r, change_place then) {
  const change_place first{r, g.pending.front()};
  delivery d{.events = {}, .more = then.at == r, .through = then.at.prev(), .number = ++deliveries_};
  revision compacted = store_->compacted();
  flushing_ = &g;
  flushed_ = 0;
  for (bool slice_begins = true; flushed_ != g.in_step.size();) {
    if (slice_begins) {
      const history h(*store_);
      if (r < h.floor()) co_return false;
      const std::size_t base = h.find({r});
      events_.clear();
      for (const std::uint32_t sub : g.pending) {
        events_.push_back(h[base + sub]);
        if (!g.prev_kv) events_.back().prev.reset();
      }
      d.events = events_;
      // What was replaced at the revision is unknown once that is the compacted one: it is another delivery then.
      if (compacted != store_->compacted()) d.number = ++deliveries_;
      compacted = store_->compacted();
      slice_begins = false;
    }
    bool spent = false;
    audience& to = *g.in_step[flushed_]->to;
    tags_.clear();
    while (flushed_ != g.in_step.size() && g.in_step[flushed_]->to == &to && tags_.size() != run_max && !spent) {
      watcher& w = *g.in_step[flushed_];
      spent = !work_->spend();
      if (w.next >= then) { // it has it already, or starts later
        ++flushed_;
      } else if (w.next > first) { // it starts in the midst of it
        step_out(w);
        pursue(w, w.next);
      } else if (to.sink->has_room(w.tag, g.pending_bytes)) {
        w.next = then;
        tags_.push_back(w.tag);
        ++flushed_;
      } else {
        step_out(w);
        stall(w, first);
      }
    }
    if (!tags_.empty()) to.sink->deliver(d, tags_);
    if (spent) co_await work_->pause();
    slice_begins = spent;
  }
  flushing_ = nullptr;
  g.pending.clear();
  g.pending_bytes = 0;
  co_return true;
}

void watch_hub::settle_groups() {
  constexpr std::size_t kept_capacity = 16;
  flushing_ = nullptr;
  for (group* g : std::exchange(touched_, {})) {
    g->touched = false;
    g->pending.clear();
    if (g->pending.capacity() > kept_capacity) g->pending.shrink_to_fit();
    g->pending_bytes = 0;
    drop_if_unused(*g);
  }
}

/// Those in step that lack what was compacted away.
sliced<bool> watch_hub::cancel_lost() {
  const revision floor = store_->history_floor();
  std::vector<watch_id> lost;
  for (const auto& [id, w] : watchers_)
    if (w->catching == nullptr && !w->stalled && w->next.at < floor) lost.push_back(id);
  std::sort(lost.begin(), lost.end()); // so that every run is alike
  for (const watch_id id : lost) {
    if (!work_->spend()) co_await work_->pause();
    const auto at = watchers_.find(id);
    if (at == watchers_.end()) continue;
    watch_sink& to = *at->second->to->sink;
    const std::uint64_t tag = at->second->tag;
    forget(*at->second);
    to.cancelled(tag, store_->history_floor());
  }
  delivered_ = floor.prev();
  co_return true;
}

} // namespace quorumd::kv
