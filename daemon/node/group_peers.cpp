#include "consensus/raft/quorum.hpp"
#include "daemon/kv/codec/command_codec.hpp"
#include "daemon/kv/validate.hpp"
#include "daemon/node/group.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace quorumd::node {

namespace {
constexpr std::uint64_t goodbye_timeouts = 2; // election timeouts that who was removed has to learn so
} // namespace

void group::take(peer_event& e) {
  peer_state& p = peers_[e.from]; // a stranger too: it may be a member by a change that this node does not know yet
  switch (e.what) {
  case peer_event::kind::up:
    p = {.up = true,
         .refused = false,
         .incarnation = e.incarnation,
         .features = e.features,
         .members_index = e.members_index,
         .name = std::move(e.name),
         .client_address = std::move(e.client_address)};
    forward_replies_.stream_began(e.from);
    sender_.peer_lost(e.from); // what was begun without a stream never left
    delegation_.peer_lost(e.from);
    core_.set_writable(e.from, true);
    check_members();
    if (soft_.leader == e.from) retry_waiting();
    break;
  case peer_event::kind::down:
    p.up = false;
    forwards_.broken(e.from, options_.bugs.call_unsent ? request_errc::not_applied : request_errc::unknown);
    sender_.peer_lost(e.from);
    delegation_.peer_lost(e.from);
    installer_.peer_lost(e.from);
    relay_.broken(e.from);
    core_.unreachable(e.from);
    core_.stream_reset(e.from);
    break;
  case peer_event::kind::full:
    core_.set_writable(e.from, false);
    break;
  case peer_event::kind::room:
    core_.set_writable(e.from, true);
    break;
  case peer_event::kind::messages:
    if (!p.up || p.refused) break;
    for (wire::peer_message& m : e.messages) std::visit([&](auto& body) { receive(e.from, std::move(body)); }, m);
    break;
  }
}

void group::receive(node_id from, wire::raft_message m) {
  if (m.group != options_.raft.group) return;
  if (const auto* r = std::get_if<raft::append_response>(&m.body); r != nullptr && r->accepted)
    stages_.acknowledged(from, r->match, std::chrono::microseconds(r->held_us));
  // Who stops, or has no state that counts, hands leadership over and takes none.
  if ((draining_ || !corrupt_.empty()) && std::holds_alternative<raft::timeout_now>(m.body)) return;
  core_.step(from, std::move(m.body));
}

void group::receive(node_id from, wire::forward_request m) {
  const reply_to to = forward_replies_.answer_to(from, m.id);
  const auto command = kv::decode_command(std::as_const(m.command).payload());
  if (m.group != options_.raft.group || !command || !kv::validate(command->what) || !kv::validate(command->call)) {
    sinks_.failed(to, request_errc::invalid);
    return;
  }
  if (soft_.role != raft::role::leader) { // it asked the wrong one: it may ask again
    sinks_.failed(to, request_errc::not_leader);
    return;
  }
  const bool answers = answers_much(command->what);
  admit(write_request{.to = to,
                      .deadline = seams_.loop.now() + m.remaining,
                      .command = std::move(m.command),
                      .grows = may_grow(command->what),
                      .answers = answers,
                      .bulk = m.bulk,
                      .question = std::holds_alternative<kv::lease_question>(command->what),
                      .level = kv::needed_level(command->what, command->call)});
}

void group::receive(node_id from, wire::forward_reply m) {
  const auto waiting = forwards_.take(from, m.id);
  if (!waiting) return;
  stages_.forward_answered(m.id);
  if (m.error == request_errc::none) {
    const auto r = kv::decode_result(m.result.bytes);
    if (r)
      sinks_.wrote(waiting->to, *r);
    else
      sinks_.failed(waiting->to, request_errc::unknown); // applied, but not to be understood
  } else {
    fail_write(waiting->to, m.error, m.text);
  }
}

void group::receive(node_id from, wire::snapshot_chunk m) {
  installer_.take(from, std::move(m));
}

void group::receive(node_id from, wire::snapshot_credit m) {
  if (m.status != wire::snapshot_status::wanted)
    sender_.take(from, m);
  else if (soft_.role == raft::role::leader)
    sender_.offer(from, soft_.term, log_index(m.offset));
}

void group::receive(node_id from, const wire::snapshot_order& m) {
  if (m.group == options_.raft.group && from == soft_.leader) sender_.start(from, m);
}

void group::receive(node_id from, const wire::snapshot_report& m) {
  if (m.group == options_.raft.group) delegation_.take(from, m);
}

std::optional<log_index> group::pinned(log_index floor) const {
  const auto own = sender_.pinned(floor);
  const auto others = delegation_.pinned(floor);
  return own && others ? std::min(own, others) : own ? own : others;
}

bool group::can_unpack(node_id id) const {
  const auto found = peers_.find(id);
  return found != peers_.end() && found->second.up && (found->second.features & wire::feature_packed_chunks) != 0;
}

void group::receive(node_id from, wire::status_query m) {
  seams_.transport.send(from, wire::status_answer{.id = m.id, .row = client::encode_status(status_.own_row())});
}

void group::receive(node_id from, wire::status_answer m) {
  wire::decoded<client::status_row> row = client::decode_status(m.row);
  if (row.has_value() && succession_.answered(m.id, from, *row)) return;
  status_.answered(seams_.loop.now(), from, m.id, std::move(row));
}

