#include "tests/sim/nemesis.hpp"

#include <algorithm>

#include <cstddef>

namespace quorumd::sim {

using namespace std::chrono_literals;

nemesis::nemesis(scheduler& s, cluster& c, const plan& p, counters& n)
    : clock_(s)
    , cluster_(c)
    , plan_(p)
    , counters_(n)
    , random_(s.random().fork(5)) {}

void nemesis::start() {
  next();
}

void nemesis::next() {
  clock_.after(random_.between(coro::duration(20ms), plan_.fault_pause_most), [this] {
    if (stopped_) return;
    strike();
    next();
  });
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

void nemesis::strike() {
  const fault_weights& w = plan_.faults;
  std::uint64_t at = random_.below(w.sum());
  const auto is = [&](std::uint64_t weight) {
    if (at < weight) return true;
    at -= weight;
    return false;
  };
  const node_id who = victim();
  if (is(w.crash)) {
    cluster_.crash(who, random_.coin(), down_time(), "by chance");
  } else if (is(w.crash_within_write)) {
    cluster_.crash_within_write(who, random_.between(1, 12), down_time());
  } else if (is(w.crash_all)) {
    for (const node_id id : cluster_.ids()) cluster_.crash(id, true, down_time(), "with all others");
  } else if (is(w.stop)) {
    cluster_.stop(who, random_.between(coro::duration(0ms), coro::duration(1s)), down_time());
  } else if (is(w.partition)) {
    partition();
  } else if (is(w.one_way)) {
    one_way();
  } else if (is(w.cut)) {
    ++counters_[counter::cut_streams];
    cluster_.network().cut(who.value(), other_than(who).value());
  } else if (is(w.pause)) {
    cluster_.pause(who, random_.between(coro::duration(5ms), coro::duration(1200ms)));
  } else if (is(w.slow_disk)) {
    cluster_.slow_disk(who, down_time());
  } else if (is(w.full_disk)) {
    cluster_.fill_disk(who, down_time());
  } else {
    cluster_.fail_sync(who, random_.between(1, 6));
  }
}

/// One that hears nobody, two that do not hear each other though the others hear both, or halves of any size.
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
  for (const auto& [from, to] : cut) cluster_.network().block(from, to);
  clock_.after(random_.between(coro::duration(50ms), coro::duration(2s)), [this, cut = std::move(cut)] {
    for (const auto& [from, to] : cut) cluster_.network().unblock(from, to);
  });
}

void nemesis::members_change(const std::vector<node_id>& staying) {
  if (stopped_ || !random_.per_mille(plan_.split_changes_per_mille)) return;
  clock_.after(random_.between(coro::duration(0ms), coro::duration(20ms)), [this, staying] {
    if (!stopped_) split(staying);
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

void nemesis::role_changed(node_id id, raft::role now) {
  if (stopped_ || (now != raft::role::candidate && now != raft::role::leader)) return;
  if (!random_.per_mille(plan_.crash_candidates_per_mille)) return;
  // Half of them before their vote is durable, though the others' may be by then.
  if (random_.coin()) cluster_.slow_disk(id, 50ms);
  clock_.after(random_.between(coro::duration(0ms), coro::duration(8ms)), [this, id] {
    if (!stopped_)
      cluster_.crash(id, random_.coin(), random_.between(coro::duration(1ms), coro::duration(100ms)),
                     "new in its role");
  });
}

} // namespace quorumd::sim
