#include "consensus/raft/state.hpp"

#include "consensus/types/invariant.hpp"

#include <algorithm>

namespace quorumd::raft {
namespace {

// The entries follow the request's previous one, densely, and their terms rise to at most the leader's. The codec
// checks what it can; the rest would break this log's invariants.
bool well_formed(const append_request& m) {
  log_index index = m.prev_index;
  quorumd::term before = m.prev_term;
  for (const entry& e : m.entries) {
    index = index.next();
    if (e.index() != index || e.term() < before || e.term() > m.term) return false;
    if (e.kind() == entry_kind::members && !decode_configuration(e.payload())) return false;
    before = e.term();
  }
  return before <= m.term && (m.prev_index || !m.prev_term);
}

} // namespace

// A message that only a leader of its term sends. False: of an older term.
bool core::state::admit_leader(node_id from, term t) {
  if (t < current_term) return false;
  QUORUMD_INVARIANT(t > current_term || leading() == nullptr, "a term has one leader");
  auto* f = std::get_if<follower_role>(&role);
  if (t > current_term || f == nullptr) {
    become_follower(t, from);
    return true;
  }
  QUORUMD_INVARIANT(!f->leader || f->leader == from, "a term has one leader");
  f->leader = from;
  leader_heard = now;
  reset_election_timer();
  return true;
}

// A deposed leader learns the term, and a node stuck in a higher one gets free. The answer holds nothing else: when it
// arrives the older message's sender may lead or stand for election in this term.
void core::state::tell_term(node_id to, std::uint64_t older_round) {
  const std::uint64_t round = mutated(mutant::echo_old_round) ? older_round : 0;
  send(to, heartbeat_response{.term = current_term, .round = round, .sent_us = 0, .promise_us = 0});
}

void core::state::receive(node_id from, append_request& m) {
  if (!well_formed(m)) return;
  if (admit_leader(from, m.term))
    accept(from, m);
  else
    tell_term(from, m.round);
}

void core::state::accept(node_id from, append_request& m) {
  log_index prev = m.prev_index;
  term prev_term = m.prev_term;
  std::size_t i = 0;
  const log_index last_new = m.prev_index + m.entries.size();
  if (prev < log.start_index()) {
    // Below the kept log everything is committed, and so the same (case 46).
    if (last_new <= log.start_index()) {
      acknowledge(from, commit, m.round);
      return;
    }
    i = log.start_index() - prev;
    prev = log.start_index();
    prev_term = m.entries[i - 1].term();
  }
  const bool matches = prev <= log.last_index() && log.term_at(prev) == prev_term;
  if (!matches && !(mutated(mutant::skip_conflict_check) && prev <= log.last_index())) {
    refuse(from, m);
    return;
  }
  const auto here_already = [&](const entry& e) {
    if (mutated(mutant::truncate_always) && e.index() > commit) return false;
    return log.term_at(e.index()) == e.term();
  };
  while (i < m.entries.size() && here_already(m.entries[i])) ++i;
  bool changed = false; // who the members are
  if (i < m.entries.size()) {
    const log_index first = m.entries[i].index();
    if (first <= log.last_index()) {
      QUORUMD_INVARIANT(first > commit, "a committed entry is never truncated");
      log.truncate(first);
      if (!mutated(mutant::keep_truncated_members)) changed = configs.truncate(first);
      writes.truncated(first);
      handed_to_disk = std::min(handed_to_disk, first.prev());
    }
    for (; i < m.entries.size(); ++i) {
      if (m.entries[i].kind() == entry_kind::members) {
        configs.append(m.entries[i]);
        changed = true;
      }
      log.append(std::move(m.entries[i]));
    }
  }
  if (changed) configuration_changed();
  commit_to(std::min(m.commit, mutated(mutant::commit_beyond_match) ? log.last_index() : last_new));
  acknowledge(from, last_new, m.round);
}

void core::state::refuse(node_id from, const append_request& m) {
  append_response r{.term = current_term,
                    .accepted = false,
                    .match = log_index(),
                    .rejected = m.prev_index,
                    .conflict_term = term(),
                    .conflict_index = log.last_index().next(),
                    .round = m.round};
  if (m.prev_index <= log.last_index()) {
    r.conflict_term = log.term_at(m.prev_index);
    r.conflict_index = log.first_of_term_at(m.prev_index);
  }
  send(from, r);
}

// One acknowledgement covers everything accepted since the last take().
void core::state::acknowledge(node_id to, log_index match, std::uint64_t round) {
  if (!ack || ack->to != to) ack = acknowledgement{.to = to, .match = log_index(), .round = 0};
  ack->match = std::max(ack->match, match);
  ack->round = std::max(ack->round, round);
}

void core::state::receive(node_id from, const heartbeat& m) {
  if (!admit_leader(from, m.term)) {
    tell_term(from, m.round);
    return;
  }
  // The leader names only what this log has matched; anything else is no leader's heartbeat.
  if (m.commit <= log.last_index()) commit_to(m.commit);
  heartbeat_response answer{.term = current_term, .round = m.round, .sent_us = m.sent_us, .promise_us = 0};
  if (m.sent_us != 0 && opt.lease_ticks != 0) {
    promised_until = std::max(promised_until, now + ticks_owed + opt.lease_ticks);
    answer.promise_us = opt.lease_ticks * opt.tick_us;
  }
  send(from, answer);
}

void core::state::receive(node_id from, const install_snapshot& m) {
  if (!admit_leader(from, m.term)) {
    tell_term(from, 0);
    return;
  }
  if (m.mark.term > m.term || validate(m.mark.members)) return; // no leader's snapshot
  if (m.mark.index <= commit) {
    acknowledge(from, commit, 0);
    return;
  }
  const bool has_it = m.mark.index <= log.last_index() &&
                      (log.term_at(m.mark.index) == m.mark.term || mutated(mutant::install_over_conflict));
  if (has_it) {
    commit_to(m.mark.index); // the entries after it stay
    acknowledge(from, m.mark.index, 0);
    return;
  }
  // What was durable beyond the commit is about to be replaced.
  writes.truncated(commit.next());
  log.restart(m.mark.index, m.mark.term);
  commit = handed_to_disk = handed_to_apply = apply_barrier = m.mark.index;
  apply_load.reset();
  snapshot = m.mark;
  installing = m.mark;
  configs.restart(m.mark.index, m.mark.members);
  configuration_changed();
  acknowledge(from, m.mark.index, 0);
}

} // namespace quorumd::raft
