#include "daemon/node/member_admin.hpp"

#include "consensus/raft/quorum.hpp"
#include "coro/net.hpp"

#include <algorithm>
#include <utility>

namespace quorumd::node {
namespace {

using client::member_action;
using wire::request_errc;

constexpr std::uint64_t caught_up_entries = 1000; // that a learner may be behind when it is promoted by hand
constexpr std::size_t name_bytes_max = 255;
constexpr auto transfer_patience = std::chrono::seconds(2); // an election timeout, and an election

void insert(std::vector<node_id>& set, node_id id) {
  const auto at = std::lower_bound(set.begin(), set.end(), id);
  if (at == set.end() || *at != id) set.insert(at, id);
}

bool contains(const std::vector<node_id>& set, node_id id) {
  return std::binary_search(set.begin(), set.end(), id);
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& n : names) text += (text.empty() ? "" : ", ") + n;
  return text;
}

/// What was said of data directories is done.
void forget_former_change(roster& next) {
  for (auto& [id, record] : next.records) {
    record.void_data = {};
    record.begins_anew = false;
  }
}

client::member_role role_of(const configuration& c, node_id id) {
  const bool votes = contains(c.voters, id);
  if (!c.joint()) return votes ? client::member_role::voter : client::member_role::learner;
  const bool voted = contains(c.outgoing, id);
  if (votes && voted) return client::member_role::voter;
  if (votes) return client::member_role::incoming;
  return voted ? client::member_role::outgoing : client::member_role::learner;
}

} // namespace

// --- what is in force ---

void member_admin::begin(const std::vector<entry>& logged) {
  in_force_ = seams_.state.members().roster();
  for (const entry& e : logged)
    if (auto next = follow(in_force_, e)) in_force_ = std::move(*next);
  in_force_.members = seams_.core.members();
}

void member_admin::members_changed() {
  // An entry without details stands right behind what is applied, or it would have some.
  const entry* e = seams_.core.members_entry();
  auto next = e == nullptr ? std::nullopt : follow(seams_.state.members().roster(), *e);
  in_force_ = next ? std::move(*next) : seams_.state.members().roster();
  in_force_.members = seams_.core.members();
}

// --- questions ---

/// Until it is applied: what is on record of data directories is by what was applied.
bool member_admin::under_way() const {
  return seams_.core.changing_members() || seams_.state.applied() < in_force_.index;
}

std::optional<raft::peer_progress> member_admin::progress_of(node_id id) const {
  for (const raft::peer_progress& p : seams_.core.progress())
    if (p.id == id) return p;
  return std::nullopt;
}

bool member_admin::alive(node_id id) const {
  if (id == seams_.self.id) return true;
  const auto stream = seams_.peers.find(id);
  if (stream == seams_.peers.end() || !stream->second.up || stream->second.refused) return false;
  const auto p = progress_of(id);
  return p && p->recently_active;
}

