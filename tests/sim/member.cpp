#include "tests/sim/member.hpp"

#include "consensus/raft/quorum.hpp"
#include "daemon/node/group.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace quorumd::sim {

using namespace std::chrono_literals;
namespace {

/// A snapshot interval that no run's log reaches.
constexpr std::uint64_t bounded_from = std::uint64_t{16} * 1024 * 1024;

std::uint64_t hash_of(std::span<const std::byte> bytes) {
  std::uint64_t h = 0xcbf29ce484222325U;
  for (const std::byte b : bytes) h = (h ^ static_cast<std::uint64_t>(b)) * 0x100000001b3U;
  return mix(h ^ bytes.size());
}

std::string text(const hard_state& h) {
  return "term " + std::to_string(h.term.value()) + " vote " + std::to_string(h.vote.value());
}

} // namespace

std::uint64_t payload_hash(std::span<const std::byte> payload) {
  return hash_of(payload);
}

bool cluster::member::votes(node_id who) const {
  const std::vector<node_id>& voters = proc->the_node().the_group().core().members().voters;
  return std::find(voters.begin(), voters.end(), who) != voters.end();
}

void cluster::member::note(const std::string& text) const {
  sim::trace& t = owner.clock_.trace();
  if (t.printing()) t.note(owner.clock_.now(), name_of(id) + " " + text);
}

void cluster::member::tell(told::topic t, const std::string& text) const {
  if (owner.clock_.trace().heeded())
    owner.clock_.trace().tell(owner.clock_.now(), told::moment(t, name_of(id) + " " + text));
}

void cluster::member::begins(told::topic t, const std::string& text) const {
  if (owner.clock_.trace().heeded())
    owner.clock_.trace().tell(owner.clock_.now(), told::begins(t, id.value(), name_of(id) + " " + text));
}

void cluster::member::ends(told::topic t) const {
  owner.clock_.trace().tell(owner.clock_.now(), told::ends(t, id.value()));
}

void cluster::member::fatal(coro::fatal_cause cause, const std::string& reason) {
  if (crashed) { // what a frozen disk does to it
    note("fatal: " + reason);
    return;
  }
  tell(told::topic::fault, "fatal: " + reason);
  if (cause == coro::fatal_cause::identity && owner.plan_.changes_members()) {
    owner.expel(id, "it is no member any more");
    return;
  }
  if (cause != coro::fatal_cause::disk) owner.complain("n" + std::to_string(id.value()) + " gave up: " + reason);
  owner.crash(id, false,
              owner.random_.between(coro::duration(10'000'000), owner.plan_.down_most + coro::duration(10'000'000)),
              "a fatal error");
}

void cluster::member::member_refused(node_id who, const std::string& why) {
  note("refuses n" + std::to_string(who.value()) + ": " + why);
  if (!owner.plan_.changes_members()) owner.complain("a member was refused: " + why);
}

void cluster::member::on_handshake_refused(node_id who, const std::string&, const std::string& why) {
  note("refused: " + why);
  if (who && owner.at(who).impostor) ++owner.counters_[counter::impostors];
}

void cluster::member::role_changed(const raft::soft_state& s) {
  if (impostor && s.role == raft::role::leader && now == phase::up)
    owner.complain("n" + std::to_string(id.value()) + " leads, though its disk was wiped");
  if (s.role == raft::role::pre_candidate || s.role == raft::role::candidate) owner.look_at_candidate(*this);
  owner.clock_.record("role", id.value(), static_cast<std::uint64_t>(s.role), s.term.value());
  note("is now " + std::to_string(static_cast<int>(s.role)) + " in term " + std::to_string(s.term.value()) +
       ", leader " + std::to_string(s.leader.value()));
  ends(told::topic::leads);
  if (s.role == raft::role::leader && !crashed)
    begins(told::topic::leads, "leads term " + std::to_string(s.term.value()));
  if (owner.listener_ != nullptr && now == phase::up) owner.listener_->role_changed(id, s.role);
}

