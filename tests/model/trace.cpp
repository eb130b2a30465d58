#include "tests/model/trace.hpp"

#include "tests/model/words.hpp"

#include <variant>

namespace quorumd::model {

using raft::test::envelope;

namespace {

using node = raft::test::cluster::node;

node_set set_of(const std::vector<node_id>& ids) {
  node_set set = 0;
  for (const node_id n : ids) set |= node_set{1} << n.value();
  return set;
}

part part_of(raft::role r) {
  if (r == raft::role::leader) return part::leader;
  return r == raft::role::candidate ? part::candidate : part::follower;
}

observed seen_as(const server& s) {
  return {.term = s.term, .vote = s.vote, .part = s.part, .commit = s.commit, .log = s.log};
}

bool same(const server& s, const observed& o) {
  return s.term == o.term && s.vote == o.vote && s.part == o.part && s.commit == o.commit && s.log == o.log;
}

/// One attempt to take a server to what was observed, difference by difference.
class search {
 public:
  search(cluster& m, node_id s, const observed& after)
      : m_(m)
      , s_(s)
      , after_(after) {}

  refusal go() {
    do {
      moved_ = false;
      why_.clear();
      term_and_vote();
      if (at().part == part::candidate && after_.part == part::leader) attempt(m_.win(s_));
      if (at().part == part::candidate && after_.part == part::follower) attempt(m_.step_down(s_));
      the_log();
      if (at().commit < after_.commit) attempt(m_.commit(s_, after_.commit));
      if (at().part == part::leader && after_.part == part::follower && nothing_else()) attempt(m_.step_down(s_));
      if (at().log.start < after_.log.start && at().commit >= after_.log.start)
        attempt(m_.compact(s_, after_.log.start));
    } while (moved_ && !same(at(), after_));
    if (same(at(), after_)) return {};
    return why_.empty() ? "no rule leads there" : why_;
  }

 private:
  [[nodiscard]] const server& at() const { return m_.at(s_); }

  void attempt(const refusal& r) {
    if (r.empty())
      moved_ = true;
    else
      why_ += (why_.empty() ? "" : "; ") + r;
  }

  void term_and_vote() {
    if (at().term < after_.term) {
      const bool stands = after_.vote == s_; // nobody votes for itself otherwise
      const term learned = stands ? after_.term.prev() : after_.term;
      if (at().term < learned) attempt(m_.learn_term(s_, learned));
      if (stands && at().term == learned) attempt(m_.time_out(s_));
    }
    if (at().term == after_.term && at().vote != after_.vote) attempt(m_.grant(s_, after_.vote));
  }

  void the_log() {
    if (at().part == part::leader) {
      while (at().log.last() < after_.log.last() && append_next()) {
      }
      return;
    }
    if (at().log == after_.log) return;
    if (after_.log.start > at().log.start) {
      if (after_.log.start > at().commit && after_.log.kept.empty())
        attempt(m_.install(s_, after_.log.start, after_.log.base));
      return;
    }
    attempt(m_.accept(s_, after_.log));
  }

  bool append_next() {
    const refusal r = m_.append(s_, after_.log.at(at().log.last().next()));
    attempt(r);
    return r.empty();
  }

  [[nodiscard]] bool nothing_else() const {
    return at().log.last() == after_.log.last() && at().commit == after_.commit;
  }

  cluster& m_;
  const node_id s_;
  const observed& after_;
  bool moved_ = false;
  refusal why_;
};

std::vector<term> terms_of(const std::vector<entry>& entries) {
  std::vector<term> terms;
  terms.reserve(entries.size());
  for (const entry& e : entries) terms.push_back(e.term());
  return terms;
}

/// Whether what the message says of its sender is true.
struct statement {
  cluster& m;
  const node_id from;
  const node_id to;

