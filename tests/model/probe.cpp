#include "tests/model/probe.hpp"

#include "consensus/raft/state.hpp"

#include <set>
#include <string>
#include <utility>
#include <variant>

namespace quorumd::raft {
namespace {

// Far enough from the beginning that everything before it may be long ago.
constexpr std::uint64_t still = 1000;

/// What of a progress only shows in what it does next: asked of copies.
void describe_hidden(const follower_progress& p, model::key& k) {
  follower_progress probing = p;
  probing.become_probe(log_index(1));
  probing.sent(log_index(0), 0);
  probing.heartbeat_answered();
  k.add(std::uint64_t{probing.wants_probe()}); // whether a heartbeat's answer allows another probe
  follower_progress answered = p;
  answered.accepted(answered.match(), log_index()); // replicates, if it did not
  answered.sent(answered.next(), 0);
  answered.heartbeat_answered();
  k.add(std::uint64_t{answered.wants_probe()}); // whether it finds the match where it was
  follower_progress ended = p;
  ended.snapshot_ended(true);
  k.add(ended.next()); // up to where the snapshot under way goes
}

void describe_progress(const follower_progress& p, model::key& k) {
  k.add(p.match());
  k.add(p.next());
  k.add(static_cast<std::uint64_t>(p.state()));
  k.add(std::uint64_t{p.paused()} + 2 * std::uint64_t{p.wants_probe()} + 4 * std::uint64_t{p.writable} +
        8 * std::uint64_t{p.heard} + 16 * std::uint64_t{p.notice_sent});
  k.add(p.round);
  k.add(p.commit_told);
  describe_hidden(p, k);
}

} // namespace

struct core_probe::writer {
  const core::state& s;
  model::key& k;

  void log() {
    k.add(s.log.start_index());
    k.add(s.log.start_term());
    k.add(s.configs.at(s.log.start_index()));
    k.add(s.log.last_index());
    k.add(s.log.cache_first());
    for (log_index i = s.log.first_index(); i <= s.log.last_index(); i = i.next()) {
      k.add(s.log.term_at(i));
      const entry* e = s.log.cached(i);
      if (e != nullptr) k.add(*e);
      k.add(s.configs.at(i));
    }
    k.add(s.configs.index());
    k.add(s.snapshot.index);
  }

  // A ballot among one voter says what that voter answered.
  void ballot_of(const ballot& votes) {
    for (const follower_progress& p : s.peers) k.add(answer(votes, p.id()));
    k.add(answer(votes, s.opt.self));
  }
  static std::uint64_t answer(const ballot& votes, node_id voter) {
    return static_cast<std::uint64_t>(votes.result({.voters = {voter}, .outgoing = {}, .learners = {}}));
  }

  void role() {
    k.add(s.role.index());
    for (const follower_progress& p : s.peers) k.add(p.id());
    k.add(0);
    std::visit([this](const auto& r) { details(r); }, s.role);
  }
  void details(const follower_role& r) { k.add(r.leader); }
  void details(const pre_candidate_role& r) { ballot_of(r.votes); }
  void details(const candidate_role& r) { ballot_of(r.votes); }
  void details(const leader_role& r) {
    k.add(r.start);
    k.add(r.round);
    k.add(std::uint64_t{r.heartbeat_due} + 2 * std::uint64_t{r.transfer_told});
    k.add(r.transferee);
    k.add(r.departing);
    k.add(r.departed_at);
    for (const follower_progress& p : s.peers) describe_progress(p, k);
  }

  void writes() {
    k.add(s.writes.durable());
    k.add(s.writes.begun() - s.writes.finished());
    k.add(s.writes.hard() ? s.writes.hard() - s.writes.finished() : 0);
    // Up to where each write makes the log durable, as far as it matters: which is the first to cover an index.
    for (log_index i = s.writes.durable().next(); i <= s.log.last_index(); i = i.next()) {
      const auto by = s.writes.covering(i);
      k.add(by ? *by - s.writes.finished() : 0);
    }
    waiting_messages();
    k.add(std::uint64_t{s.ack.has_value()});
    if (s.ack) {
      k.add(s.ack->to);
      k.add(s.ack->match);
      k.add(s.ack->round);
    }
  }

  // Those that wait for the same write leave together, and of equal ones it does not matter how many there are.
  void waiting_messages() {
    std::set<std::string> waiting;
    const auto add = [&waiting](std::uint64_t until, const outgoing& o) {
      model::key one;
      one.add(until);
      one.add(o.to);
      one.add(o.message);
      waiting.insert(std::move(one.bytes()));
    };
    for (const outgoing& o : s.with_hard_state) add(0, o);
    for (const core::state::held_message& h : s.held) add(h.until - s.writes.finished(), h.what);
    k.add(waiting.size());
    for (const std::string& one : waiting) k.bytes() += one;
  }

  void all() {
    QUORUMD_INVARIANT(s.leaving.empty() && !s.installing && s.answered_reads.empty() && s.forwarded.empty(),
                      "a core is described once its outputs were taken, and without reads");
    k.add(s.current_term);
    k.add(s.vote);
    k.add(s.commit);
    k.add(s.handed_to_disk);
    k.add(s.handed_to_apply);
    k.add(s.applied);
    k.add(s.apply_barrier);
    log();
    role();
    writes();
  }
};

std::unique_ptr<core> core_probe::copy(const core& c) {
  initial_state none;
  none.start.members.voters = {c.state_->opt.self};
  auto copied = std::make_unique<core>(c.state_->opt, std::move(none));
  copied->state_ = std::make_unique<core::state>(*c.state_);
  return copied;
}

void core_probe::describe(const core& c, model::key& k) {
  writer{*c.state_, k}.all();
}

void core_probe::stop_clock(core& c) {
  core::state& s = *c.state_;
  s.now = still;
  s.election_due = still + s.opt.election_ticks;
  s.leader_heard = still - s.opt.election_ticks;
  leader_role* l = s.leading();
  if (l == nullptr) return;
  l->since = l->transfer_since = l->departing_since = still;
  l->heartbeat_elapsed = 0;
  for (follower_progress& p : s.peers) p.heard_at = still;
}

void core_probe::silence(core& c) {
  core::state& s = *c.state_;
  s.leading()->since = 0;
  for (follower_progress& p : s.peers) p.heard_at = 0;
}

void core_probe::heartbeat_time(core& c) {
  core::state& s = *c.state_;
  s.leading()->heartbeat_elapsed = s.opt.heartbeat_ticks - 1;
}

} // namespace quorumd::raft
