#include "tests/sim/cluster.hpp"

#include "tests/sim/member.hpp"

#include <algorithm>
#include <utility>

namespace quorumd::sim {

namespace {
constexpr std::uint64_t spare_entries = 64; // that may be behind a snapshot while another is being taken
} // namespace

using namespace std::chrono_literals;

cluster::cluster(scheduler& s, const plan& p, counters& c)
    : clock_(s)
    , plan_(p)
    , counters_(c)
    , fabric_(s, p.network)
    , random_(s.random().fork(3))
    , flips_(p.wal, s.random().fork(6), c) {
  for (std::uint64_t n = 1; n <= p.nodes + p.spares; ++n) {
    members_.push_back(std::make_unique<member>(*this, node_id(n), s.random().fork(500 + n)));
    members_.back()->outside = n > p.nodes;
    if (p.drift_most_per_mille != 0)
      s.drift(n, static_cast<std::int64_t>(
                     s.random().fork(700 + n).below(2 * static_cast<std::uint64_t>(p.drift_most_per_mille) + 1)) -
                     p.drift_most_per_mille);
  }
}

cluster::~cluster() = default;

void cluster::shut_down() {
  closing_ = true;
  for (const auto& m : members_)
    if (m->proc) crash(m->id, true, 1h, "the end");
  const auto any = [&] {
    return std::any_of(members_.begin(), members_.end(), [](const auto& m) { return m->proc != nullptr; });
  };
  after_step();
  while (any() && clock_.step(clock_.now() + 10s)) after_step();
}

void cluster::boot_all() {
  for (const auto& m : members_) boot(*m);
}

void cluster::complain(complaint c) {
  if (c.empty() || !complaint_.empty() || closing_) return;
  complaint_ = std::move(c);
  clock_.trace().tell(clock_.now(), told::moment(told::topic::wrong, complaint_));
  if (!clock_.trace().heeded()) return;
  for (const auto& m : members_)
    m->tell(told::topic::stands,
            m->now == member::phase::up && m->proc->has_node() ? "stands " + standing(*m) : "is not up");
}

/// How far its log goes, and who the members are by it.
std::string cluster::standing(const member& m) {
  const raft::core& c = m.proc->the_node().the_group().core();
  std::string s = "at " + std::to_string(c.last_index().value()) + " of term " +
                  std::to_string(c.term_at(c.last_index()).value()) + ", committed " +
                  std::to_string(c.commit().value()) + ", members";
  const auto add = [&s](const char* what, const std::vector<node_id>& ids) {
    if (ids.empty()) return;
    s += what;
    for (const node_id id : ids) s += " " + std::to_string(id.value());
  };
  add(" vote:", c.members().voters);
  add(" from:", c.members().outgoing);
  add(" learn:", c.members().learners);
  return s;
}

std::vector<node_id> cluster::ids() const {
  std::vector<node_id> all;
  for (const auto& m : members_) all.push_back(m->id);
  return all;
}

bool cluster::up(node_id id) const {
  return at(id).now == member::phase::up;
}
bool cluster::down(node_id id) const {
  return at(id).now == member::phase::down;
}
bool cluster::paused(node_id id) const {
  return at(id).paused_until > clock_.now();
}
std::uint64_t cluster::starts(node_id id) const {
  return at(id).starts;
}
coro::time_point cluster::disturbed(node_id id) const {
  return at(id).disturbed_at;
}
node::node& cluster::the_node(node_id id) {
  return at(id).proc->the_node();
}
process& cluster::the_process(node_id id) {
  return *at(id).proc;
}
sim_disk& cluster::disk(node_id id) {
  return at(id).disk;
}

node_id cluster::leader() const {
  node_id best;
  term newest;
  for (const auto& m : members_) {
    if (m->now != member::phase::up || m->seen.soft.role != raft::role::leader || m->seen.soft.term < newest) continue;
    newest = m->seen.soft.term;
    best = m->id;
  }
  return best;
}

void cluster::boot(member& m) {
  if (m.now != member::phase::down || closing_ || m.outside) return;
  ++m.starts;
  clock_.record("boot", m.id.value(), m.starts);
  if (m.starts > 1) ++counters_[counter::restarts];
  m.crashed = false;
  m.ends(told::topic::down);
  for (std::uint64_t i = 0; m.starts > 1 && i < plan_.flips_a_start; ++i)
    if (const std::string wrong = flips_.try_one(m.disk.memory()); !wrong.empty())
      complain("n" + std::to_string(m.id.value()) + ": " + wrong);
  fabric_.boot(m.id.value());
  m.proc = std::make_unique<process>(
      process::seams{.clock = clock_, .network = fabric_, .disk = m.disk, .fatal = m, .observer = m, .peers = m}, plan_,
      m.id, m.starts, m.told ? &*m.told : nullptr);
  m.now = member::phase::up;
  m.seen_any = false;
  m.sent = {};
  const auto opened = m.proc->open();
  if (m.now != member::phase::up) return; // it crashed in the middle of its recovery
  if (!opened) {
    const storage::error_code code = opened.error().code;
    m.note("cannot open: " + opened.error().message());
    if (code != storage::error_code::io && code != storage::error_code::no_space)
      complain("n" + std::to_string(m.id.value()) + " refuses what it wrote itself: " + opened.error().message());
    crash(m.id, true, random_.between(coro::duration(10ms), coro::duration(200ms)), "it cannot open");
    return;
  }
  look_at_start(m);
  m.proc->start();
}

void cluster::crash(node_id id, bool quietly, coro::duration back_after, const char* why) {
  member& m = at(id);
  if (m.now == member::phase::down || m.crashed) return;
  m.ends(told::topic::leads);
  m.ends(told::topic::slow_disk);
  m.begins(told::topic::down, std::string("crashes: ") + why);
  clock_.record("crash", id.value(), quietly ? 1 : 0);
  ++counters_[counter::crashes];
  m.crashed = true;
  m.disk.freeze();
  fabric_.crash(id.value(), quietly);
  m.back_after = back_after;
  m.now = member::phase::crashing;
  if (listener_ != nullptr) listener_->node_gone(id);
}

void cluster::crash_within_write(node_id id, std::uint64_t effects, coro::duration back_after) {
  member& m = at(id);
  if (m.now != member::phase::up) return;
  const std::uint64_t start = m.starts;
  m.tell(told::topic::fault, "is to crash within effect " + std::to_string(effects) + " on its disk from now");
  m.disk.freeze_after(effects, [this, id, start, back_after] {
    if (at(id).starts != start) return;
    ++counters_[counter::crashes_within_a_write];
    crash(id, true, back_after, "within a disk write");
  });
}

void cluster::stop(node_id id, coro::duration grace, coro::duration back_after) {
  member& m = at(id);
  if (m.now != member::phase::up) return;
  ++counters_[counter::graceful_stops];
  clock_.record("stop", id.value());
  m.ends(told::topic::leads);
  m.begins(told::topic::down, "stops");
  m.now = member::phase::ending;
  m.back_after = back_after;
  m.proc->stop(grace);
}

void cluster::pause(node_id id, coro::duration length) {
  member& m = at(id);
  if (m.now != member::phase::up || paused(id)) return;
  ++counters_[counter::pauses];
  clock_.record("pause", id.value());
  m.begins(told::topic::pause, "pauses");
  m.paused_until = m.disturbed_at = clock_.now() + length;
  clock_.pause(id.value(), true);
  clock_.at(m.paused_until, [this, id, number = ++m.pauses] {
    if (at(id).pauses != number) return;
    at(id).ends(told::topic::pause);
    at(id).note("goes on");
    clock_.pause(id.value(), false);
  });
}

void cluster::slow_disk(node_id id, coro::duration length) {
  member& m = at(id);
  if (m.now != member::phase::up) return;
  m.begins(told::topic::slow_disk, "has a slow disk");
  worker_options slow = plan_.log_worker;
  slow.most = 100ms;
  slow.stall_per_mille = 100;
  m.proc->set_log_worker(slow);
  clock_.after(length, [this, id, start = m.starts, number = ++m.slow_until] {
    member& slowed = at(id);
    if (slowed.starts != start || slowed.slow_until != number || !slowed.proc) return;
    slowed.ends(told::topic::slow_disk);
    slowed.proc->set_log_worker(plan_.log_worker);
  });
}

void cluster::fill_disk(node_id id, coro::duration length) {
  member& m = at(id);
  m.begins(told::topic::full_disk, "has a full disk");
  m.disk.set_capacity(m.disk.used_bytes() + random_.below(65536));
  clock_.after(length, [this, id, number = ++m.full_until] {
    if (at(id).full_until != number) return;
    at(id).ends(told::topic::full_disk);
    at(id).disk.set_capacity(UINT64_MAX);
  });
}

void cluster::fail_sync(node_id id, std::uint64_t syncs) {
  member& m = at(id);
  if (m.now != member::phase::up) return;
  m.tell(told::topic::fault, "is to fail sync " + std::to_string(syncs) + " from now");
  m.disk.fail_sync_after(syncs);
}

void cluster::expel(node_id id, const char* why) {
  member& m = at(id);
  m.outside = true;
  m.impostor = false;
  m.told.reset();
  if (m.now == member::phase::down) {
    m.disk.wipe();
    m.durable = {};
  } else {
    crash(id, true, 1ms, why);
  }
}

void cluster::join(node_id id, const node::introduction& told) {
  member& m = at(id);
  if (!m.outside || m.now != member::phase::down) return;
  m.outside = false;
  m.told = told;
  boot(m);
}

void cluster::impersonate(node_id id) {
  member& m = at(id);
  if (m.now != member::phase::up || m.told) return;
  m.impostor = true;
  crash(id, true, 5ms, "its disk is wiped");
}

bool cluster::outside(node_id id) const {
  return at(id).outside;
}

std::vector<node_id> cluster::members() const {
  const member* knows = nullptr;
  for (const auto& m : members_) {
    if (m->now != member::phase::up || !m->proc->has_node()) continue;
    if (knows == nullptr || m->id == leader() || (knows->id != leader() && m->seen.applied > knows->seen.applied))
      knows = m.get();
  }
  std::vector<node_id> all;
  if (knows == nullptr) return all;
  for (const auto& [id, record] : knows->proc->the_node().the_group().members().in_force().records) all.push_back(id);
  return all;
}

void cluster::heal() {
  for (const auto t : {told::topic::link, told::topic::pause, told::topic::slow_disk, told::topic::full_disk})
    clock_.trace().tell(clock_.now(), told::all_end(t));
  fabric_.unblock_all();
  network_options quiet = plan_.network;
  quiet.refuse_per_mille = 0;
  // In small segments nearly every message meets a slow one, which may take longer than an election timeout: then there
  // is no leader to expect (paper §5.6).
  quiet.slow_per_mille = 0;
  fabric_.set_options(quiet);
  for (const auto& m : members_) {
    ++m->full_until;
    ++m->slow_until;
    m->disk.set_capacity(UINT64_MAX);
    m->disk.calm();
    ++m->pauses;
    m->paused_until = clock_.now();
    clock_.pause(m->id.value(), false);
    m->back_after = 10ms;
    if (m->proc) m->proc->set_log_worker(plan_.log_worker);
    if (m->now == member::phase::down) clock_.after(10ms, [this, who = m.get()] { boot(*who); });
  }
}

void cluster::calm() {
  const auto quiet = [](worker_options o) {
    o.stall_per_mille = 0;
    return o;
  };
  for (const auto& m : members_) {
    if (!m->proc) continue;
    m->proc->set_log_worker(quiet(plan_.log_worker));
    m->proc->set_prepare_worker(quiet(plan_.prepare_worker));
    m->proc->set_snapshot_worker(quiet(plan_.snapshot_worker));
  }
}

void cluster::after_step() {
  for (const auto& m : members_) {
    if (m->now == member::phase::crashing) begin_end(*m);
    if (m->now == member::phase::ending && m->proc->ended()) end(*m);
    if (m->now == member::phase::up && m->id.value() == clock_.last_owner()) look_at(*m);
    if (m->now == member::phase::up && m->id.value() == clock_.last_owner()) look_at_leader(*m);
  }
}

/// A crash, now that no code of the node is running.
void cluster::begin_end(member& m) {
  m.now = member::phase::ending;
  ++m.pauses;
  m.ends(told::topic::pause);
  m.paused_until = clock_.now();
  clock_.pause(m.id.value(), false);
  m.proc->abandon();
  if (!m.proc->started()) end(m);
}

void cluster::end(member& m) {
  m.proc->drain();
  if (m.crashed)
    m.disk.freeze(); // nothing that its destructors still do counts
  else if (listener_ != nullptr)
    listener_->node_gone(m.id);
  if (m.proc->has_node()) {
    const storage::wal_stats s = m.proc->the_node().log().stats();
    counters_[counter::recycled_segments] += s.segments_recycled;
    counters_[counter::moved_bytes] += s.moved_bytes;
  }
  m.proc.reset();
  logs_.forget(m.name());
  fabric_.crash(m.id.value(), false);
  if (m.crashed) m.disk.recover();
  if (m.outside || m.impostor) {
    m.disk.wipe();
    m.durable = {};
  }
  m.now = member::phase::down;
  m.seen = {};
  clock_.record("gone", m.id.value());
  clock_.after(m.back_after, [this, who = &m] { boot(*who); });
}

std::string cluster::why_not_settled() const {
  const member* first = nullptr;
  for (const node_id id : members()) {
    const auto& m = members_[id.value() - 1];
    const std::string name = "n" + std::to_string(m->id.value());
    if (m->now != member::phase::up) return name + " is not up";
    if (m->seen.applied != m->seen.last) return name + " has not applied its log";
    const std::uint64_t kept = m->seen.last - m->seen.first.prev();
    const node::snapshot_policy& s = plan_.group.snapshots;
    // A snapshot of a record a time, on a slow disk, may take longer than anybody waits here.
    const bool prompt = s.slice_bytes > 1 || plan_.snapshot_worker.most < 2ms;
    if (prompt && kept > s.trailing_entries + 2 * s.every_entries + spare_entries)
      return name + " keeps " + std::to_string(kept) + " entries, though it may take snapshots";
    if (first != nullptr && (m->seen.last != first->seen.last || m->seen.last_term != first->seen.last_term))
      return name + " has another log than n" + std::to_string(first->id.value());
    if (first == nullptr) first = m.get();
  }
  return {};
}

/// What the nodes measured, they measured on virtual time: no stage can have taken longer than the run.
void cluster::gather_stages(const member& m, counters& into) {
  const node::group_metrics& g = m.proc->the_node().the_group().metrics();
  into[counter::timed_puts] += g.put.whole.count();
  into[counter::timed_reads] += g.read.whole.count();
  into[counter::leased_reads] += g.read.lease.count();
  const auto run = static_cast<std::uint64_t>(std::chrono::nanoseconds(clock_.elapsed()).count());
  for (const auto* h : {&g.put.inbox, &g.put.propose, &g.put.encode, &g.put.sync, &g.put.commit, &g.put.apply,
                        &g.put.answer, &g.put.whole, &g.put.forward, &g.read.inbox, &g.read.round, &g.read.apply,
                        &g.read.whole, &g.turn, &g.hold, &g.apply_slice, &g.snapshot_slice})
    if (h->max() > run) complain("n" + std::to_string(m.id.value()) + " measured more time than passed");
  if (g.put.apply.count() > g.put.commit.count() || g.put.answer.count() > g.put.apply.count())
    complain("n" + std::to_string(m.id.value()) + " answered a put that it had not committed, by its own measure");
}

void cluster::gather(counters& into) {
  const network_counters& n = fabric_.counters();
  into[counter::held_segments] += n.held_segments;
  into[counter::elections] += elections_.terms();
  into[counter::suffix_truncations] += logs_.suffixes_truncated();
  into[counter::states_compared] += states_.compared();
  for (const auto& m : members_) {
    into[counter::unsynced_bytes_lost] += m->disk.unsynced_bytes_lost();
    into[counter::torn_writes] += m->disk.torn_writes();
    into[counter::failed_syncs] += m->disk.failed_syncs();
    if (m->proc && m->proc->has_node()) {
      const storage::wal_stats s = m->proc->the_node().log().stats();
      into[counter::recycled_segments] += s.segments_recycled;
      into[counter::moved_bytes] += s.moved_bytes;
      gather_stages(*m, into);
    }
  }
}

} // namespace quorumd::sim
