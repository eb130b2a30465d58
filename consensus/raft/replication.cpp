#include "consensus/raft/state.hpp"

#include "consensus/types/invariant.hpp"

#include <algorithm>

namespace quorumd::raft {
namespace {

// How much a follower that reads from the durable log gets with one load, as a multiple of an append.
constexpr std::size_t load_appends = 4;

} // namespace

boost::system::result<proposed, propose_error> core::state::propose(std::span<proposal> batch) {
  leader_role* l = leading();
  if (l == nullptr) return propose_error::not_leader;
  // Behind the configuration that leaves this leader out nothing would be answered: others lead once it is committed.
  if (l->transferee || !is_voter(members(), opt.self)) return propose_error::transferring;
  std::size_t bytes = 0;
  for (const proposal& p : batch) bytes += p.encoded_bytes();
  // A batch that is larger than the bound passes alone.
  if (l->uncommitted_bytes != 0 && l->uncommitted_bytes + bytes > opt.uncommitted_bytes_max)
    return propose_error::too_much;
  const proposed where{.term = current_term, .first = log.last_index().next()};
  for (proposal& p : batch) log.append(std::move(p).seal(opt.group, current_term, log.last_index().next()));
  l->uncommitted_bytes += bytes;
  return where;
}

// The sender's progress, if the answer belongs to this leadership.
follower_progress* core::state::answered(node_id from, term t, std::uint64_t round) {
  if (t > current_term) become_follower(t, node_id());
  leader_role* l = leading();
  const bool older = t < current_term && !mutated(mutant::count_older_answers);
  if (l == nullptr || older || round > l->round) return nullptr;
  follower_progress* p = peer(from);
  if (p == nullptr) return nullptr;
  p->heard = true;
  p->heard_at = now;
  p->round = std::max(p->round, round);
  return p;
}

void core::state::receive(node_id from, const append_response& m) {
  follower_progress* p = answered(from, m.term, m.round);
  if (p == nullptr) return;
  if (!m.accepted) {
    // The leader may hold the conflicting term too: then the logs can meet where that term ends here.
    const log_index own_end = m.conflict_term ? log.last_of_term(m.conflict_term) : log_index();
    const log_index hint = own_end ? std::min(own_end.next(), m.rejected) : m.conflict_index;
    (void)p->refused(m.rejected, hint);
  } else if (m.match <= log.last_index()) {
    p->accepted(m.match, log.first_index());
    advance_commit();
    if (leading() == nullptr) return; // it led its own removal
    tell_transferee();
  }
  finish_rounds();
}

void core::state::receive(node_id from, const heartbeat_response& m) {
  follower_progress* p = answered(from, m.term, m.round);
  if (p == nullptr) return;
  p->heartbeat_answered();
  take_promise(*p, m);
  finish_rounds();
}

bool core::state::witnessed(node_id id) const {
  return std::find(witnesses.begin(), witnesses.end(), id) != witnesses.end();
}

// What the voter holds and counts: of a witness only what another member with data holds, too, as long as there is one
// that keeps up.
log_index core::state::held_with_data(node_id voter) const {
  if (voter == opt.self) return writes.durable();
  const log_index match = peer(voter)->match();
  if (witnesses.empty() || !witnessed(voter)) return match;
  std::optional<log_index> furthest;
  for (const follower_progress& p : peers) {
    const bool keeps_up = heard_lately(p) && now - p.near_at <= opt.election_ticks;
    if (keeps_up && !witnessed(p.id()) && is_voter(members(), p.id()))
      furthest = std::max(furthest.value_or(p.match()), p.match());
  }
  return furthest ? std::min(match, *furthest) : match;
}

// Near is who holds what was the log's end half an election timeout ago, or a little longer.
void core::state::look_at_laggards(leader_role& l) {
  if (witnesses.empty()) return;
  for (follower_progress& p : peers)
    if (p.match() >= l.end_before) p.near_at = now;
  if (now - l.end_seen >= opt.election_ticks / 2) {
    l.end_before = log.last_index();
    l.end_seen = now;
  }
  advance_commit(); // somebody may not be waited for any more
}

// Up to where a quorum has the log durable.
log_index core::state::acknowledged_by_quorum() const {
  const auto value_of = [&](node_id id) { return held_with_data(id).value(); };
  if (mutated(mutant::new_majority_alone)) return log_index(majority_value(members().voters, value_of));
  if (mutated(mutant::count_learners)) {
    std::vector<node_id> all = members().voters;
    all.insert(all.end(), members().learners.begin(), members().learners.end());
    return log_index(majority_value(all, value_of));
  }
  return log_index(quorum_value(members(), value_of));
}

// Counting commits only entries of the own term; the others follow (paper §5.4.2).
void core::state::advance_commit() {
  if (leading() == nullptr) return;
  const log_index reached = acknowledged_by_quorum();
  if (reached <= commit) return;
  if (log.term_at(reached) != current_term && !mutated(mutant::commit_old_term)) return;
  commit_to(reached);
  finish_change();
}

bool core::state::transfer(node_id to) {
  leader_role* l = leading();
  if (l == nullptr || to == opt.self || !stays_voter(members(), to) || witnessed(to)) return false;
  if (l->transferee == to) return true;
  l->transferee = to;
  l->transfer_since = now;
  l->transfer_told = false;
  tell_transferee();
  return true;
}

void core::state::tell_transferee() {
  leader_role* l = leading();
  if (!l->transferee || l->transfer_told) return;
  if (peer(l->transferee)->match() != log.last_index()) return;
  l->transfer_told = true;
  l->lease_given_up = true; // also if the transfer is given up: what was said may arrive at any time
  send(l->transferee, timeout_now{current_term});
}

bool core::state::heard_lately(const follower_progress& p) const {
  return p.heard && now - p.heard_at <= opt.election_ticks;
}

node_id core::state::transfer_target() const {
  const follower_progress* best = nullptr;
  if (leading() != nullptr)
    for (const follower_progress& p : peers)
      if (stays_voter(members(), p.id()) && !witnessed(p.id()) && heard_lately(p) &&
          (best == nullptr || p.match() > best->match()))
        best = &p;
  return best == nullptr ? node_id() : best->id();
}

// Everything that is due to the followers, computed from what is known of each.
void core::state::lead(ready& out) {
  leader_role* l = leading();
  begin_rounds(*l);
  for (follower_progress& p : peers) {
    if (l->heartbeat_due) send_heartbeat(p, out);
    replicate(p, out);
    if (notice_due(p)) {
      send_heartbeat(p, out);
      p.notice_sent = true;
    }
  }
  l->heartbeat_due = false;
}

void core::state::send_heartbeat(follower_progress& p, ready& out) {
  const log_index known = mutated(mutant::commit_beyond_match) ? commit : std::min(commit, p.match());
  out.messages.push_back({p.id(), heartbeat{.term = current_term,
                                            .commit = known,
                                            .round = leading()->round,
                                            .sent_us = opt.lease_ticks == 0 ? 0 : clock_us}});
  p.commit_told = std::max(p.commit_told, known);
}

// An otherwise idle follower learns at once what was committed, with one such message in flight; while appends flow
// they carry it.
bool core::state::notice_due(const follower_progress& p) const {
  return p.state() == follower_progress::state_type::replicate && !p.notice_sent &&
         std::min(commit, p.match()) > p.commit_told;
}

// A witness gets only what a voter with data, and one that stays, holds durably. Else it could hold the longest log, of
// entries that are nowhere or at nobody who may lead, and refuse everybody who could.
log_index core::state::sendable(const follower_progress& to) const {
  if (witnesses.empty() || !witnessed(to.id())) return log.last_index();
  log_index safe = stays_voter(members(), opt.self) ? writes.durable() : log_index();
  for (const follower_progress& p : peers)
    if (!witnessed(p.id()) && stays_voter(members(), p.id())) safe = std::max(safe, p.match());
  return std::min(safe, log.last_index());
}

// Whether replicate() would do something.
bool core::state::work_due(const follower_progress& p) const {
  if (notice_due(p)) return true;
  if (p.paused()) return false;
  if (p.next() <= log.start_index()) return heard_lately(p);
  if (p.wants_probe()) return !p.load.waiting();
  if (p.next() > sendable(p)) return false;
  return p.next() >= log.cache_first() || !p.load.waiting();
}

void core::state::replicate(follower_progress& p, ready& out) {
  if (p.paused()) return;
  if (p.next() <= log.start_index()) {
    if (!heard_lately(p)) return; // nobody to send it to
    p.become_snapshot(snapshot.index);
    out.snapshots.push_back(p.id());
    return;
  }
  while (!p.paused() && (p.wants_probe() || p.next() <= sendable(p)))
    if (!send_append(p, out)) return;
}

// One append with what comes next and fits. False: it waits for a load.
bool core::state::send_append(follower_progress& p, ready& out) {
  const log_index prev = p.next().prev();
  append_request m{.term = current_term,
                   .prev_index = prev,
                   .prev_term = log.term_at(prev),
                   .commit = commit,
                   .round = leading()->round,
                   .entries = {}};
  std::size_t bytes = 0;
  const log_index end = sendable(p);
  log_index next = p.next();
  if (!p.window.full()) {
    if (!out.recycled.empty()) {
      m.entries = std::move(out.recycled.back());
      out.recycled.pop_back();
    }
    for (; next <= end; next = next.next()) {
      const entry* e = log.cached(next);
      if (e == nullptr) e = p.load.find(next);
      if (e == nullptr) break;
      const std::size_t size = e->encoded().size();
      if (!m.entries.empty() && bytes + size > opt.append_bytes_max) break;
      bytes += size;
      m.entries.push_back(*e);
    }
    p.load.used(next);
    if (m.entries.empty() && next <= end) {
      if (!p.load.waiting())
        out.loads.push_back(
            p.load.request(++last_ticket, next, log.cache_first().prev(), opt.append_bytes_max * load_appends));
      if (m.entries.capacity() != 0) out.recycled.push_back(std::move(m.entries));
      return false;
    }
  }
  p.sent(next.prev(), bytes);
  p.commit_told = std::max(p.commit_told, std::min(commit, next.prev()));
  out.messages.push_back({p.id(), std::move(m)});
  return true;
}

} // namespace quorumd::raft