client::members_reply member_admin::now() const {
  const raft::soft_state soft = seams_.core.soft();
  client::members_reply r{.cluster = seams_.self.cluster,
                          .cluster_name = seams_.self.cluster_name,
                          .index = in_force_.index,
                          .changing = seams_.core.changing_members(),
                          .from_leader = soft.role == raft::role::leader,
                          .term = soft.term,
                          .rows = {}};
  for (const auto& [id, record] : in_force_.records) {
    client::member_row row{.id = id,
                           .name = record.name,
                           .address = record.address,
                           .role = role_of(in_force_.members, id),
                           .promotes = record.promotes && contains(in_force_.members.learners, id),
                           .leader = id == soft.leader,
                           .witness = record.witness,
                           .priority = record.priority};
    if (const auto on_record = seams_.state.members().recorded(id)) row.incarnation = *on_record;
    if (id == seams_.self.id) {
      row.client_address = seams_.self.client_address;
      row.connected = true;
      row.match = seams_.core.persisted_index();
    } else if (const auto p = seams_.peers.find(id); p != seams_.peers.end()) {
      row.client_address = p->second.client_address;
      row.connected = p->second.up && !p->second.refused;
    }
    if (const auto p = progress_of(id)) row.match = p->match;
    if (r.from_leader) row.behind = seams_.core.last_index() - std::min(row.match, seams_.core.last_index());
    r.rows.push_back(std::move(row));
  }
  std::sort(r.rows.begin(), r.rows.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return r;
}

member_answer member_admin::refusal(request_errc error, const std::string& text) const {
  return {.error = error, .text = text, .reply = now()};
}

/// Who is behind may take for a member who is none any more; and an empty disk may have forgotten votes, so that it can
/// only be a learner's.
member_answer member_admin::join(const client::join_request& r) const {
  if (!seams_.core.soft().serving && !seams_.join_anywhere)
    return refusal(request_errc::not_leader, "only the leader says who may join");
  if (under_way()) // what it is told must not be taken back
    return refusal(request_errc::refused, "a change of the members is under way: it will be known in a moment");
  node_id id = in_force_.find(r.name);
  if (!id) id = in_force_.find_unnamed(r.address);
  if (!id)
    return refusal(request_errc::refused, r.name + " is no member of cluster " + seams_.self.cluster_name +
                                              " yet: run 'quorumd member add " + r.name + "=" +
                                              (r.address.empty() ? "HOST:PORT" : r.address) + "'");
  const bool known = seams_.state.members().recorded(id).has_value();
  const bool votes = raft::is_voter(in_force_.members, id) && !seams_.join_anywhere;
  if (known || votes)
    return refusal(request_errc::refused,
                   r.name +
                       " is a member already, with another data directory: start it with that; or, if it is lost, "
                       "run 'quorumd member replace " +
                       r.name + "'");
  return {.error = request_errc::none, .text = {}, .reply = now()};
}

// --- changes ---

/// The data directory that stood for it, or with which it came last: an earlier node of its name may still run.
incarnation member_admin::data_seen_of(node_id id) const {
  if (const auto known = seams_.state.members().recorded(id)) return *known;
  const auto seen = seams_.peers.find(id);
  return seen == seams_.peers.end() ? incarnation() : seen->second.incarnation;
}

std::string member_admin::add(const std::string& name, const std::string& address, bool promote, roster& next) const {
  const node_id id = name.size() <= name_bytes_max ? seams_.id_of(name) : node_id();
  if (!id) return "'" + name.substr(0, 80) + "' cannot be a member's name";
  if (next.find(name)) return name + " is a member already";
  if (next.records.contains(id)) return name + " has the number of " + next.name_of(id) + ": choose another name";
  if (next.members.voters.size() + next.members.learners.size() >= voters_max)
    return "a cluster has at most " + std::to_string(voters_max) + " members";
  next.records[id] = {
      .name = name, .address = {}, .promotes = promote, .begins_anew = true, .void_data = data_seen_of(id)};
  insert(next.members.learners, id);
  return move(id, address, next);
}

std::string member_admin::move(node_id id, const std::string& address, roster& next) const {
  member_record& r = next.records[id];
  if (!coro::parse_endpoint(address))
    return r.name + ": expected the address at which other members reach it, as HOST:PORT, got '" +
           address.substr(0, 80) + "'";
  for (const auto& [other, record] : next.records)
    if (other != id && record.address == address && raft::is_member(next.members, other))
      return r.name + ": " + record.name + " is at " + address + " already";
  if (r.unnamed()) r.name = address;
  r.address = address;
  return {};
}

/// Earlier versions would drop it again when they lead.
std::string member_admin::set_kind(const client::member_change& c, const client::member_spec& m, roster& next) const {
  if (!m.priority && !m.witness) return {};
  if (m.witness && c.action != member_action::add) return m.name + ": only a new member can become a witness";
  if (m.priority && *m.priority > client::priority_most)
    return m.name + ": a priority is at most " + std::to_string(client::priority_most) + ", and " +
           std::to_string(*m.priority) + " was asked for";
  for (const auto& [id, record] : in_force_.records) {
    const auto p = seams_.peers.find(id);
    const bool met = p != seams_.peers.end() && p->second.incarnation;
    if (id == seams_.self.id || (met && (p->second.features & wire::feature_witnesses) != 0)) continue;
    return record.name +
           (met ? " runs a version that knows no priorities and witnesses: upgrade it first"
                : " was not met yet, and may run a version that knows no priorities and witnesses: start it first");
  }
  member_record& record = next.records[next.find(m.name)];
  if (m.priority) record.priority = *m.priority;
  if (m.witness) record.witness = true; // from its beginning on
  return {};
}

std::string member_admin::replace(const client::member_change& c, const client::member_spec& m, node_id id,
                                  roster& next) const {
  if (id == seams_.self.id)
    return m.name + " is the leader, and well: run 'quorumd leader transfer' first, and stop it";
  if (const auto p = seams_.peers.find(id); p != seams_.peers.end() && p->second.up && !p->second.refused && !c.force)
    return m.name + " is connected and well: stop it first, or use --force to make its data directory void though it "
                    "runs";
  std::erase(next.members.voters, id);
  std::erase(next.members.learners, id);
  const std::string address = m.address.empty() ? next.records[id].address : m.address;
  if (!m.new_name.empty() && m.new_name != m.name) {
    const member_record before = next.records[id];
    if (std::string wrong = add(m.new_name, address, c.promote, next); !wrong.empty()) return wrong;
    member_record& record = next.records[next.find(m.new_name)];
    record.priority = before.priority;
    record.witness = before.witness;
    return {};
  }
  insert(next.members.learners, id);
  member_record& r = next.records[id];
  r.promotes = c.promote;
  r.begins_anew = true;
  r.void_data = data_seen_of(id);
  return move(id, address, next);
}

/// Why this part of the change cannot be; empty if it is in `next` now.
std::string member_admin::plan_one(const client::member_change& c, const client::member_spec& m, roster& next) const {
  if (c.action == member_action::add) return add(m.name, m.address, c.promote, next);
  const node_id id = next.find(m.name);
  if (!id) return m.name.substr(0, 80) + " is no member: 'quorumd member list' shows who is";
  switch (c.action) {
  case member_action::remove:
    std::erase(next.members.voters, id);
    std::erase(next.members.learners, id);
    return {}; // what is known of it stays until it is gone
  case member_action::promote: {
    if (contains(next.members.voters, id)) return m.name + " is a voter already";
    const auto p = progress_of(id);
    const std::uint64_t behind = p ? seams_.core.last_index() - std::min(p->match, seams_.core.last_index()) : 0;
    if (!c.force && !alive(id)) return m.name + " does not answer: start it first, or use --force";
    if (!c.force && behind > caught_up_entries)
      return m.name + " is " + std::to_string(behind) + " entries behind: wait until it has caught up, or use --force";
    std::erase(next.members.learners, id);
    insert(next.members.voters, id);
    next.records[id].promotes = false;
    return {};
  }
  case member_action::demote:
    if (contains(next.members.learners, id)) return m.name + " is a learner already";
    std::erase(next.members.voters, id);
    insert(next.members.learners, id);
    next.records[id].promotes = false;
    return {};
  case member_action::update:
    return m.priority && m.address.empty() ? std::string() : move(id, m.address, next);
  case member_action::replace:
    return replace(c, m, id, next);
  case member_action::add:
    break;
  }
  return {};
}

/// Why the cluster might not go on with these members.
std::string member_admin::unsafe(const roster& next) const {
  if (next.members.voters == in_force_.members.voters) return {};
  std::vector<std::string> live;
  std::vector<std::string> silent;
  for (const node_id id : next.members.voters) (alive(id) ? live : silent).push_back(next.name_of(id));
  if (live.size() > next.members.voters.size() / 2) return {};
  return "of the " + std::to_string(next.members.voters.size()) + " voters there would be, " +
         std::to_string(live.size()) + (live.size() == 1 ? " answers (" : " answer (") +
         (live.empty() ? "none" : joined(live)) + ", not " + joined(silent) +
         "): no majority, so nothing could be written. Start what is missing or add others first; --force does it all "
         "the same";
}

/// Who may not understand a change of members.
std::string member_admin::too_old(const client::member_change& c, const roster& next) const {
  const auto is_replaced = [&](const std::string& name) {
    return c.action == member_action::replace &&
           std::any_of(c.members.begin(), c.members.end(), [&](const auto& m) { return m.name == name; });
  };
  for (const auto& [id, record] : next.records) {
    const bool stays = raft::is_member(in_force_.members, id) && raft::is_member(next.members, id);
    if (id == seams_.self.id || !stays || is_replaced(record.name)) continue;
    const auto p = seams_.peers.find(id);
    const bool met = p != seams_.peers.end() && p->second.incarnation; // since this node's start
    if (met && (p->second.features & wire::feature_member_changes) == 0)
      return record.name + " runs a version that knows no change of members: upgrade it first";
    // Once one was made, all know it.
    if (!met && !in_force_.index && !c.force)
      return record.name + " was not met yet, and may run a version that knows no change of members: start it first, "
                           "remove it, or use --force if it does not";
  }
  return {};
}

member_admin::plan member_admin::plan_of(const client::member_change& c) const {
  plan p{.refusal = {}, .error = request_errc::invalid, .next = in_force_};
  if (c.members.empty()) p.refusal = "no member is named";
  forget_former_change(p.next);
  for (const client::member_spec& m : c.members)
    if (p.refusal.empty()) {
      p.refusal = plan_one(c, m, p.next);
      if (p.refusal.empty()) p.refusal = set_kind(c, m, p.next);
    }
  if (!p.refusal.empty()) return p;
  p.error = request_errc::refused;
  const auto holds_data = [&](node_id id) { return !p.next.records[id].witness; };
  if (std::none_of(p.next.members.voters.begin(), p.next.members.voters.end(), holds_data) &&
      !p.next.members.voters.empty())
    p.refusal = "no voter that holds data would be left, only witnesses, which cannot lead";
  else if (p.next.members.voters.empty())
    p.refusal = "no voter would be left; to end a cluster, stop its nodes";
  else if (p.refusal = too_old(c, p.next); p.refusal.empty() && !c.force)
    p.refusal = unsafe(p.next);
  return p;
}

void member_admin::change(const client::member_change& c, coro::time_point deadline, receiver done) {
  if (seams_.core.soft().role != raft::role::leader)
    return done(refusal(request_errc::not_leader, "only the leader changes the members"));
  if (seams_.loop.now() >= deadline) // whoever asked has gone, and may have asked for something else since
    return done(refusal(request_errc::timeout, "the time was up before the leader came to it"));
  if (under_way())
    return done(refusal(request_errc::refused,
                        "another change of the members is under way: 'quorumd member list' shows when it is over"));
  plan p = plan_of(c);
  if (!p.refusal.empty()) return done(refusal(p.error, p.refusal));
  const auto placed = seams_.core.change_members(p.next.members, encode_details(p.next.records));
  if (!placed) {
    const bool invalid = placed.error() == raft::change_error::invalid;
    return done(refusal(invalid ? request_errc::refused : request_errc::not_applied, describe(placed.error())));
  }
  waiting_.push_back(
      {.done = std::move(done), .deadline = deadline, .index = placed->first, .term = placed->term, .to = {}});
  seams_.wake();
}

void member_admin::transfer(const client::leader_transfer& t, coro::time_point deadline, receiver done) {
  if (seams_.core.soft().role != raft::role::leader)
    return done(refusal(request_errc::not_leader, "only the leader hands its leadership over"));
  const node_id to = t.to.empty() ? seams_.core.transfer_target() : in_force_.find(t.to);
  if (!to)
    return done(refusal(request_errc::refused, t.to.empty() ? "no other voter answers: there is nobody to lead"
                                                            : t.to.substr(0, 80) + " is no member: 'quorumd member "
                                                                                   "list' shows who is"));
  if (to == seams_.self.id) return done({.error = request_errc::none, .text = {}, .reply = now()});
  if (!contains(in_force_.members.voters, to))
    return done(refusal(request_errc::refused, in_force_.name_of(to) + " is a learner, and cannot lead"));
  if (!alive(to))
    return done(refusal(request_errc::refused, in_force_.name_of(to) + " does not answer, and cannot lead"));
  if (!seams_.core.transfer_leadership(to))
    return done(refusal(request_errc::refused, in_force_.name_of(to) + " cannot lead"));
  waiting_.push_back({.done = std::move(done),
                      .deadline = std::min(deadline, seams_.loop.now() + transfer_patience),
                      .index = {},
                      .term = seams_.core.soft().term,
                      .to = to});
  seams_.wake();
}

// --- what becomes of them ---

std::optional<member_answer> member_admin::outcome(const waiter& w, coro::time_point now_is) const {
  const raft::soft_state soft = seams_.core.soft();
  if (!w.index) { // a transfer
    if (soft.leader == w.to) return member_answer{.error = request_errc::none, .text = {}, .reply = now()};
    if (now_is < w.deadline) return std::nullopt;
    return refusal(request_errc::refused, in_force_.name_of(w.to) + " did not take the leadership over in time" +
                                              (soft.leader ? ": " + in_force_.name_of(soft.leader) + " leads" : ""));
  }
  const bool kept = w.index >= seams_.core.first_index();
  const bool own = kept ? seams_.core.term_at(w.index) == w.term : soft.term == w.term;
  const bool made = own && seams_.core.commit() >= w.index;
  if (made && !under_way()) return member_answer{.error = request_errc::none, .text = {}, .reply = now()};
  if (!made && soft.term != w.term && !seams_.core.changing_members())
    return refusal(request_errc::unknown,
                   "the leader changed meanwhile: 'quorumd member list' shows whether the change was made");
  if (now_is < w.deadline) return std::nullopt;
  return refusal(request_errc::unknown,
                 "the change was begun and is not over in time: 'quorumd member list' shows when it is");
}

void member_admin::keep_house(coro::time_point now_is) {
  for (std::size_t i = 0; i < waiting_.size();) {
    auto over = outcome(waiting_[i], now_is);
    if (!over) {
      ++i;
      continue;
    }
    const receiver done = std::move(waiting_[i].done);
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    done(*over);
  }
  promote_learners();
}

void member_admin::name_newcomers(roster& next) const {
  for (auto& [id, record] : next.records) {
    const auto p = seams_.peers.find(id);
    if (!record.unnamed() || p == seams_.peers.end() || !p->second.up || p->second.refused) continue;
    const std::string& name = p->second.name;
    if (seams_.id_of(name) && !next.find(name)) record.name = name;
  }
}

/// One that holds what was the log's end the last time has caught up (thesis §4.2.1).
void member_admin::promote_learners() {
  const log_index end = std::exchange(last_before_, seams_.core.last_index());
  if (!seams_.core.soft().serving || under_way()) return;
  roster next = in_force_;
  for (const node_id id : in_force_.members.learners) {
    const auto record = next.records.find(id);
    if (record == next.records.end() || !record->second.promotes || !seams_.state.members().recorded(id)) continue;
    const auto p = progress_of(id);
    if (!p || !p->recently_active || p->state != raft::peer_progress::state::replicate || p->match < end) continue;
    std::erase(next.members.learners, id);
    insert(next.members.voters, id);
    record->second.promotes = false;
  }
  name_newcomers(next);
  if (next.members == in_force_.members && next.records == in_force_.records) return;
  forget_former_change(next);
  if (seams_.core.change_members(next.members, encode_details(next.records))) seams_.wake();
}

void member_admin::end() {
  std::vector<waiter> left;
  left.swap(waiting_);
  for (const waiter& w : left)
    w.done(refusal(w.index ? request_errc::unknown : request_errc::shutting_down, "this node is stopping"));
}

} // namespace quorumd::node
