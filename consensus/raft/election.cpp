#include "consensus/raft/state.hpp"

#include "consensus/types/invariant.hpp"

#include <algorithm>

namespace quorumd::raft {
namespace {

// After the stream to the leader broke: long enough to part the followers, short beside any timeout.
constexpr std::uint32_t reset_delay_ticks_max = 5;

} // namespace

void core::state::tick() {
  ++now;
  if (leader_role* l = leading()) {
    tick_leader(*l);
    return;
  }
  expire_forwarded_reads();
  if (hard_state_in_flight()) {
    // Its vote, or the question for others', has not even left: the timer stands still. The disks of those who are
    // asked may be as slow, so that they get as long again.
    election_due += disk_stalled() ? 1 : 2;
    return;
  }
  // A node whose disk stands still could not make its vote durable: it leaves the election to others.
  if (now < election_due || promised() || !promotable() || disk_stalled()) return;
  pre_campaign();
}

/// Cautious: a tick that may do something is not quiet.
std::uint32_t core::state::quiet_ticks() const {
  const auto before = [this](std::uint64_t tick) { // which does something
    return tick <= now ? 0 : static_cast<std::uint32_t>(std::min<std::uint64_t>(tick - now - 1, opt.election_ticks));
  };
  if (hard_state_in_flight() || writes.waiting_since()) return 0;
  const leader_role* l = leading();
  if (l == nullptr) {
    if (!forwarded.empty()) return 0;
    return promotable() ? before(std::max(election_due, promised_until)) : opt.election_ticks;
  }
  if (l->transferee || !l->departing.empty()) return 0;
  if (!witnesses.empty() && commit != log.last_index()) return 0; // somebody is waited for
  std::uint32_t quiet = before(now + opt.heartbeat_ticks - l->heartbeat_elapsed);
  for (const follower_progress& p : peers)
    if (const std::uint64_t heard = std::max(l->since, p.heard_at); now - heard <= opt.election_ticks)
      quiet = std::min(quiet, before(heard + opt.election_ticks + 1));
  return quiet;
}

void core::state::tick_leader(leader_role& l) {
  if (disk_stalled()) {
    const node_id target = transfer_target();
    const term own = current_term;
    step_down();
    if (target) send(target, timeout_now{own});
    return;
  }
  const bool quorum = quorum_holds(members(), [&](node_id id) {
    if (id == opt.self) return true;
    const follower_progress* p = peer(id);
    return now - std::max(l.since, p->heard_at) <= opt.election_ticks;
  });
  if (!quorum && !mutated(mutant::no_check_quorum)) {
    step_down();
    return;
  }
  if (l.transferee && now - l.transfer_since >= opt.election_ticks) l.transferee = node_id();
  release_departed(l);
  look_at_laggards(l);
  if (leading() == nullptr) return; // it led its own removal
  finish_change();
  if (leading() == nullptr) return;
  if (++l.heartbeat_elapsed >= opt.heartbeat_ticks) {
    l.heartbeat_elapsed = 0;
    l.heartbeat_due = true;
    for (follower_progress& p : peers) p.heartbeat_sent();
  }
}

void core::state::reset_election_timer() {
  election_due = now + opt.election_ticks + random.below(opt.election_ticks);
}

void core::state::forget_leader_soon(node_id id) {
  auto* f = std::get_if<follower_role>(&role);
  if (f == nullptr || f->leader != id) return;
  f->leader = node_id();
  fail_forwarded_reads();
  election_due = now + 1 + random.below(reset_delay_ticks_max);
}

void core::state::pre_campaign() {
  fail_forwarded_reads();
  reset_election_timer();
  role = pre_candidate_role{};
  std::get<pre_candidate_role>(role).votes.record(opt.self, true);
  for (const follower_progress& p : peers)
    if (is_voter(members(), p.id()))
      send(p.id(), vote_request{.term = current_term.next(),
                                .last_index = log.last_index(),
                                .last_term = log.last_term(),
                                .pre_vote = true,
                                .transfer = false});
  count_votes();
}

void core::state::campaign(bool transfer) {
  become_follower(current_term.next(), node_id());
  vote = opt.self;
  hard_dirty = true;
  role = candidate_role{};
  for (const follower_progress& p : peers) {
    if (!is_voter(members(), p.id())) continue;
    const vote_request request{.term = current_term,
                               .last_index = log.last_index(),
                               .last_term = log.last_term(),
                               .pre_vote = false,
                               .transfer = transfer};
    if (mutated(mutant::vote_request_before_sync))
      send(p.id(), request);
    else
      send_with_hard_state(p.id(), request);
  }
  if (mutated(mutant::vote_request_before_sync)) {
    std::get<candidate_role>(role).votes.record(opt.self, true);
    count_votes();
  }
}

// The own vote counts only once it cannot be forgotten.
void core::state::self_vote_durable() {
  auto* c = std::get_if<candidate_role>(&role);
  if (c == nullptr || hard_state_in_flight()) return;
  c->votes.record(opt.self, true);
  count_votes();
}

void core::state::count_votes() {
  if (const auto* p = std::get_if<pre_candidate_role>(&role)) {
    const vote_result result = p->votes.result(members());
    if (result == vote_result::won)
      campaign(false);
    else if (result == vote_result::lost)
      step_down();
  } else if (const auto* c = std::get_if<candidate_role>(&role)) {
    const vote_result result = c->votes.result(members());
    if (result == vote_result::won)
      become_leader();
    else if (result == vote_result::lost)
      step_down();
  }
}

void core::state::become_follower(term t, node_id leader) {
  QUORUMD_INVARIANT(t >= current_term, "the term never falls");
  fail_led_reads();
  if (t > current_term || known_leader() != leader) fail_forwarded_reads();
  if (t > current_term) {
    current_term = t;
    vote = node_id();
    hard_dirty = true;
    // What was promised to the former term's leader or candidate and did not leave yet never needs to.
    ack.reset();
    with_hard_state.clear();
  }
  role = follower_role{leader};
  leader_heard = now;
  reset_election_timer();
}

void core::state::become_leader() {
  QUORUMD_INVARIANT(vote == opt.self, "a leader voted for itself");
  rebuild_peers();
  for (follower_progress& p : peers) p.reset(log.last_index());
  leader_role l;
  l.start = log.last_index().next();
  l.since = now;
  role = std::move(l);
  entry start = entry::make(opt.group, current_term, log.last_index().next(), entry_kind::leader_start, {});
  leading()->uncommitted_bytes = start.encoded().size();
  log.append(std::move(start));
}

void core::state::step_down() {
  become_follower(current_term, node_id());
}

bool core::state::in_lease() const {
  if (leading() != nullptr) return true; // as long as check-quorum leaves it there
  const auto* f = std::get_if<follower_role>(&role);
  return f != nullptr && f->leader && now - leader_heard < opt.election_ticks;
}

// The one who told, in joined_term, had that entry committed: every log that ends in this term or later, and not before
// that entry, is a leader's of then or after, and so holds it (thesis §3.6.3).
bool core::state::has_forgotten(log_index last, term last_term) const {
  if (commit >= opt.joined_at || mutated(mutant::vote_before_joined)) return false;
  return !opt.joined_term || last < opt.joined_at || last_term < opt.joined_term;
}

bool core::state::up_to_date(log_index last, term last_term) const {
  if (last_term != log.last_term()) return last_term > log.last_term();
  return last >= log.last_index();
}

bool core::state::grant_waits(node_id candidate) const {
  const auto grants = [&](const outgoing& o) {
    const auto* r = std::get_if<vote_response>(&o.message);
    return o.to == candidate && r != nullptr && r->term == current_term && !r->pre_vote && r->granted;
  };
  return std::any_of(with_hard_state.begin(), with_hard_state.end(), grants) ||
         std::any_of(held.begin(), held.end(), [&](const held_message& h) { return grants(h.what); });
}

void core::state::receive(node_id from, const vote_request& m) {
  if (m.pre_vote) {
    receive_pre_vote(from, m);
    return;
  }
  if (m.term > current_term) {
    if ((in_lease() || promised()) && !m.transfer) return; // neither vote nor term (thesis §4.2.3)
    become_follower(m.term, node_id());
  }
  if (m.term < current_term) {
    tell_term(from, 0);
    return;
  }
  const bool free = !vote || vote == from || mutated(mutant::two_votes_a_term);
  const bool bound = promised() && !m.transfer;
  if (!free || bound || has_forgotten(m.last_index, m.last_term) ||
      (!up_to_date(m.last_index, m.last_term) && !mutated(mutant::vote_without_log))) {
    send(from, vote_response{.term = current_term, .pre_vote = false, .granted = false});
    return;
  }
  if (vote != from) hard_dirty = true;
  vote = from;
  reset_election_timer();
  if (grant_waits(from)) return; // one is enough, however often it asks while the disk is slow
  send_with_hard_state(from, vote_response{.term = current_term, .pre_vote = false, .granted = true});
}

// Whether the vote would be given: nothing here changes but the own candidature (thesis §9.6).
void core::state::receive_pre_vote(node_id from, const vote_request& m) {
  const bool free = m.term > current_term || (m.term == current_term && (!vote || vote == from) && !known_leader());
  const bool recent = up_to_date(m.last_index, m.last_term) || mutated(mutant::vote_without_log);
  const bool granted = free && !in_lease() && !promised() && recent && !has_forgotten(m.last_index, m.last_term);
  if (!granted && m.term <= current_term) {
    tell_term(from, 0);
    return;
  }
  send(from, vote_response{.term = granted ? m.term : current_term, .pre_vote = true, .granted = granted});
  // Of two that ask at once, one goes on: else each would soon vote for itself, and nobody would win.
  if (granted && std::holds_alternative<pre_candidate_role>(role) && from > opt.self) step_down();
}

void core::state::receive(node_id from, const vote_response& m) {
  const bool granted_pre_vote = m.pre_vote && m.granted; // its term is the one that was asked about
  if (m.term > current_term && !granted_pre_vote) {
    become_follower(m.term, node_id());
    return;
  }
  if (auto* p = std::get_if<pre_candidate_role>(&role); p != nullptr && m.pre_vote) {
    if (m.term != (m.granted ? current_term.next() : current_term)) return;
    p->votes.record(from, m.granted);
  } else if (auto* c = std::get_if<candidate_role>(&role); c != nullptr && !m.pre_vote) {
    if (m.term != current_term) return;
    c->votes.record(from, m.granted);
  } else {
    return;
  }
  count_votes();
}

void core::state::receive(node_id from, const timeout_now& m) {
  if (m.term > current_term) become_follower(m.term, from);
  if (m.term != current_term || leading() != nullptr || !promotable()) return;
  if (std::holds_alternative<candidate_role>(role)) return;
  campaign(true);
}

} // namespace quorumd::raft