void cluster::member::entry_applied(const entry& e) {
  const std::uint64_t payload = hash_of(e.payload());
  owner.clock_.record("applied", id.value(), e.index().value(), payload);
  if (now == phase::crashing || (now == phase::ending && crashed)) return; // a ghost's deeds bind nobody
  const node::applier& a = group().state();
  const std::uint64_t what = e.kind() == entry_kind::withheld ? 0 : mix(payload + static_cast<std::uint64_t>(e.kind()));
  owner.complain(owner.committed_.applied(name(), e.index(), {e.term(), what, group().core().hard().term}));
  owner.compare_state(*this);
  if (e.kind() == entry_kind::withheld) ++owner.counters_[counter::withheld_entries];
  if (!a.is_witness()) owner.complain(owner.changes_.applied(e, a.store(), owner.clock_.now()));
  const revision current = a.store().current();
  if (current != revision_before) owner.complain(owner.acknowledgements_.committed(current.value(), payload));
  revision_before = current;
}

void cluster::member::snapshot_taken(log_index index, std::uint64_t) {
  note("took a snapshot at " + std::to_string(index.value()));
  ++owner.counters_[counter::snapshots_taken];
  owner.look_at_files(*this);
}

void cluster::member::snapshot_sending(node_id to, log_index index) {
  note("sends a snapshot to n" + std::to_string(to.value()));
  sending[to] = index;
}

void cluster::member::snapshot_send_ended(node_id to, log_index, const std::string& why) {
  note("snapshot sent: " + why);
  if (!why.empty()) ++owner.counters_[counter::snapshots_broken];
  sending.erase(to);
  if (crashed) return;
  const node::snapshot_traffic before = std::exchange(sent, group().metrics().snapshots_sent);
  const std::uint64_t bytes = sent.file_bytes - before.file_bytes;
  const std::uint64_t saved = bytes - (sent.wire_bytes - before.wire_bytes);
  owner.counters_[saved != 0 ? counter::snapshot_bytes_packed : counter::snapshot_bytes_plain] +=
      saved != 0 ? saved : bytes;
}

void cluster::member::snapshot_ordered(node_id by, node_id to, log_index at_least) {
  note("has n" + std::to_string(by.value()) + " send a snapshot to n" + std::to_string(to.value()));
  sending[to] = at_least;
}

void cluster::member::snapshot_order_ended(node_id, node_id to, const std::string& why) {
  note("the snapshot was sent by another: " + why);
  ++owner.counters_[why.empty() ? counter::snapshots_delegated : counter::snapshot_orders_failed];
  sending.erase(to);
}

void cluster::member::snapshot_installed(log_index index) {
  tell(told::topic::snapshot, "installed a snapshot at " + std::to_string(index.value()));
  ++owner.counters_[counter::snapshots_installed];
  if (owner.quiet_ && owner.plan_.network.bytes_a_second != 0) ++owner.counters_[counter::narrow_snapshots];
  owner.clock_.record("installed", id.value(), index.value());
  if (crashed) return;
  const node::applier& a = group().state();
  owner.committed_.starts_after(name(), index);
  owner.compare_state(*this);
  revision_before = a.store().current();
}

/// Witnesses have no data, and know the members.
void cluster::compare_state(member& m) {
  const node::applier& a = m.group().state();
  const std::uint64_t members = hash_of(a.members().encode());
  complain(rosters_.holds(m.name(), a.applied(), members));
  if (!a.is_witness()) complain(states_.holds(m.name(), a.applied(), mix(a.store().content_hash() ^ mix(members))));
}

/// Of each broken transfer a file may be left, to be resumed; of all together only one.
void cluster::look_at_files(member& m) {
  const std::vector<std::string> paths = m.disk.memory().paths();
  const auto unfinished =
      std::count_if(paths.begin(), paths.end(), [](const std::string& p) { return p.ends_with(".part"); });
  if (unfinished > 1)
    complain("n" + std::to_string(m.id.value()) + " has " + std::to_string(unfinished) + " unfinished transfers");
}

