#include "tests/model/local.hpp"

#include "consensus/types/invariant.hpp"
#include "tests/model/probe.hpp"

#include <algorithm>
#include <variant>

namespace quorumd::model {

using raft::core_probe;
using raft::role;

local::local(const raft::options& o, const configuration& first)
    : options_(o) {
  disk_.start.members = first;
  disk_.snapshot = disk_.start;
  restart();
}

local::local(const local& other)
    : options_(other.options_)
    , core_(core_probe::copy(*other.core_))
    , disk_(other.disk_)
    , writes_(other.writes_)
    , applied_(other.applied_) {}

bool local::enabled(event e) const {
  const bool leads = core_->soft().role == role::leader;
  switch (e) {
  case event::deliver:
    return true;
  case event::time_out:
    return !leads;
  case event::give_up:
  case event::beat:
  case event::propose:
    return leads;
  case event::change:
    return leads && core_->soft().serving && !core_->changing_members();
  case event::persist:
    return !writes_.empty();
  case event::crash:
    return true;
  case event::compact:
    return std::min(applied_, core_->persisted_index()) > std::max(disk_.snapshot.index, disk_.start.index) &&
           std::none_of(writes_.begin(), writes_.end(), [](const auto& w) { return w->install.has_value(); });
  }
  return false;
}

std::string local::step(const question& q, std::vector<raft::test::envelope>& sent) {
  const summary before = sum_up();
  const bool slow = q.slow || (!writes_.empty() && q.what != event::crash);
  sent_ = &sent;
  broken_.clear();
  act(q);
  core_probe::stop_clock(*core_);
  pump();
  while (!slow && !writes_.empty()) {
    persist();
    pump();
  }
  core_probe::stop_clock(*core_);
  sent_ = nullptr;
  if (broken_.empty()) broken_ = taken_back(before);
  return broken_;
}

void local::act(const question& q) {
  switch (q.what) {
  case event::deliver:
    core_->step(q.arrived->from, q.arrived->message);
    break;
  case event::time_out:
    campaign(q.pre_votes);
    break;
  case event::give_up:
    core_probe::silence(*core_);
    core_->tick();
    break;
  case event::beat:
    core_probe::heartbeat_time(*core_);
    core_->tick();
    break;
  case event::propose:
    propose();
    break;
  case event::change:
    (void)core_->change_members(*q.target, {});
    break;
  case event::persist:
    persist();
    break;
  case event::crash:
    restart();
    break;
  case event::compact:
    compact();
    break;
  }
}

// Pre-votes only keep elections from being held: with all of them granted at once there are more, not fewer.
void local::campaign(bool pre_votes) {
  core_->campaign();
  if (pre_votes || core_->soft().role != role::pre_candidate) return;
  raft::ready asked;
  core_->take(asked);
  const term next = core_->hard().term.next();
  for (const raft::outgoing& o : asked.messages)
    core_->step(o.to, raft::vote_response{.term = next, .pre_vote = true, .granted = true});
}

void local::propose() {
  std::vector<proposal> batch;
  batch.push_back(raft::test::make_proposal("x"));
  (void)core_->propose(batch);
}

void local::persist() {
  const std::shared_ptr<const raft::ready> write = writes_.front();
  writes_.erase(writes_.begin());
  disk_.apply(*write);
  core_->persisted(write->number);
  if (write->install) {
    applied_ = write->install->index;
    core_->applied(applied_);
  }
  send(write->after_persist);
}

void local::restart() {
  writes_.clear();
  applied_ = disk_.snapshot.index;
  core_ = std::make_unique<raft::core>(options_, disk_.recover());
  core_probe::stop_clock(*core_);
  std::vector<raft::test::envelope> nothing;
  if (sent_ != nullptr) return;
  sent_ = &nothing;
  pump();
  sent_ = nullptr;
}

void local::compact() {
  const log_index upto = std::min(applied_, core_->persisted_index());
  disk_.snapshot = {.index = upto, .term = core_->term_at(upto), .members = core_->members_at(upto)};
  disk_.commit = std::max(disk_.commit, upto);
  core_->compacted(disk_.snapshot, upto.next());
  disk_.entries.erase(disk_.entries.begin(),
                      disk_.entries.begin() + static_cast<std::ptrdiff_t>(upto - disk_.start.index));
  disk_.start = disk_.snapshot;
}

void local::pump() {
  while (core_->has_ready()) {
    auto out = std::make_shared<raft::ready>();
    core_->take(*out);
    carry_out(*out);
    if (out->number) writes_.push_back(std::move(out));
  }
}

void local::carry_out(raft::ready& out) {
  send(out.messages);
  for (const raft::load_request& l : out.loads) load(l);
  if (!out.committed.empty()) {
    applied_ = out.committed.back().index();
    core_->applied(applied_);
  }
  for (const node_id follower : out.snapshots) {
    send({{follower, raft::install_snapshot{core_->hard().term, disk_.snapshot}}});
    core_->snapshot_sent(follower, true);
  }
  // Only what the write needs is kept.
  out.messages.clear();
  out.committed.clear();
  out.loads.clear();
  out.snapshots.clear();
}

void local::load(const raft::load_request& l) {
  std::vector<entry> found;
  for (log_index i = l.first; i <= l.last; i = i.next())
    found.push_back(disk_.entries.at(i - disk_.start.index.next()));
  core_->loaded(l.ticket, std::move(found));
}

void local::send(const std::vector<raft::outgoing>& messages) {
  for (const raft::outgoing& o : messages) {
    if (broken_.empty()) broken_ = untrue(o);
    sent_->push_back({options_.self, o.to, o.message});
  }
}

// What a message promises is on the disk, unless the disk is in a later term already.
std::string local::untrue(const raft::outgoing& o) const {
  const hard_state& hard = disk_.hard;
  const auto on_disk = [&](term t, node_id vote) { return hard.term > t || (hard.term == t && hard.vote == vote); };
  if (const auto* m = std::get_if<raft::vote_response>(&o.message))
    if (!m->pre_vote && m->granted && !on_disk(m->term, o.to)) return "a vote leaves before it is durable";
  if (const auto* m = std::get_if<raft::vote_request>(&o.message))
    if (!m->pre_vote && !on_disk(m->term, options_.self)) return "votes are asked for before the own is durable";
  if (const auto* m = std::get_if<raft::append_response>(&o.message))
    if (m->accepted && hard.term == m->term && disk_.last() < m->match)
      return "entries are acknowledged before they are durable";
  return {};
}

// Figure 3: a leader only adds to its log. And of what is committed nothing is taken back while the node runs.
std::string local::taken_back(const summary& before) const {
  const summary now = sum_up();
  const bool both_lead = before.leads && now.leads && before.term == now.term;
  for (std::uint8_t i = now.start; both_lead && i <= before.last; ++i)
    if (i > now.last || (i >= before.start && now.terms[i] != before.terms[i])) return "a leader changes its own log";
  return {};
}

summary local::sum_up() const {
  summary s;
  const auto small = [](auto n) { return static_cast<std::uint8_t>(n.value()); };
  s.term = small(core_->hard().term);
  s.durable_term = small(disk_.hard.term);
  s.leads = core_->soft().role == role::leader;
  s.writing = !writes_.empty();
  s.start = small(core_->first_index().prev());
  s.last = small(core_->last_index());
  s.commit = small(core_->commit());
  QUORUMD_INVARIANT(s.last < summary::log_max, "the bounds keep the log short");
  for (std::uint8_t i = s.start; i <= s.last; ++i) s.terms[i] = small(core_->term_at(log_index(i)));
  return s;
}

std::string local::describe() const {
  key k;
  core_probe::describe(*core_, k);
  k.add(disk_.hard.term);
  k.add(disk_.hard.vote);
  k.add(disk_.commit);
  k.add(disk_.snapshot.index);
  k.add(disk_.start.index);
  k.add(disk_.start.term);
  k.add(disk_.start.members);
  k.add(disk_.entries.size());
  for (const entry& e : disk_.entries) k.add(e);
  k.add(applied_);
  k.add(writes_.size());
  for (const auto& w : writes_) {
    k.add(w->hard ? w->hard->term.value() + 1 : 0);
    if (w->hard) k.add(w->hard->vote);
    k.add(w->install ? w->install->index.value() + 1 : 0);
    if (w->install) k.add(w->install->term);
    if (w->install) k.add(w->install->members);
    k.add(w->commit);
    k.add(w->entries.empty() ? 0 : w->entries.front().index().value());
    k.add(w->entries.size());
    for (const entry& e : w->entries) k.add(e);
    k.add(w->after_persist.size());
    for (const raft::outgoing& o : w->after_persist) {
      k.add(o.to);
      k.add(o.message);
    }
  }
  return std::move(k.bytes());
}

} // namespace quorumd::model
