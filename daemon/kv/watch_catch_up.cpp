#include "daemon/kv/watch_hub.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace quorumd::kv {

bool watch_hub::catch_up(std::size_t visits_max) {
  while (visits_max != 0 && !pursuits_.empty()) {
    const std::size_t visits = take_turn(pursuits_.front(), std::min(visits_max, options_.turn_visits));
    visits_max -= std::min(visits, visits_max);
  }
  return pursuits_.empty();
}

void watch_hub::pursue(watcher& w, change_place next) {
  pursuit*& open = open_pursuits_[{w.of, {next.at, next.sub}}];
  if (open == nullptr || open->members.size() == pursuit_watchers_max) {
    pursuits_.push_back({.of = w.of, .next = next, .scan = next, .held = {}, .members = {}, .self = {}});
    open = &pursuits_.back();
    open->self = std::prev(pursuits_.end());
  }
  w.catching = open;
  put_into(open->members, w);
}

void watch_hub::leave_pursuit(watcher& w) {
  pursuit& p = *std::exchange(w.catching, nullptr);
  take_out(p.members, w);
  if (p.members.empty()) end(p);
}

/// Nobody is to find it any more.
void watch_hub::close(const pursuit& p) {
  const auto at = open_pursuits_.find({p.of, {p.next.at, p.next.sub}});
  if (at != open_pursuits_.end() && at->second == &p) open_pursuits_.erase(at);
}

void watch_hub::end(pursuit& p) {
  close(p);
  pursuits_.erase(p.self);
}

/// One delivery at most; what it cost.
std::size_t watch_hub::take_turn(pursuit& p, std::size_t visits_max) {
  const history h(*store_);
  const std::size_t watchers = p.members.size();
  if (p.next.at < h.floor()) {
    cancel_all(p, h.floor());
    return watchers;
  }
  ask_for_room(p, 0);
  if (p.members.empty()) {
    end(p);
    return watchers;
  }
  bool full = false;
  const std::size_t visits =
      p.of->range_end.empty() ? scan_key(p, h, visits_max, full) : scan_range(p, h, visits_max, full);
  const change_place next = deliver_held(p, h, full);
  if (p.members.empty())
    end(p);
  else
    come_to(p, next);
  return watchers + visits;
}

void watch_hub::cancel_all(pursuit& p, revision floor) {
  const list all = p.members; // with the last one it ends
  for (watcher* w : all) {
    watch_sink& to = *w->to->sink;
    const std::uint64_t tag = w->tag;
    forget(*w);
    to.cancelled(tag, floor);
  }
}

void watch_hub::ask_for_room(pursuit& p, std::size_t bytes) {
  for (std::size_t i = p.members.size(); i-- != 0;) {
    watcher& w = *p.members[i];
    if (w.to->sink->has_room(w.tag, bytes)) continue;
    take_out(p.members, w);
    w.catching = nullptr;
    stall(w, p.next);
  }
}

/// False: the batch is full.
bool watch_hub::hold(pursuit& p, const event& e) const {
  const std::size_t bytes = event_bytes(e, p.of->prev_kv);
  if (!p.held.empty() && p.held_bytes + bytes > options_.batch_bytes_max) return false;
  p.held.push_back({{e.kv.mod_revision, e.sub}, bytes});
  p.held_bytes += bytes;
  return true;
}

/// The versions of a single key are its history, in which no revision has two.
std::size_t watch_hub::scan_key(pursuit& p, const history& h, std::size_t visits_max, bool& full) const {
  std::size_t visits = 0;
  while (visits != visits_max) {
    ++visits;
    const std::optional<event> e = h.next_of(p.of->key, p.scan.at);
    const bool asked_for = e && change_place{e->kv.mod_revision, e->sub} >= p.scan;
    p.scan = {e ? e->kv.mod_revision : h.current().next()};
    if (!e) break;
    full = asked_for && p.of->wants(*e) && !hold(p, *e);
    if (full) break;
    p.scan = {p.scan.at.next()};
  }
  return visits;
}

std::size_t watch_hub::scan_range(pursuit& p, const history& h, std::size_t visits_max, bool& full) const {
  const group& g = *p.of;
  std::size_t visits = 0;
  std::size_t i = h.find(p.scan);
  for (; i != h.size() && visits != visits_max; ++i) {
    ++visits;
    const std::string_view key = h.key(i);
    if (key < g.key || !below(key, g.range_end)) continue;
    const event e = h[i];
    full = g.wants(e) && !hold(p, e);
    if (full) break;
  }
  p.scan = h.place(i);
  return visits;
}

/// Delivers what is held of whole revisions; what is held of the one that is being looked at waits for the rest of it,
/// unless it fills a delivery. Where the watchers go on that had room for it: the others leave.
change_place watch_hub::deliver_held(pursuit& p, const history& h, bool full) {
  const auto whole = [&](const pursuit::found& f) { return f.at.at < p.scan.at; };
  auto end = std::find_if_not(p.held.begin(), p.held.end(), whole);
  const bool part = full && end == p.held.begin();
  if (part) end = p.held.end();
  const change_place behind = part && options_.bugs.split_revision ? change_place{p.scan.at.next()} : p.scan;
  const change_place next = end == p.held.end() ? behind : end->at;
  if (end == p.held.begin()) return next;

  std::size_t bytes = 0;
  for (auto f = p.held.begin(); f != end; ++f) bytes += f->bytes;
  ask_for_room(p, bytes);
  if (p.members.empty()) return next;

  events_.clear();
  for (auto f = p.held.begin(); f != end; ++f) {
    events_.push_back(p.of->range_end.empty() ? *h.next_of(p.of->key, f->at.at) : h[h.find(f->at)]);
    if (!p.of->prev_kv) events_.back().prev.reset();
  }
  p.held_bytes -= bytes;
  p.held.erase(p.held.begin(), end);
  const delivery d{.events = events_, .more = part, .through = next.at.prev(), .number = ++deliveries_};
  for (std::size_t i = 0; i != p.members.size();) {
    watch_sink* to = p.members[i]->to->sink;
    tags_.clear();
    for (; i != p.members.size() && p.members[i]->to->sink == to; ++i) tags_.push_back(p.members[i]->tag);
    to->deliver(d, tags_);
  }
  return next;
}

void watch_hub::come_to(pursuit& p, change_place next) {
  if (next.at > store_->current()) {
    for (watcher* w : p.members) {
      w->catching = nullptr;
      w->next = next;
      step_in(*w);
    }
    end(p);
    return;
  }
  if (next != p.next) {
    close(p);
    p.next = next;
    pursuit*& open = open_pursuits_[{p.of, {next.at, next.sub}}];
    if (open != nullptr && open->members.size() + p.members.size() <= pursuit_watchers_max) {
      for (watcher* w : p.members) {
        w->catching = open;
        put_into(open->members, *w);
      }
      end(p);
      return;
    }
    open = &p;
  }
  pursuits_.splice(pursuits_.end(), pursuits_, p.self);
}

} // namespace quorumd::kv
