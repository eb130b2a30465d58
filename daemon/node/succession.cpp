#include "daemon/node/succession.hpp"

#include "consensus/raft/quorum.hpp"

#include <algorithm>
#include <utility>

namespace quorumd::node {
namespace {

constexpr std::uint64_t room_query = 0; // no collection of the status has this id
constexpr std::uint64_t query_ticks = 50;
constexpr std::uint64_t hand_over_ticks = 100;     // what did not succeed by then is tried again
constexpr std::uint64_t well_ticks = 500;          // that a preferred member keeps up before it is to lead
constexpr std::uint64_t keeps_up_entries = 10'000; // that it may be behind: it is sent them before it leads

} // namespace

void succession::keep_house(std::uint64_t ticks) {
  now_ = ticks;
  if (!leads()) {
    candidate_ = node_id();
    return;
  }
  if (why_not().empty())
    seek_preferred();
  else
    seek_room();
}

std::string succession::why_not() const {
  if (!seams_.corrupt.empty()) return seams_.corrupt;
  return seams_.wal.accepting_puts() ? std::string() : seams_.wal.space().message;
}

void succession::seek_room() {
  if (now_ - asked_at_ < query_ticks) return;
  asked_at_ = now_;
  for (const auto& [id, p] : seams_.peers) ask(id);
}

void succession::seek_preferred() {
  const node_id best = preferred();
  if (best != candidate_) {
    candidate_ = best;
    candidate_since_ = now_;
  }
  if (!candidate_ || now_ - candidate_since_ < well_ticks || now_ - asked_at_ < query_ticks) return;
  asked_at_ = now_;
  ask(candidate_);
}

/// The voter of the highest priority above this one's that keeps up; of several the one with the longest log.
node_id succession::preferred() const {
  const roster& members = seams_.admin.in_force();
  if (members.members.joint()) return {};
  const auto own = members.records.find(seams_.self);
  std::uint8_t highest = own == members.records.end() ? client::priority_default : own->second.priority;
  log_index longest;
  node_id best;
  for (const raft::peer_progress& p : seams_.core.progress()) {
    const auto record = members.records.find(p.id);
    if (record == members.records.end() || record->second.witness) continue;
    if (!raft::is_voter(members.members, p.id) || !keeps_up(p.id)) continue;
    const std::uint8_t its = record->second.priority;
    if (its < highest || (its == highest && (!best || p.match <= longest))) continue;
    highest = its;
    longest = p.match;
    best = p.id;
  }
  return best;
}

bool succession::keeps_up(node_id id) const {
  for (const raft::peer_progress& p : seams_.core.progress())
    if (p.id == id)
      return p.recently_active && p.state == raft::peer_progress::state::replicate &&
             p.match + keeps_up_entries >= seams_.core.last_index();
  return false;
}

void succession::ask(node_id id) {
  const auto p = seams_.peers.find(id);
  if (p == seams_.peers.end() || !p->second.up || p->second.refused) return;
  seams_.transport.send(id, wire::status_query{.id = room_query, .group = seams_.group});
}

bool succession::answered(std::uint64_t query, node_id member, const client::status_row& its) {
  if (query != room_query) return false;
  if (!leads() || !its.accepting || !its.corrupt.empty() || !keeps_up(member)) return true;
  if (const std::string why = why_not(); !why.empty())
    hand_over_to(member, why);
  else if (member == candidate_ && now_ - candidate_since_ >= well_ticks)
    hand_over_to(member, "its priority is higher");
  return true;
}

void succession::hand_over_to(node_id to, const std::string& why) {
  if (handed_over_at_ != 0 && now_ - handed_over_at_ < hand_over_ticks) return; // one at a time
  if (!seams_.core.transfer_leadership(to)) return;
  handed_over_at_ = now_;
  seams_.observer.handing_over(to, why);
  seams_.wake();
}

} // namespace quorumd::node