void group::receive(node_id from, wire::relay_request m) {
  const auto c = m.group == options_.raft.group ? relayed_change(m) : std::nullopt;
  if (!c) {
    const member_answer refused{
        .error = request_errc::invalid, .text = "it is no change of this group's members", .reply = {}};
    return seams_.transport.send(from, relayed_answer(m.id, refused));
  }
  admin_.change(*c, seams_.loop.now() + m.remaining, [this, from, id = m.id](const member_answer& a) {
    seams_.transport.send(from, relayed_answer(id, a));
  });
}

void group::receive(node_id from, const wire::relay_reply& m) {
  relay_.answered(from, m);
}

void group::change_members(const client::member_change& c, coro::time_point deadline, member_admin::receiver done) {
  const node_id leader = reachable_leader();
  const auto its = peers_.find(leader);
  const bool relays = its != peers_.end() && (its->second.features & wire::feature_relayed_changes) != 0;
  if (soft_.role != raft::role::leader && relays)
    relay_.ask(leader, c, seams_.loop.now(), deadline, std::move(done));
  else
    admin_.change(c, deadline, std::move(done));
}

std::string_view group::leader_address() const {
  const auto found = peers_.find(soft_.leader);
  return found == peers_.end() ? std::string_view() : found->second.client_address;
}

/// Who the members are, by the newest entry of the log or by what was applied, may have changed.
void group::follow_members() {
  // One that is removed is still one while it is told so.
  std::erase_if(witnesses_,
                [this](node_id id) { return admin_.in_force().records.contains(id) || !reachable_.contains(id); });
  for (const node_id id : admin_.in_force().witnesses()) witnesses_.push_back(id);
  core_.set_witnesses(witnesses_);
  std::vector<node_id> peers;
  for (const auto& [id, record] : admin_.in_force().records)
    if (id != options_.raft.self) peers.push_back(id);
  stages_.follow(peers);
  for (const roster* r : {&applier_.members().roster(), &admin_.in_force()})
    for (const wire::member& m : r->listed()) reachable_[m.id] = {m, 0};
  for (auto& [id, r] : reachable_) {
    const bool is_one = applier_.members().roster().records.contains(id) || admin_.in_force().records.contains(id);
    if (!is_one && r.until == 0) r.until = ticks_ + goodbye_timeouts * options_.raft.election_ticks;
  }
  tell_members();
  check_members();
  const roster& applied = applier_.members().roster();
  if (std::exchange(members_seen_, applied.index) == applied.index) return;
  seams_.observer.members_changed(applied);
  if (applied.members.joint()) return;
  for (const auto& [id, record] : applied.records)
    if (record.begins_anew && !raft::is_voter(core_.members(), id)) core_.replaced(id);
}

void group::tell_members() {
  std::vector<wire::member> all;
  for (const auto& [id, r] : reachable_) all.push_back(r.who);
  seams_.members_changed(applier_.members(), all);
}

void group::check_members() {
  const membership& known = applier_.members();
  // A member that was removed leaves in a moment.
  if (known.is_void(options_.self.incarnation) && raft::is_member(known.roster().members, options_.self.id))
    return stop(coro::fatal_cause::identity,
                "this node cannot go on: " + known.objection(options_.self.id, options_.self.incarnation).value());
  for (auto& [id, p] : peers_) {
    if (options_.bugs.accept_any_data) break;
    if (!p.up || p.refused || !raft::is_member(known.roster().members, id)) continue;
    if (p.members_index > known.roster().index)
      continue; // it may have been replaced by a change that is not known here
    const auto objection = known.objection(id, p.incarnation);
    if (!objection) continue;
    p.refused = true;
    seams_.refuse(id, *objection);
  }
}

/// Ends the streams to those who had time to learn that they are no members, and this node, if it is one of them.
void group::leave_if_removed() {
  if (std::erase_if(reachable_, [this](const auto& r) { return r.second.until != 0 && r.second.until <= ticks_; }) != 0)
    tell_members();
  const roster& applied = applier_.members().roster();
  const bool removed = applied.index > options_.raft.joined_at && !raft::is_member(applied.members, options_.self.id) &&
                       !raft::is_member(core_.members(), options_.self.id) && applier_.applied() >= recovered_;
  if (!removed) {
    removed_at_ = 0;
    return;
  }
  if (removed_at_ == 0) {
    removed_at_ = std::max<std::uint64_t>(ticks_, 1);
    refuse_all(request_errc::not_leader, removed_text());
  }
  if (ticks_ - removed_at_ < goodbye_timeouts * options_.raft.election_ticks) return;
  stop(coro::fatal_cause::identity, removed_text() +
                                        ", and stops. To have it back as a new member, empty its data "
                                        "directory, run 'quorumd member add " +
                                        options_.self.name + "=HOST:PORT' and start it with --join");
}

std::string group::removed_text() const {
  return options_.self.name + " was removed from cluster " + options_.self.cluster_name + " (by entry " +
         std::to_string(applier_.members().roster().index.value()) + " of the log)";
}

void group::record_members() {
  const auto record = [&](node_id member, incarnation i) {
    if (applier_.members().recorded(member)) return;
    propose_own(entry_kind::configuration, membership::encode(member, i));
    seams_.observer.incarnation_recorded(member, i);
  };
  if (ticks_ - members_recorded_at_ < 50) return; // what was proposed is given time to be applied
  members_recorded_at_ = ticks_;
  record(options_.raft.self, options_.self.incarnation);
  for (const auto& [id, p] : peers_)
    if (p.up && !p.refused && raft::is_member(core_.members(), id)) record(id, p.incarnation);
}

} // namespace quorumd::node
