#include "consensus/raft/state.hpp"

#include <algorithm>
#include <utility>

/// Changes of the members by joint consensus (thesis §4.3), and what follows from one.
namespace quorumd::raft {

boost::system::result<proposed, change_error> core::state::change_members(configuration target,
                                                                          std::span<const std::byte> details) {
  leader_role* l = leading();
  if (l == nullptr) return change_error::not_leader;
  if (l->transferee) return change_error::transferring;
  if (commit < l->start) return change_error::not_ready;
  if ((configs.index() > commit && !mutated(mutant::change_while_pending)) || members().joint())
    return change_error::pending;
  if (!target.outgoing.empty() || validate(target)) return change_error::invalid;
  if (target.voters != members().voters && !mutated(mutant::change_in_one_step)) target.outgoing = members().voters;
  append_configuration(target, details);
  return proposed{.term = current_term, .first = configs.index()};
}

change_error core::state::leave_joint() {
  const leader_role* l = leading();
  if (l == nullptr) return change_error::not_leader;
  if (l->transferee) return change_error::transferring;
  if (commit < l->start) return change_error::not_ready;
  if (!members().joint()) return change_error::invalid;
  if (configs.index() > commit) return change_error::pending;
  configuration next = members();
  next.outgoing.clear();
  const entry joint = configs.origin() != nullptr ? *configs.origin() : entry();
  const auto begun = configs.origin() != nullptr ? decode_configuration(joint.payload()) : std::nullopt;
  append_configuration(next, begun ? begun->details : std::span<const std::byte>());
  return change_error::none;
}

void core::state::append_configuration(const configuration& next, std::span<const std::byte> details) {
  entry e = entry::make(opt.group, current_term, log.last_index().next(), entry_kind::members,
                        encode_configuration(next, details));
  leader_role* l = leading();
  l->uncommitted_bytes += e.encoded().size();
  for (const follower_progress& p : peers) {
    if (is_member(next, p.id()) || std::count(l->departing.begin(), l->departing.end(), p.id()) != 0) continue;
    l->departing.push_back(p.id());
  }
  std::erase_if(l->departing, [&](node_id id) { return is_member(next, id); });
  // Who comes back holds nothing of what was known of it.
  for (follower_progress& p : peers)
    if (is_member(next, p.id()) && !is_member(members(), p.id())) p.reset(log.last_index());
  l->departed_at = e.index();
  configs.append(e);
  log.append(std::move(e));
  configuration_changed();
}

// The newest configuration of the log is in force from now on (thesis §4.1).
void core::state::configuration_changed() {
  told_configuration = false;
  rebuild_peers();
  leader_role* l = leading();
  if (l == nullptr) return;
  l->since = now; // whoever is asked to count now is given time to be heard
  if (l->transferee && !stays_voter(members(), l->transferee)) l->transferee = node_id();
  advance_commit(); // it may need fewer now (case 52)
  finish_rounds();
}

// A voter, or one that is needed until its removal is committed: those who lack the entry cannot have its vote, and so
// it has to lead them to it (thesis §4.2.2).
bool core::state::promotable() const {
  if (has_forgotten(log.last_index(), log.last_term()) || (opt.witness && !mutated(mutant::witness_leads)))
    return false;
  if (is_voter(members(), opt.self)) return true;
  return configs.index() > commit && is_voter(configs.at(configs.index().prev()), opt.self);
}

void core::state::rebuild_peers() {
  std::vector<node_id> ids;
  for (const auto* set : {&members().voters, &members().outgoing, &members().learners})
    ids.insert(ids.end(), set->begin(), set->end());
  if (const leader_role* l = leading()) ids.insert(ids.end(), l->departing.begin(), l->departing.end());
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::erase(ids, opt.self);
  std::vector<follower_progress> rebuilt;
  for (const node_id id : ids) {
    if (follower_progress* before = peer(id)) {
      rebuilt.push_back(std::move(*before));
      continue;
    }
    rebuilt.emplace_back(id, opt.inflight_appends_max, opt.inflight_bytes_max);
    if (leading() == nullptr) continue;
    rebuilt.back().reset(log.last_index());
  }
  peers = std::move(rebuilt);
}

// The leader's part once the newest configuration is committed: a joint one is left, and who no longer votes no longer
// leads (thesis §4.2.2).
void core::state::finish_change() {
  const leader_role* l = leading();
  if (l == nullptr || configs.index() > commit || commit < l->start) return;
  if (members().joint()) {
    if (opt.auto_leave) (void)leave_joint();
    return;
  }
  if (is_voter(members(), opt.self)) return;
  const node_id target = transfer_target();
  const term own = current_term;
  step_down();
  if (target) send(target, timeout_now{own});
}

// Who is no longer a member is sent the log until it knows so, or does not want to.
void core::state::release_departed(leader_role& l) {
  if (l.departing.empty()) return;
  if (commit < l.departed_at) {
    l.departing_since = now;
    return;
  }
  const auto told = [&](node_id id) { return peer(id)->commit_told >= l.departed_at; };
  if (!std::all_of(l.departing.begin(), l.departing.end(), told) && now - l.departing_since < opt.election_ticks)
    return;
  l.departing.clear();
  rebuild_peers();
}

} // namespace quorumd::raft
