#include "tests/model/spec.hpp"

#include <algorithm>

namespace quorumd::model {
namespace {

bool majority(node_set of, node_set voters) {
  return 2 * std::popcount(of & voters) > std::popcount(voters);
}

bool up_to_date(log_index last, term last_term, const log& mine) {
  if (last_term != mine.newest().term) return last_term > mine.newest().term;
  return last >= mine.last();
}

node_set holders(const std::vector<log_index>& held, log_index index) {
  node_set all = 0;
  for (std::size_t n = 1; n < held.size(); ++n)
    if (held[n] >= index) all |= node_set{1} << n;
  return all;
}

std::string number(std::uint64_t n) {
  return std::to_string(n);
}

} // namespace

bool members::quorum(node_set of) const {
  return majority(of, voters) && (outgoing == 0 || majority(of, outgoing));
}

log_index log::newest_members_at() const {
  log_index i = last();
  while (i > start && at(i.prev()).who == at(i).who) i = i.prev();
  return i;
}

void log::forget(log_index upto) {
  const slot at_upto = at(upto);
  kept.erase(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(upto - start));
  base = at_upto;
  start = upto;
}

log_index agreement(const log& a, const log& b) {
  const log_index from = std::max(a.start, b.start);
  const log_index to = std::min(a.last(), b.last());
  if (to < from || a.at(from) != b.at(from)) return log_index();
  log_index i = from;
  while (i < to && a.at(i.next()) == b.at(i.next())) i = i.next();
  return i;
}

cluster::cluster(std::size_t nodes, const members& first)
    : servers_(nodes + 1) {
  for (server& s : servers_) s.log.base.who = s.disk.log.base.who = first;
}

const cluster::era* cluster::known(term t) const {
  const auto at = eras_.find(t);
  return at == eras_.end() ? nullptr : &at->second;
}

refusal cluster::learn_term(node_id s, term t) {
  server& me = mut(s);
  if (t <= me.term) return "a term never falls";
  if (t > highest_) return "nobody has reached term " + number(t.value());
  me.term = t;
  me.vote = node_id();
  me.part = part::follower;
  return {};
}

refusal cluster::step_down(node_id s) {
  if (at(s).part == part::follower) return "it is a follower";
  mut(s).part = part::follower;
  return {};
}

refusal cluster::compact(node_id s, log_index upto) {
  server& me = mut(s);
  if (upto <= me.log.start) return "the beginning of the log does not come back";
  if (upto > me.commit) return "only committed entries are forgotten";
  me.log.forget(upto);
  return {};
}

// Figure 2, candidates: on conversion, increment the term and vote for self.
refusal cluster::time_out(node_id s) {
  server& me = mut(s);
  if (me.part == part::leader) return "a leader does not stand for election";
  me.term = me.term.next();
  me.vote = s;
  me.part = part::candidate;
  highest_ = std::max(highest_, me.term);
  eras_[me.term].candidates[s] = {me.log.last(), me.log.newest().term};
  return {};
}

// Figure 2, RequestVote, once the term is the candidate's.
refusal cluster::grant(node_id s, node_id candidate) {
  server& me = mut(s);
  const era& e = eras_[me.term];
  if (me.vote && me.vote != candidate)
    return "one vote a term: term " + number(me.term.value()) + " has its vote for node " + number(me.vote.value());
  if (me.part != part::follower) return "who stands or leads votes for nobody else";
  const auto asked = e.candidates.find(candidate);
  if (asked == e.candidates.end()) return "node " + number(candidate.value()) + " does not stand in this term";
  const auto own = e.votes.find(candidate);
  if (own == e.votes.end() || own->second != candidate) return "the candidate's own vote is not durable";
  if (!up_to_date(asked->second.last, asked->second.last_term, me.log))
    return "the candidate's log is behind the voter's (§3.6.1)";
  me.vote = candidate;
  return {};
}

refusal cluster::win(node_id s) {
  server& me = mut(s);
  era& e = eras_[me.term];
  if (me.part != part::candidate) return "only a candidate becomes leader";
  if (e.led.leader) return "term " + number(me.term.value()) + " has a leader: node " + number(e.led.leader.value());
  node_set granted = 0;
  for (const auto& [voter, to] : e.votes)
    if (to == s) granted |= node_set{1} << voter.value();
  if (!me.log.newest().who.quorum(granted)) return "no quorum has durably voted for it";
  me.part = part::leader;
  e.led = {.leader = s, .log = me.log, .first = me.log.last().next(), .commit = me.commit};
  return {};
}

// Thesis §4.1 and §4.3: one change at a time, after an entry of the own term is committed, and voters only by way of
// the joint configuration of old and new.
refusal cluster::members_rule(const server& leader, const era& e, const members& next) const {
  const members& now = leader.log.newest().who;
  if (next == now) return {};
  if (leader.log.newest_members_at() > leader.commit) return "the change of members before is not committed (§4.1)";
  if (leader.commit < e.led.first) return "the members change before an entry of the leader's term is committed";
  if (now.outgoing != 0)
    return next == members{now.voters, 0, now.learners} ? "" : "a joint configuration leads to its new half (§4.3)";
  if (next.voters == now.voters && next.outgoing == 0) return {};
  return next.outgoing == now.voters ? "" : "voters change by way of a joint configuration only (§4.3)";
}

refusal cluster::append(node_id s, const slot& entry) {
  server& me = mut(s);
  era& e = eras_[me.term];
  if (me.part != part::leader) return "only a leader adds to its log by itself";
  if (entry.term != me.term) return "a leader's entry is of its term";
  if (refusal r = members_rule(me, e, entry.who); !r.empty()) return r;
  me.log.kept.push_back(entry);
  e.led.log.kept.push_back(entry);
  return {};
}

// Figure 2, AppendEntries 2 to 4: what follows an entry that both have, and a removal only where they differ.
refusal cluster::accept(node_id s, const log& next) {
  server& me = mut(s);
  const era& e = eras_[me.term];
  if (me.part == part::leader) return "a leader only adds to its log (figure 3)";
  if (!e.led.leader) return "term " + number(me.term.value()) + " has no leader to follow";
  if (next.start != me.log.start) return "the log begins elsewhere, without a snapshot";
  const log_index same = agreement(me.log, next);
  if (agreement(e.led.log, next) < next.last())
    return "the log would hold what the term's leader has not: they part after index " +
           number(agreement(e.led.log, next).value());
  if (same < me.log.last()) {
    if (same == next.last())
      return "entries are removed from index " + number(same.next().value()) + " without a conflict";
    if (same < me.commit) return "a committed entry is removed";
  }
  me.log = next;
  return {};
}

refusal cluster::install(node_id s, log_index start, const slot& base) {
  server& me = mut(s);
  const era& e = eras_[me.term];
  if (me.part == part::leader) return "a leader installs no snapshot";
  if (!e.led.leader) return "term " + number(me.term.value()) + " has no leader to follow";
  if (start > e.led.commit) return "the snapshot holds more than the leader has committed";
  if (start >= e.led.log.start && e.led.log.at(start) != base) return "the snapshot is not of the leader's log";
  if (start <= me.commit) return "the snapshot is older than what is committed here";
  if (start <= me.log.last() && me.log.at(start) == base)
    return "what follows a snapshot that the log holds stays (§5.3)";
  me.log = {.start = start, .base = base, .kept = {}};
  me.commit = start;
  return {};
}

refusal cluster::commit(node_id s, log_index wanted) {
  server& me = mut(s);
  if (wanted <= me.commit) return "the commit index never falls";
  if (me.part == part::candidate) return "a candidate commits nothing";
  return me.part == part::leader ? commit_as_leader(me, wanted) : commit_as_follower(me, wanted);
}

// Figure 2, leaders: a majority has it, and it is of the current term (§3.6.2).
refusal cluster::commit_as_leader(server& leader, log_index wanted) {
  const members& who = leader.log.newest().who;
  const std::vector<log_index> held = acknowledged_by_all(leader.term);
  log_index reached = wanted;
  while (reached > leader.commit && !who.quorum(holders(held, reached))) reached = reached.prev();
  if (reached == leader.commit) return "index " + number(leader.commit.next().value()) + " is not durable at a quorum";
  if (leader.log.at(reached).term != leader.term)
    return "index " + number(reached.value()) + " is of an earlier term, and nothing after it counts (figure 8)";
  leader.commit = reached;
  reign& led = eras_[leader.term].led;
  led.commit = std::max(led.commit, reached);
  return {};
}

refusal cluster::commit_as_follower(server& follower, log_index wanted) {
  const era& e = eras_[follower.term];
  if (!e.led.leader) return "term " + number(follower.term.value()) + " has no leader to follow";
  const log_index matched = agreement(e.led.log, follower.log);
  const log_index reached = std::min({wanted, e.led.commit, matched});
  if (reached <= follower.commit)
    return matched <= e.led.commit ? "index " + number(matched.next().value()) + " is not as the leader has it"
                                   : "the leader has not committed index " + number(e.led.commit.next().value());
  follower.commit = reached;
  return {};
}

// What the server's disk shares with the leader of the term that its disk holds counts for that leader, for good.
void cluster::note_acknowledged(node_id s) {
  const persistent& disk = at(s).disk;
  const auto e = eras_.find(disk.term);
  if (e == eras_.end() || !e->second.led.leader) return;
  log_index& noted = e->second.acknowledged[s];
  noted = std::max(noted, agreement(e->second.led.log, disk.log));
}

log_index cluster::acknowledged(node_id s, term t) {
  note_acknowledged(s);
  const era* e = known(t);
  if (e == nullptr) return log_index();
  const auto noted = e->acknowledged.find(s);
  return noted == e->acknowledged.end() ? log_index() : noted->second;
}

std::vector<log_index> cluster::acknowledged_by_all(term t) {
  std::vector<log_index> all(servers_.size());
  for (std::uint64_t n = 1; n < servers_.size(); ++n) all[n] = acknowledged(node_id(n), t);
  return all;
}

void cluster::hand_to_disk(node_id s) {
  server& me = mut(s);
  me.writes.push_back(static_cast<const persistent&>(me));
}

refusal cluster::flush(node_id s) {
  server& me = mut(s);
  if (me.writes.empty()) return "no write is under way";
  note_acknowledged(s);
  me.disk = std::move(me.writes.front());
  me.writes.pop_front();
  if (me.disk.vote) eras_[me.disk.term].votes[s] = me.disk.vote;
  note_acknowledged(s);
  return {};
}

refusal cluster::restart(node_id s, log_index known_committed) {
  server& me = mut(s);
  if (known_committed > me.commit) return "it knows of more commits than before its crash";
  static_cast<persistent&>(me) = me.disk;
  me.writes.clear();
  me.part = part::follower;
  me.commit = known_committed;
  return {};
}

refusal cluster::says_candidate(node_id s, term t, log_index last, term last_term) const {
  const era* e = known(t);
  if (e == nullptr || !e->candidates.contains(s)) return "it does not stand in that term";
  const candidacy& own = e->candidates.at(s);
  if (own.last != last || own.last_term != last_term) return "its log is another than it says";
  if (!e->votes.contains(s) || e->votes.at(s) != s) return "its own vote is not durable";
  return {};
}

refusal cluster::says_granted(node_id s, term t, node_id to) const {
  const era* e = known(t);
  if (e == nullptr || !e->votes.contains(s) || e->votes.at(s) != to) return "that vote is not durable";
  return {};
}

refusal cluster::says_match(node_id s, term t, log_index match) {
  const log_index held = acknowledged(s, t);
  if (match <= held) return {};
  return "only up to index " + number(held.value()) + " its disk holds what the leader has";
}

refusal cluster::says_entries(node_id s, term t, std::pair<log_index, term> prev, const std::vector<term>& terms,
                              log_index committed) const {
  const era* e = known(t);
  if (e == nullptr || e->led.leader != s) return "it does not lead that term";
  const log& own = e->led.log;
  if (prev.first + terms.size() > own.last() || prev.first < own.start) return "its log holds no such entries";
  if (own.at(prev.first).term != prev.second) return "its log has another entry before these";
  for (std::size_t i = 0; i < terms.size(); ++i)
    if (own.at(prev.first + (i + 1)).term != terms[i]) return "its log holds other entries";
  return committed <= e->led.commit ? "" : "it has not committed that much";
}

refusal cluster::says_committed(node_id s, term t, node_id to, log_index committed) {
  const era* e = known(t);
  if (e == nullptr || e->led.leader != s) return "it does not lead that term";
  if (committed > e->led.commit) return "it has not committed that much";
  if (committed > acknowledged(to, t)) return "the receiver has not matched what it is told to commit";
  return {};
}

} // namespace quorumd::model