/// A leader that no majority can reach, nor be reached by, steps down in time (thesis §6.2): else its clients wait for
/// nothing, and it holds up whoever it can still reach.
void cluster::look_at_leader(member& m) {
  if (m.seen.soft.role != raft::role::leader || clock_.now() < m.look_again) {
    if (m.seen.soft.role != raft::role::leader) m.deaf_since.reset();
    return;
  }
  m.look_again = clock_.now() + 5ms;
  const auto hears = [&](node_id id) {
    const std::uint64_t one = m.id.value();
    const std::uint64_t other = id.value();
    return id == m.id ||
           (fabric_.up(other) && !paused(id) && !fabric_.blocked(one, other) && !fabric_.blocked(other, one));
  };
  if (raft::quorum_holds(m.group().core().members(), hears)) {
    m.deaf_since.reset();
    return;
  }
  if (!m.deaf_since) m.deaf_since = clock_.now();
  m.deaf_since = std::max(*m.deaf_since, m.disturbed_at);
  const coro::duration patience = plan_.group.tick * plan_.group.raft.election_ticks + plan_.network.slow_most + 300ms;
  if (clock_.now() - *m.deaf_since > patience)
    complain("n" + std::to_string(m.id.value()) + " leads term " + std::to_string(m.seen.soft.term.value()) +
             " on, though it has heard no majority for longer than an election timeout");
}

/// In the calm a member that had heard from its leader goes on to hear from it, whatever else passes between the two:
/// heartbeats do not wait behind a snapshot.
void cluster::look_at_candidate(const member& m) {
  const node_id heard = m.seen.soft.leader;
  if (!quiet_ || m.now != member::phase::up || !heard || heard != leader() || heard == m.id) return;
  const member& l = at(heard);
  if (l.seen.soft.term != m.seen.soft.term || !l.votes(m.id)) return;
  complain(name_of(m.id) + " stands for election in the calm, though " + name_of(heard) + " leads and can be heard");
}

void cluster::look_at_start(member& m) {
  look_at_files(m);
  m.sending.clear();
  const node::group& g = m.group();
  const node::applier& a = g.state();
  const hard_state hard = g.core().hard();
  m.revision_before = a.store().current();
  committed_.starts_after(m.name(), a.applied());
  if (a.applied()) compare_state(m);
  const bool forgot =
      hard.term < m.durable.term || (hard.term == m.durable.term && m.durable.vote && hard.vote != m.durable.vote);
  if (forgot)
    complain("n" + std::to_string(m.id.value()) + " forgot what was durable: it had " + text(m.durable) +
             " and came back with " + text(hard));
  counters_[counter::torn_tails] += m.proc->the_node().log().stats().torn_batches;
  look_at(m);
}

void cluster::look_at(member& m) {
  const node::group& g = m.group();
  const raft::core& core = g.core();
  member::sight s{.soft = core.soft(),
                  .first = core.first_index(),
                  .last = core.last_index(),
                  .last_term = core.term_at(core.last_index()),
                  .commit = core.commit(),
                  .applied = g.state().applied(),
                  .hard = core.hard()};
  const storage::wal& log = m.proc->the_node().log();
  if (s.hard != m.durable && !log.failed() && log.stats().queued_bytes == 0) m.durable = s.hard;
  if (m.seen_any && s == m.seen) return;
  const member::sight before = std::exchange(m.seen, s);
  const bool first_look = !std::exchange(m.seen_any, true);
  clock_.record("state", m.id.value(), s.last.value(), s.commit.value());
  // A full volume, or a log that grew too much meanwhile, is kept for nobody.
  if (!m.proc->the_node().log().accepting_puts() || plan_.group.snapshots.every_bytes < bounded_from) m.sending.clear();
  for (const auto& [to, index] : m.sending)
    if (s.first > index.next())
      complain("n" + std::to_string(m.id.value()) + " sends a snapshot at " + std::to_string(index.value()) +
               ", and its log begins at " + std::to_string(s.first.value()));
  complain(progress_.at(m.name(), {s.hard.term, s.commit, s.applied}));
  const log_view view{s.first, s.last, [&](log_index i) { return core.term_at(i); }};
  complain(logs_.has(m.name(), view));
  if (s.soft.role != raft::role::leader) return;
  complain(elections_.leads(m.name(), s.soft.term));
  const bool new_leader = first_look || before.soft.role != raft::role::leader || before.soft.term != s.soft.term;
  if (new_leader) {
    complain(committed_.leader_has_all(m.name(), s.soft.term, view));
  } else if (s.commit > before.commit && core.term_at(s.commit) != s.soft.term) {
    complain("n" + std::to_string(m.id.value()) + " leads term " + std::to_string(s.soft.term.value()) +
             " and committed entry " + std::to_string(s.commit.value()) + " of term " +
             std::to_string(core.term_at(s.commit).value()) + " by counting");
  }
}

} // namespace quorumd::sim
