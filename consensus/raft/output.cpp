#include "consensus/raft/state.hpp"

#include "consensus/types/invariant.hpp"

#include <algorithm>
#include <utility>

namespace quorumd::raft {

void core::state::take(ready& out) {
  QUORUMD_INVARIANT(out.empty(), "an output is carried out and cleared before the next one");
  out.messages.swap(leaving);
  if (leading() != nullptr) {
    lead(out);
    // Reads that a single voter answers leave now too.
    for (outgoing& o : leaving) out.messages.push_back(std::move(o));
    leaving.clear();
  }
  persist(out);
  release(out);
  hand_out_committed(out);
  out.reads.swap(answered_reads);
  out.members = !std::exchange(told_configuration, true);
  if (const soft_state s = soft(); s != told_soft) {
    told_soft = s;
    out.soft = s;
  }
}

void core::state::persist(ready& out) {
  if (!needs_write()) return;
  if (hard_dirty) out.hard = hard_state{.term = current_term, .vote = vote};
  out.install = std::move(installing);
  installing.reset();
  for (log_index i = handed_to_disk.next(); i <= log.last_index(); i = i.next()) out.entries.push_back(*log.cached(i));
  handed_to_disk = log.last_index();
  out.commit = commit;
  out.number = writes.begin(log.last_index(), hard_dirty, now);
  hard_dirty = false;
}

// Lets the messages go that wait for no write or for finished ones; those that wait for the write of this output go
// with it, those that wait for an earlier one stay.
void core::state::release(ready& out) {
  std::size_t kept = 0;
  for (held_message& h : held) {
    if (h.until <= writes.finished())
      out.messages.push_back(std::move(h.what));
    else if (&held[kept++] != &h)
      held[kept - 1] = std::move(h);
  }
  held.resize(kept);

  const write_number hard = writes.hard();
  for (outgoing& o : with_hard_state) {
    if (!hard)
      out.messages.push_back(std::move(o));
    else if (hard == out.number)
      out.after_persist.push_back(std::move(o));
    else
      held.push_back({hard, std::move(o)});
  }
  with_hard_state.clear();
  release_acknowledgement(out);
}

// An acknowledgement derives from the entries it covers and from the term in which they were accepted.
write_number core::state::acknowledgement_waits_for() const {
  const std::optional<write_number> entries = writes.covering(ack->match);
  QUORUMD_INVARIANT(entries, "what is acknowledged is durable or about to be");
  return mutated(mutant::ack_before_sync) ? write_number() : std::max(*entries, writes.hard());
}

void core::state::release_acknowledgement(ready& out) {
  if (!ack) return;
  const write_number until = acknowledgement_waits_for();
  outgoing o{ack->to, append_response{.term = current_term,
                                      .accepted = true,
                                      .match = ack->match,
                                      .rejected = log_index(),
                                      .conflict_term = term(),
                                      .conflict_index = log_index(),
                                      .round = ack->round}};
  ack.reset();
  if (!until)
    out.messages.push_back(std::move(o));
  else if (until == out.number)
    out.after_persist.push_back(std::move(o));
  else
    held.push_back({until, std::move(o)});
}

bool core::state::committed_due() const {
  if (apply_barrier || handed_to_apply >= commit || applied < handed_to_apply) return false;
  return handed_to_apply.next() >= log.cache_first() || !apply_load.waiting();
}

/// Nothing more before all that was handed out is applied: an owner that applies slowly holds committed_bytes_max.
void core::state::hand_out_committed(ready& out) {
  if (apply_barrier || applied < handed_to_apply) return;
  std::size_t bytes = 0;
  while (handed_to_apply < commit) {
    const log_index next = handed_to_apply.next();
    const entry* e = log.cached(next);
    if (e == nullptr) e = apply_load.find(next);
    if (e == nullptr) {
      if (!apply_load.waiting())
        out.loads.push_back(apply_load.request(++last_ticket, next, std::min(commit, log.cache_first().prev()),
                                               opt.committed_bytes_max));
      break;
    }
    const std::size_t size = e->encoded().size();
    if (!out.committed.empty() && bytes + size > opt.committed_bytes_max) break;
    bytes += size;
    out.committed.push_back(*e);
    handed_to_apply = next;
  }
  apply_load.used(handed_to_apply.next());
}

bool core::state::has_ready() const {
  if (needs_write() || !leaving.empty() || !answered_reads.empty()) return true;
  if (!with_hard_state.empty() && !writes.hard()) return true;
  if (ack && !acknowledgement_waits_for()) return true;
  const auto released = [this](const held_message& h) { return h.until <= writes.finished(); };
  if (std::any_of(held.begin(), held.end(), released)) return true;
  if (committed_due() || soft() != told_soft || !told_configuration) return true;
  const leader_role* l = leading();
  if (l == nullptr) return false;
  if ((l->heartbeat_due && !peers.empty()) || (l->reads_begun < l->reads.size() && commit >= l->start)) return true;
  return std::any_of(peers.begin(), peers.end(), [this](const follower_progress& p) { return work_due(p); });
}

} // namespace quorumd::raft
