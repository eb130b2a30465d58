#include "consensus/raft/state.hpp"

#include "consensus/types/invariant.hpp"

#include <algorithm>

namespace quorumd::raft {

core::state::state(options o, initial_state s)
    : opt(o)
    , current_term(s.hard.term)
    , vote(s.hard.vote)
    , log(s.start.index, s.start.term, std::move(s.runs), s.last)
    , configs(s.start.index, s.start.members, s.configurations)
    , commit(std::max(s.commit, s.applied))
    , snapshot(std::move(s.start))
    , random(o.seed)
    , promised_until(o.mutant == raft::mutant::forget_promise ? 0 : now + o.promised_ticks)
    , writes(s.last)
    , handed_to_disk(s.last)
    , handed_to_apply(s.applied)
    , applied(s.applied) {
  QUORUMD_INVARIANT(opt.self, "a node has an id");
  QUORUMD_INVARIANT(opt.election_ticks > opt.heartbeat_ticks && opt.heartbeat_ticks > 0,
                    "the election timeout is longer than the heartbeat interval");
  if (opt.joined_term > current_term) {
    current_term = opt.joined_term;
    vote = node_id();
    hard_dirty = true;
  }
  rebuild_peers();
  reset_election_timer();
}

follower_progress* core::state::peer(node_id id) {
  return const_cast<follower_progress*>(std::as_const(*this).peer(id));
}

const follower_progress* core::state::peer(node_id id) const {
  for (const follower_progress& p : peers)
    if (p.id() == id) return &p;
  return nullptr;
}

node_id core::state::known_leader() const {
  if (leading() != nullptr) return opt.self;
  if (const auto* f = std::get_if<follower_role>(&role)) return f->leader;
  return node_id();
}

soft_state core::state::soft() const {
  static_assert(std::variant_size_v<any_role> == 4);
  const leader_role* l = leading();
  return {.role = static_cast<raft::role>(role.index()),
          .leader = known_leader(),
          .term = current_term,
          .serving = l != nullptr && commit >= l->start};
}

bool core::state::disk_stalled() const {
  const auto since = writes.waiting_since();
  return since && now - *since > opt.disk_stall_ticks;
}

void core::state::commit_to(log_index index) {
  if (index <= commit) return;
  QUORUMD_INVARIANT(index <= log.last_index(), "nothing beyond the last entry is committed");
  if (leader_role* l = leading()) {
    for (log_index i = std::max(commit.next(), l->start); i <= index; i = i.next())
      l->uncommitted_bytes -= log.cached(i)->encoded().size();
  }
  commit = index;
}

void core::state::apply_done(log_index index) {
  QUORUMD_INVARIANT(index <= handed_to_apply, "only what was handed out is applied");
  applied = std::max(applied, index);
  if (applied >= apply_barrier) apply_barrier = log_index();
  log.evict(std::min(applied, writes.durable()), opt.cache_bytes_max);
}

void core::state::compact(const snapshot_mark& mark, log_index keep_from) {
  QUORUMD_INVARIANT(mark.index <= applied, "a snapshot holds only what was applied");
  if (mark.index < snapshot.index) return; // a newer one was installed meanwhile
  snapshot = mark;
  const log_index start = std::min({keep_from.prev(), mark.index, writes.durable()});
  if (start <= log.start_index()) return;
  log.compact(start);
  configs.compact(start);
}

void core::state::load_done(std::uint64_t ticket, std::vector<entry> entries) {
  if (apply_load.waiting() && apply_load.ticket() == ticket) {
    apply_load.fill(std::move(entries), log);
    return;
  }
  for (follower_progress& p : peers)
    if (p.load.waiting() && p.load.ticket() == ticket) {
      p.load.fill(std::move(entries), log);
      return;
    }
}

} // namespace quorumd::raft
