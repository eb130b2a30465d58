#include "consensus/raft/state.hpp"

#include <algorithm>
#include <cstdint>

namespace quorumd::raft {

void core::state::read_index(read_context context) {
  if (leading() != nullptr) {
    register_read(opt.self, context);
    return;
  }
  const node_id leader = known_leader();
  if (!leader) {
    answered_reads.push_back({.context = context, .ok = false, .index = log_index()});
    return;
  }
  forwarded.push_back({context, now});
  send(leader, read_index_request{.term = current_term, .context = context});
}

void core::state::receive(node_id from, const read_index_request& m) {
  if (m.term > current_term) become_follower(m.term, node_id());
  if (leading() == nullptr || m.term < current_term) {
    send(from, read_index_response{.term = current_term, .context = m.context, .ok = false, .index = log_index()});
    return;
  }
  register_read(from, m.context);
}

void core::state::receive(node_id from, const read_index_response& m) {
  if (m.term > current_term) become_follower(m.term, node_id());
  if (m.term < current_term || known_leader() != from) return;
  const auto it =
      std::find_if(forwarded.begin(), forwarded.end(), [&](const forwarded_read& r) { return r.context == m.context; });
  if (it == forwarded.end()) return;
  answered_reads.push_back({.context = m.context, .ok = m.ok, .index = m.index});
  forwarded.erase(it);
}

void core::state::register_read(node_id from, read_context context) {
  const pending_read r{.from = from, .context = context, .index = commit, .round = 0};
  if (mutated(mutant::read_without_round) || lease_holds())
    answer_read(r, true, commit);
  else
    leading()->reads.push_back(r);
}

// A quorum helps nobody else to lead before this moment (thesis §6.4.1): its own members', and in a joint configuration
// both halves'. No one who could be elected meanwhile holds a newer configuration than this log.
std::uint64_t core::state::lease_until() const {
  const leader_role* l = leading();
  if (l == nullptr || opt.lease_ticks == 0 || commit < l->start) return 0;
  if (l->lease_given_up && !mutated(mutant::lease_in_transfer)) return 0;
  return quorum_value(members(), [&](node_id id) { return id == opt.self ? UINT64_MAX : peer(id)->lease_us; });
}

bool core::state::lease_holds() const {
  const std::uint64_t until = lease_until();
  return clock_us < until || (until != 0 && mutated(mutant::lease_for_ever));
}

// By this node's clock the promise began no earlier than the heartbeat left. It ends a tick early, since the follower
// counts whole ones, and by the part in ten that two clocks may run apart (options::lease_ticks).
void core::state::take_promise(follower_progress& p, const heartbeat_response& m) {
  if (m.promise_us <= opt.tick_us || m.sent_us > clock_us) return;
  p.lease_us = std::max(p.lease_us, m.sent_us + std::uint64_t{m.promise_us - opt.tick_us} * 9 / 10);
}

void core::state::answer_read(const pending_read& r, bool ok, log_index index) {
  if (r.from == opt.self)
    answered_reads.push_back({.context = r.context, .ok = ok, .index = index});
  else
    send(r.from, read_index_response{.term = current_term, .context = r.context, .ok = ok, .index = index});
}

// All reads that wait share the next round. Before an entry of the own term is committed the commit index may lag
// behind what former leaders answered (case 78): they wait for that.
void core::state::begin_rounds(leader_role& l) {
  if (l.reads_begun == l.reads.size()) return;
  if (commit < l.start && !mutated(mutant::read_before_commit)) return;
  ++l.round;
  l.heartbeat_due = true;
  for (; l.reads_begun < l.reads.size(); ++l.reads_begun) {
    l.reads[l.reads_begun].round = l.round;
    l.reads[l.reads_begun].index = commit;
  }
  finish_rounds(); // a single voter is its own quorum
}

void core::state::finish_rounds() {
  leader_role* l = leading();
  if (l == nullptr || l->reads_begun == 0) return;
  const std::uint64_t confirmed =
      quorum_value(members(), [&](node_id id) { return id == opt.self ? l->round : peer(id)->round; });
  std::size_t done = 0;
  for (; done < l->reads_begun && l->reads[done].round <= confirmed; ++done)
    answer_read(l->reads[done], true, l->reads[done].index);
  l->reads.erase(l->reads.begin(), l->reads.begin() + static_cast<std::ptrdiff_t>(done));
  l->reads_begun -= done;
}

void core::state::fail_led_reads() {
  leader_role* l = leading();
  if (l == nullptr) return;
  for (const pending_read& r : l->reads) answer_read(r, false, log_index());
  l->reads.clear();
  l->reads_begun = 0;
}

void core::state::fail_forwarded_reads() {
  for (const forwarded_read& r : forwarded)
    answered_reads.push_back({.context = r.context, .ok = false, .index = log_index()});
  forwarded.clear();
}

void core::state::expire_forwarded_reads() {
  std::size_t expired = 0; // they are in the order of their beginning
  while (expired < forwarded.size() && now - forwarded[expired].since >= opt.election_ticks) {
    answered_reads.push_back({.context = forwarded[expired].context, .ok = false, .index = log_index()});
    ++expired;
  }
  forwarded.erase(forwarded.begin(), forwarded.begin() + static_cast<std::ptrdiff_t>(expired));
}

} // namespace quorumd::raft
