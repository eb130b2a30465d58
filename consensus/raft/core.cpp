#include "consensus/raft/core.hpp"

#include "consensus/raft/state.hpp"
#include "consensus/types/invariant.hpp"

#include <boost/throw_exception.hpp>

#include <stdexcept>
#include <variant>

namespace quorumd::raft {

const char* describe(propose_error error) {
  switch (error) {
  case propose_error::none:
    return "no error";
  case propose_error::not_leader:
    return "this node is not the leader";
  case propose_error::transferring:
    return "leadership is being handed over";
  case propose_error::too_much:
    return "too many bytes wait to be committed";
  }
  return "unknown";
}

const char* describe(change_error error) {
  switch (error) {
  case change_error::none:
    return "no error";
  case change_error::not_leader:
    return "this node is not the leader";
  case change_error::transferring:
    return "leadership is being handed over";
  case change_error::not_ready:
    return "the leader has only just been elected";
  case change_error::pending:
    return "another change of the members is under way";
  case change_error::invalid:
    return "these cannot be the members";
  }
  return "unknown";
}

void throw_exception_from_error(change_error error, const boost::source_location& where) {
  boost::throw_exception(std::runtime_error(describe(error)), where);
}

void throw_exception_from_error(propose_error error, const boost::source_location& where) {
  boost::throw_exception(std::runtime_error(describe(error)), where);
}

core::core(options o, initial_state s) {
  if (const std::optional<std::string> error = validate(s))
    invariant_broken("validate(initial_state)", error->c_str(), __FILE__, __LINE__);
  state_ = std::make_unique<state>(o, std::move(s));
}

core::~core() = default;

void core::tick() {
  state_->tick();
}

void core::set_clock(std::uint64_t us, std::uint32_t ticks_owed) {
  state_->clock_us = us;
  state_->ticks_owed = ticks_owed;
}

std::uint64_t core::lease_until_us() const {
  return state_->lease_until();
}

bool core::lease_holds() const {
  return state_->lease_holds();
}

std::uint32_t core::quiet_ticks() const {
  return state_->quiet_ticks();
}

void core::step(node_id from, message m) {
  if (!from || from == state_->opt.self) return;
  std::visit([&](auto& body) { state_->receive(from, body); }, m);
}

boost::system::result<proposed, propose_error> core::propose(std::span<proposal> batch) {
  return state_->propose(batch);
}

boost::system::result<proposed, change_error> core::change_members(configuration target,
                                                                   std::span<const std::byte> details) {
  return state_->change_members(std::move(target), details);
}

change_error core::leave_joint() {
  return state_->leave_joint();
}

void core::set_witnesses(std::vector<node_id> ids) {
  state_->witnesses = std::move(ids);
}

void core::read_index(read_context context) {
  state_->read_index(context);
}

std::size_t core::uncommitted_bytes() const {
  const leader_role* l = std::as_const(*state_).leading();
  return l == nullptr ? 0 : l->uncommitted_bytes;
}

bool core::transfer_leadership(node_id to) {
  return state_->transfer(to);
}

node_id core::transfer_target() const {
  return state_->transfer_target();
}

void core::campaign() {
  if (state_->leading() == nullptr && state_->promotable() && !state_->promised()) state_->pre_campaign();
}

void core::persisted(write_number n) {
  state_->writes.finish(n, state_->now);
  state_->self_vote_durable();
  state_->advance_commit();
}

void core::applied(log_index index) {
  state_->apply_done(index);
}

void core::loaded(std::uint64_t ticket, std::vector<entry> entries) {
  state_->load_done(ticket, std::move(entries));
}

void core::compacted(snapshot_mark mark, log_index keep_from) {
  state_->compact(mark, keep_from);
}

void core::snapshot_sent(node_id to, bool success) {
  if (follower_progress* p = state_->peer(to)) p->snapshot_ended(success);
}

void core::replaced(node_id member) {
  QUORUMD_INVARIANT(!is_voter(state_->members(), member), "what a voter acknowledged was counted");
  if (state_->mutated(mutant::keep_replaced_progress)) return;
  if (follower_progress* p = state_->peer(member)) p->reset(state_->log.last_index());
}

void core::unreachable(node_id peer) {
  if (follower_progress* p = state_->peer(peer)) p->unreachable();
}

void core::set_writable(node_id peer, bool writable) {
  if (follower_progress* p = state_->peer(peer)) p->writable = writable;
}

void core::stream_reset(node_id peer) {
  unreachable(peer);
  state_->forget_leader_soon(peer);
}

void core::take(ready& out) {
  state_->take(out);
}

bool core::has_ready() const {
  return state_->has_ready();
}

soft_state core::soft() const {
  return state_->soft();
}

hard_state core::hard() const {
  return {.term = state_->current_term, .vote = state_->vote};
}

log_index core::commit() const {
  return state_->commit;
}

log_index core::last_index() const {
  return state_->log.last_index();
}

log_index core::first_index() const {
  return state_->log.first_index();
}

log_index core::persisted_index() const {
  return state_->writes.durable();
}

term core::term_at(log_index index) const {
  return state_->log.term_at(index);
}

const configuration& core::members() const {
  return state_->members();
}

const configuration& core::members_at(log_index index) const {
  return state_->configs.at(index);
}

const entry* core::members_entry() const {
  return state_->configs.origin();
}

bool core::changing_members() const {
  return state_->members().joint() || state_->configs.index() > state_->commit;
}

std::vector<peer_progress> core::progress() const {
  std::vector<peer_progress> all;
  if (state_->leading() == nullptr) return all;
  for (const follower_progress& p : state_->peers)
    all.push_back({.id = p.id(),
                   .match = p.match(),
                   .next = p.next(),
                   .state = p.state(),
                   .recently_active = state_->heard_lately(p)});
  return all;
}

} // namespace quorumd::raft