  refusal operator()(const raft::vote_request& r) const {
    return r.pre_vote ? "" : m.says_candidate(from, r.term, r.last_index, r.last_term);
  }
  refusal operator()(const raft::vote_response& r) const {
    return r.pre_vote || !r.granted ? "" : m.says_granted(from, r.term, to);
  }
  refusal operator()(const raft::append_request& r) const {
    return m.says_entries(from, r.term, {r.prev_index, r.prev_term}, terms_of(r.entries), r.commit);
  }
  refusal operator()(const raft::append_response& r) const {
    return r.accepted ? m.says_match(from, r.term, r.match) : "";
  }
  refusal operator()(const raft::heartbeat& r) const { return m.says_committed(from, r.term, to, r.commit); }
  /// The others promise nothing that the model knows.
  template <class Other>
  refusal operator()(const Other&) const {
    return {};
  }
};

} // namespace

members members_of(const configuration& c) {
  return {.voters = set_of(c.voters), .outgoing = set_of(c.outgoing), .learners = set_of(c.learners)};
}

observed observe(const raft::core& c) {
  const auto slot_at = [&c](log_index i) { return slot{.term = c.term_at(i), .who = members_of(c.members_at(i))}; };
  observed o{
      .term = c.hard().term, .vote = c.hard().vote, .part = part_of(c.soft().role), .commit = c.commit(), .log = {}};
  o.log.start = c.first_index().prev();
  o.log.base = slot_at(o.log.start);
  o.log.kept.reserve(c.last_index() - o.log.start);
  for (log_index i = c.first_index(); i <= c.last_index(); i = i.next()) o.log.kept.push_back(slot_at(i));
  return o;
}

std::string text_of(const observed& o) {
  static constexpr const char* parts[] = {"follower", "candidate", "leader"};
  std::string s = "term " + std::to_string(o.term.value()) + ", " + parts[static_cast<std::size_t>(o.part)] +
                  ", vote " + std::to_string(o.vote.value()) + ", commit " + std::to_string(o.commit.value()) + ", log";
  if (o.log.start) s += " from " + std::to_string(o.log.start.value());
  members before = o.log.base.who;
  for (const slot& e : o.log.kept) {
    s += " " + std::to_string(e.term.value());
    if (e.who != before) s += "*"; // other members
    before = e.who;
  }
  return s;
}

refusal explain(cluster& m, node_id s, const observed& after) {
  return search(m, s, after).go();
}

trace_check::trace_check(raft::test::cluster& watched)
    : model_(watched.size(), members_of(watched.at(1).durable.start.members)) {
  watched.watched = this;
}

// A step that leaves the rest alone cannot touch the log but at its ends.
bool trace_check::unchanged(const raft::core& c, node_id s, bool log_too) const {
  const server& m = model_.at(s);
  if (c.hard() != hard_state{m.term, m.vote} || part_of(c.soft().role) != m.part || c.commit() != m.commit)
    return false;
  if (c.last_index() != m.log.last() || c.first_index().prev() != m.log.start) return false;
  return !log_too || observe(c).log == m.log;
}

void trace_check::look(const node& n, const std::string& what) {
  const observed before = seen_as(model_.at(n.id));
  const observed after = observe(*n.c);
  ++moves_;
  const refusal r = explain(model_, n.id, after);
  if (r.empty()) return;
  complain(n.id, what + "\n  before: " + text_of(before), r, &after);
}

void trace_check::complain(node_id s, const std::string& what, const std::string& rule, const observed* after) {
  broken_at_ = steps_;
  broken_ = "step " + std::to_string(steps_) + ": node " + std::to_string(s.value()) + " " + what;
  if (after != nullptr) broken_ += "\n  after:  " + text_of(*after);
  broken_ += "\n  rule:   " + rule;
}

void trace_check::stepped(const node& n, const char* what, const envelope* arrived) {
  ++steps_;
  if (!broken_.empty()) return;
  if (unchanged(*n.c, n.id, arrived != nullptr)) return;
  look(n, arrived == nullptr ? what : "gets " + raft::test::text_of(*arrived));
}

void trace_check::started(const node& n) {
  ++steps_;
  if (!broken_.empty()) return;
  const refusal r = model_.restart(n.id, n.c->commit());
  if (r.empty())
    look(n, "starts");
  else
    complain(n.id, "starts", r, nullptr);
}

void trace_check::writing(const node& n) {
  if (broken_.empty()) model_.hand_to_disk(n.id);
}

// A write makes durable what was in memory when it was handed out.
void trace_check::durable(const node& n) {
  ++steps_;
  if (!broken_.empty()) return;
  ++moves_;
  const refusal r = model_.flush(n.id);
  const persistent& expected = model_.at(n.id).disk;
  const bool as_it_was = n.durable.hard == hard_state{expected.term, expected.vote} &&
                         n.durable.last() == expected.log.last() && n.durable.start.index >= expected.log.start &&
                         (n.durable.entries.empty() || n.durable.entries.back().term() == expected.log.newest().term);
  if (!r.empty() || !as_it_was)
    complain(n.id, "has a write durable", r.empty() ? "the disk holds another state than was handed to it" : r,
             nullptr);
}

void trace_check::sent(const envelope& e) {
  ++steps_;
  if (!broken_.empty()) return;
  const refusal r = std::visit(statement{model_, e.from, e.to}, e.message);
  if (!r.empty()) complain(e.from, "sends " + raft::test::text_of(e), r, nullptr);
}

} // namespace quorumd::model
