#include "tests/sim/nemesis.hpp"

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

void nemesis::partition() {
  ++counters_[counter::partitions];
  const node_id alone = victim();
  std::vector<std::pair<host_id, host_id>> pairs;
  for (const node_id id : cluster_.ids())
    if (id != alone) pairs.emplace_back(alone.value(), id.value());
  if (random_.below(3) == 0) pairs.resize(1); // two that do not hear each other, and one that hears both
  for (const auto& [a, b] : pairs) {
    cluster_.network().block(a, b);
    cluster_.network().block(b, a);
  }
  clock_.after(random_.between(coro::duration(50ms), coro::duration(2s)), [this, pairs] {
    for (const auto& [a, b] : pairs) {
      cluster_.network().unblock(a, b);
      cluster_.network().unblock(b, a);
    }
  });
}

void nemesis::one_way() {
  ++counters_[counter::partitions];
  const node_id from = victim();
  const host_id a = from.value();
  const host_id b = other_than(from).value();
  const bool outwards = random_.coin();
  const host_id sender = outwards ? a : b;
  const host_id receiver = outwards ? b : a;
  cluster_.network().block(sender, receiver);
  clock_.after(random_.between(coro::duration(50ms), coro::duration(2s)),
               [this, sender, receiver] { cluster_.network().unblock(sender, receiver); });
}

void nemesis::role_changed(node_id id, raft::role now) {
  if (stopped_ || (now != raft::role::candidate && now != raft::role::leader)) return;
  if (!random_.per_mille(plan_.crash_candidates_per_mille)) return;
  clock_.after(random_.between(coro::duration(0ms), coro::duration(8ms)), [this, id] {
    if (!stopped_)
      cluster_.crash(id, random_.coin(), random_.between(coro::duration(1ms), coro::duration(100ms)),
                     "new in its role");
  });
}

} // namespace quorumd::sim
