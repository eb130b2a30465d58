#include "tests/sim/nemesis.hpp"

#include <algorithm>
#include <cstddef>
#include <string>

namespace quorumd::sim {

using namespace std::chrono_literals;

nemesis::nemesis(scheduler& s, cluster& c, const plan& p, fault_script& f, counters& n)
    : clock_(s)
    , cluster_(c)
    , plan_(p)
    , script_(f)
    , counters_(n)
    , random_(s.random().fork(5)) {}

void nemesis::start() {
  if (!script_.repeats()) {
    next();
    return;
  }
  for (const fault& f : script_.earlier()) {
    if (f.kind == fault_kind::change) continue;
    if (f.kind == fault_kind::slow_candidate && f.number != 0) {
      if (!script_.leaves_out(f)) candidates_.push_back(f);
      continue;
    }
    clock_.at(f.due, [this, &f] { // also if it is left out: time stops at the same moments then
      if (!stopped_ && f.number != 0 && !script_.leaves_out(f)) perform(f);
    });
  }
}

void nemesis::next() {
  const coro::time_point due = clock_.now() + random_.between(coro::duration(20ms), plan_.fault_pause_most);
  clock_.at(due, [this, due] {
    if (came_too_late(due)) return;
    happens(draw_kind(), due);
    next();
  });
}

/// Whether there are no faults any more.
bool nemesis::came_too_late(coro::time_point due) {
  if (stopped_) (void)script_.turn({.due = due});
  return stopped_;
}

/// One that was drawn; due at a moment that is now, or was while a handler ran.
void nemesis::happens(fault_kind k, coro::time_point due, node_id who, std::uint64_t staying) {
  perform(script_.drawn({.kind = k, .due = due, .random = random_, .who = who, .staying = staying}));
}

node_id nemesis::victim() {
  const node_id leads = cluster_.leader();
  if (leads && random_.coin()) return leads;
  const auto ids = cluster_.ids();
  return ids[random_.below(ids.size())];
}

node_id nemesis::other_than(node_id id) {
  const auto ids = cluster_.ids();
  for (;;) {
    const node_id other = ids[random_.below(ids.size())];
    if (other != id) return other;
  }
}

coro::duration nemesis::down_time() {
  return random_.between(coro::duration(5ms), plan_.down_most);
}

fault_kind nemesis::draw_kind() {
  const fault_weights& w = plan_.faults;
  std::uint64_t at = random_.below(w.sum());
  std::uint8_t kind = 0;
  for (const std::uint64_t weight : {w.crash, w.crash_within_write, w.crash_all, w.stop, w.partition, w.one_way, w.cut,
                                     w.pause, w.slow_disk, w.full_disk, w.failing_sync}) {
    if (at < weight) break;
    at -= weight;
    ++kind;
  }
  return static_cast<fault_kind>(kind);
}

void nemesis::perform(const fault& f) {
  random_ = f.random;
  clock_.trace().set_because_of(f.number);
  const auto ids = cluster_.ids();
  const bool known = std::find(ids.begin(), ids.end(), f.who) != ids.end();
  if (f.kind == fault_kind::split) {
    std::vector<node_id> staying;
    for (const node_id id : ids)
      if ((f.staying >> id.value() & 1U) != 0) staying.push_back(id);
    split(staying);
  } else if (f.kind == fault_kind::slow_candidate) {
    if (known) cluster_.slow_disk(f.who, 50ms);
  } else if (f.kind == fault_kind::crash_candidate) {
    if (known)
      cluster_.crash(f.who, random_.coin(), random_.between(coro::duration(1ms), coro::duration(100ms)),
                     "new in its role");
  } else {
    strike(f.kind);
  }
  clock_.trace().set_because_of(0);
}

void nemesis::strike(fault_kind k) {
  const node_id who = victim();
  switch (k) {
  case fault_kind::crash:
    cluster_.crash(who, random_.coin(), down_time(), "by chance");
    break;
  case fault_kind::crash_within_write:
    cluster_.crash_within_write(who, random_.between(1, 12), down_time());
    break;
  case fault_kind::crash_all:
    for (const node_id id : cluster_.ids()) cluster_.crash(id, true, down_time(), "with all others");
    break;
  case fault_kind::stop:
    cluster_.stop(who, random_.between(coro::duration(0ms), coro::duration(1s)), down_time());
    break;
  case fault_kind::partition:
    partition();
    break;
  case fault_kind::one_way:
    one_way();
    break;
  case fault_kind::cut: {
    ++counters_[counter::cut_streams];
    const node_id other = other_than(who);
    clock_.trace().tell(clock_.now(), told::moment(told::topic::link, "the streams between " + name_of(who) + " and " +
                                                                          name_of(other) + " are cut"));
    cluster_.network().cut(who.value(), other.value());
    break;
  }
  case fault_kind::pause:
    cluster_.pause(who, random_.between(coro::duration(5ms), coro::duration(1200ms)));
    break;
  case fault_kind::slow_disk:
    cluster_.slow_disk(who, down_time());
    break;
  case fault_kind::full_disk:
    cluster_.fill_disk(who, down_time());
    break;
  default:
    cluster_.fail_sync(who, random_.between(1, 6));
    break;
  }
}

/// One that hears nobody, of whom the others may know at once that it is gone, two that do not hear each other though
/// the others hear both, or halves of any size.
void nemesis::partition() {
  const node_id alone = victim();
  const std::uint64_t way = random_.below(3);
  std::vector<link> cut;
  if (way == 0) {
    cut = {{alone.value(), other_than(alone).value()}};
  } else {
    std::vector<node_id> here{alone};
    for (const node_id id : cluster_.ids())
      if (id != alone && way != 1 && random_.coin()) here.push_back(id);
    if (way == 1 && random_.coin())
      for (const node_id id : cluster_.ids()) cluster_.network().cut(alone.value(), id.value());
    return split(here);
  }
  for (std::size_t i = cut.size(); i-- != 0;) cut.emplace_back(cut[i].second, cut[i].first);
  block_for_a_while(std::move(cut));
}

/// What one says does not arrive, or nothing arrives at it: with one other, or with all.
void nemesis::one_way() {
  const node_id who = victim();
  const bool outwards = random_.coin();
  const node_id only = random_.coin() ? other_than(who) : node_id();
  std::vector<link> cut;
  for (const node_id id : cluster_.ids()) {
    if (id == who || (only && id != only)) continue;
    cut.push_back(outwards ? link(who.value(), id.value()) : link(id.value(), who.value()));
  }
  block_for_a_while(std::move(cut));
}

void nemesis::block_for_a_while(std::vector<link> cut) {
  ++counters_[counter::partitions];
  ++partitions_;
  if (clock_.trace().heeded()) tell_of(cut);
  for (const auto& [from, to] : cut) cluster_.network().block(from, to);
  clock_.after(random_.between(coro::duration(50ms), coro::duration(2s)),
               [this, cut = std::move(cut), number = partitions_] {
                 clock_.trace().tell(clock_.now(), told::ends(told::topic::link, number));
                 for (const auto& [from, to] : cut) cluster_.network().unblock(from, to);
               });
}

void nemesis::tell_of(const std::vector<link>& cut) {
  if (cut.empty()) return; // the halves were all and nobody
  std::string text;
  for (const auto& [from, to] : cut) {
    const bool both = std::find(cut.begin(), cut.end(), link(to, from)) != cut.end();
    if (both && from > to) continue;
    text += (text.empty() ? "nothing passes: " : ", ") + name_of(node_id(from)) + (both ? "-" : "->") +
            name_of(node_id(to));
  }
  clock_.trace().tell(clock_.now(), told::begins(told::topic::link, partitions_, text));
}

void nemesis::members_change(const std::vector<node_id>& staying) {
  if (stopped_ || script_.repeats() || !random_.per_mille(plan_.split_changes_per_mille)) return;
  std::uint64_t bits = 0;
  for (const node_id id : staying) bits |= std::uint64_t{1} << id.value();
  const coro::time_point due = clock_.now() + random_.between(coro::duration(0ms), coro::duration(20ms));
  clock_.at(due, [this, due, bits] {
    if (!came_too_late(due)) happens(fault_kind::split, due, {}, bits);
  });
}

/// These do not hear the others, nor the others them.
void nemesis::split(const std::vector<node_id>& here) {
  std::vector<link> cut;
  for (const node_id a : here)
    for (const node_id b : cluster_.ids()) {
      if (std::find(here.begin(), here.end(), b) != here.end()) continue;
      cut.emplace_back(a.value(), b.value());
      cut.emplace_back(b.value(), a.value());
    }
  block_for_a_while(std::move(cut));
}

/// Those that the earlier run had by now: they happen within the handler that changes the role.
void nemesis::repeat_candidates(node_id id) {
  for (std::size_t i = 0; i < candidates_.size();) {
    if (candidates_[i].who != id || candidates_[i].due > clock_.now()) {
      ++i;
      continue;
    }
    perform(candidates_[i]);
    candidates_.erase(candidates_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void nemesis::role_changed(node_id id, raft::role now) {
  if (stopped_ || (now != raft::role::candidate && now != raft::role::leader)) return;
  if (script_.repeats()) return repeat_candidates(id);
  if (!random_.per_mille(plan_.crash_candidates_per_mille)) return;
  // Half of them before their vote is durable, though the others' may be by then.
  if (random_.coin()) happens(fault_kind::slow_candidate, clock_.now(), id);
  const coro::time_point due = clock_.now() + random_.between(coro::duration(0ms), coro::duration(8ms));
  clock_.at(due, [this, due, id] {
    if (!came_too_late(due)) happens(fault_kind::crash_candidate, due, id);
  });
}

} // namespace quorumd::sim
