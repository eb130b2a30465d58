#include "harness.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

using namespace quorumd;
using namespace quorumd::raft;
using namespace quorumd::raft::test;

namespace {

append_request append(std::uint64_t t, std::uint64_t prev, std::uint64_t prev_term,
                      const std::vector<std::uint64_t>& terms, std::uint64_t commit = 0) {
  return {.term = term(t),
          .prev_index = log_index(prev),
          .prev_term = term(prev_term),
          .commit = log_index(commit),
          .round = 0,
          .entries = make_entries(prev + 1, terms)};
}

append_response last_ack(const std::vector<outgoing>& messages) {
  const auto acks = all_of<append_response>(messages);
  REQUIRE_FALSE(acks.empty());
  return acks.back().second;
}

std::vector<std::uint64_t> terms_of(const core& c) {
  std::vector<std::uint64_t> terms;
  for (log_index i(1); i <= c.last_index(); i = i.next()) terms.push_back(c.term_at(i).value());
  return terms;
}

using terms = std::vector<std::uint64_t>;

} // namespace

// The follower can tell whether the entries fit, and what is committed.
TEST_CASE("case 30: an append carries previous index, term and commit") {
  subject s(options_of(1), state_with(3, {1, 2}, 2, 1));
  s.win(3);
  s.c.step(id(2), accepted(3, 3));
  s.settle();
  std::vector<proposal> batch;
  batch.push_back(make_proposal("a"));
  batch.push_back(make_proposal("b"));
  const auto where = s.c.propose(batch);
  REQUIRE(where.has_value());
  CHECK(where->term == term(3));
  CHECK(where->first == log_index(4));
  s.take();
  const auto sent = all_of<append_request>(s.out.messages);
  REQUIRE(sent.size() == 1); // the other follower has not answered its probe
  const append_request& m = sent[0].second;
  CHECK(m.term == term(3));
  CHECK(m.prev_index == log_index(3));
  CHECK(m.prev_term == term(3));
  CHECK(m.commit == log_index(3));
  REQUIRE(m.entries.size() == 2);
  CHECK(text_of(m.entries[1]) == "b");
  CHECK(s.out.entries.size() == 2); // the same ones go to the own disk meanwhile
}

// A heartbeat is no proof that the logs are equal beyond what was matched.
TEST_CASE("case 31: a heartbeat's commit never exceeds what the follower matched") {
  subject s(options_of(1), state_with(3, {1, 1, 1}, 1, 3));
  s.win(3);
  s.c.step(id(2), accepted(2, 4));
  s.settle();
  REQUIRE(s.c.commit() == log_index(4));
  s.tick(5);
  for (const auto& [to, beat] : all_of<heartbeat>(s.settle())) CHECK(beat.commit == log_index(to == id(2) ? 4 : 0));
  // And a follower trusts none that names more than it holds.
  subject f(options_of(1), state_with(3, {1, 1}));
  f.c.step(id(2), heartbeat{.term = term(1), .commit = log_index(3), .round = 0});
  CHECK(f.c.commit() == log_index(0));
  f.c.step(id(2), heartbeat{.term = term(1), .commit = log_index(2), .round = 0});
  CHECK(f.c.commit() == log_index(2));
}

// Missing, or there with another term.
TEST_CASE("case 32: a missing previous entry is refused with a hint") {
  subject s(options_of(1), state_with(3, {1, 2, 2, 2}));
  s.c.step(id(2), append(5, 9, 4, {5}));
  append_response r = last_ack(s.settle());
  CHECK_FALSE(r.accepted);
  CHECK(r.rejected == log_index(9));
  CHECK(r.conflict_term == term(0));
  CHECK(r.conflict_index == log_index(5));
  s.c.step(id(2), append(5, 4, 4, {5}));
  r = last_ack(s.settle());
  CHECK_FALSE(r.accepted);
  CHECK(r.rejected == log_index(4));
  CHECK(r.conflict_term == term(2));
  CHECK(r.conflict_index == log_index(2));
  CHECK(terms_of(s.c) == terms{1, 2, 2, 2});
}

// What agrees stays.
TEST_CASE("case 33: a conflict truncates only the suffix") {
  subject s(options_of(1), state_with(3, {1, 1, 1, 1}));
  s.c.step(id(2), append(3, 1, 1, {1, 2, 3}));
  s.take();
  CHECK(terms_of(s.c) == terms{1, 1, 2, 3});
  REQUIRE(s.out.entries.size() == 2); // from the first that differs
  CHECK(s.out.entries[0].index() == log_index(3));
  CHECK(s.c.persisted_index() == log_index(2));
}

// It was overtaken on its way.
TEST_CASE("case 34: an older, shorter append never truncates") {
  subject s(options_of(1), state_with(3));
  s.c.step(id(2), append(1, 0, 0, {1, 1, 1}));
  s.c.step(id(2), append(1, 0, 0, {1}));
  CHECK(s.c.last_index() == log_index(3));
  CHECK(last_ack(s.settle()).match == log_index(3));
  s.c.step(id(2), append(1, 1, 1, {}));
  CHECK(s.c.last_index() == log_index(3));
}

// Every order of five appends ends in the same log, once the refused ones come again.
TEST_CASE("case 35: reordered appends converge") {
  std::vector<int> order{0, 1, 2, 3, 4};
  do {
    subject s(options_of(1), state_with(3, {1, 1, 1}));
    for (int round = 0; round < 5; ++round)
      for (int i : order) {
        const auto prev = static_cast<std::uint64_t>(i);
        s.c.step(id(2), append(2, prev, prev == 0 ? 0 : prev == 1 ? 1 : 2, {prev == 0 ? 1u : 2u}));
      }
    CHECK(terms_of(s.c) == terms{1, 2, 2, 2, 2});
    CHECK(last_ack(s.settle()).match == log_index(5));
  } while (std::next_permutation(order.begin(), order.end()));
}

// No leader would send it: going on would lose what was acknowledged.
TEST_CASE("case 36: truncation at or below commit is fatal") {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    (void)std::signal(SIGABRT, SIG_DFL);
    (void)std::freopen("/dev/null", "w", stderr);
    subject s(options_of(1), state_with(3, {1, 1, 1}, 1, 2));
    s.c.step(id(2), append(2, 1, 1, {2}));
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGABRT);
}

// The leader of term 8 and the six followers of the paper's figure 7.
TEST_CASE("case 37: every follower of figure 7 catches up") {
  const terms leader{1, 1, 1, 4, 4, 5, 5, 6, 6, 6};
  const std::vector<terms> followers{
      {1, 1, 1, 4, 4, 5, 5, 6, 6},          {1, 1, 1, 4},          {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6},
      {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7}, {1, 1, 1, 4, 4, 4, 4}, {1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3}};
  for (const terms& f : followers) {
    cluster c({leader, f, leader}, 7);
    c.cut(1, 2);
    c.elect(1);
    CHECK(terms_of(c[2]) == f);
    c.heal();
    c.run(20);
    terms wanted = leader;
    wanted.push_back(8);
    CHECK(terms_of(c[2]) == wanted);
    CHECK(c.at(2).durable.last() == log_index(11));
    CHECK(c[2].commit() == log_index(11));
  }
}

// The leader may have committed more than this append reaches, or less.
TEST_CASE("case 38: follower commit is min(leader's, last new)") {
  struct row {
    std::uint64_t prev, entries, leader_commit, commit;
  };
  for (const row& r : {row{1, 1, 1, 1}, row{1, 1, 9, 2}, row{1, 0, 9, 1}, row{3, 2, 4, 4}, row{3, 2, 9, 5}}) {
    subject s(options_of(1), state_with(3, {1, 1, 1}));
    s.c.step(id(2), append(1, r.prev, 1, terms(r.entries, 1), r.leader_commit));
    CHECK(s.c.commit() == log_index(r.commit));
  }
}

// The caller keeps its batch and learns who leads.
TEST_CASE("case 39: a proposal to a follower is refused, never lost silently") {
  cluster c(3);
  c.elect(1);
  std::vector<proposal> batch;
  batch.push_back(make_proposal("kept"));
  const auto refused = c[2].propose(batch);
  REQUIRE(refused.has_error());
  CHECK(refused.error() == propose_error::not_leader);
  CHECK(c[2].soft().leader == id(1));
  CHECK(c[1].propose(batch).has_value()); // it was not moved from
  c.settle();
  CHECK(c.at(2).commands == std::vector<std::string>{"kept"});
}

// Append, overwrite, append again gives the same (term, index) twice; only the write of the last one counts.
TEST_CASE("case 40: a persist completion for an entry since overwritten is ignored") {
  subject s(options_of(1), state_with(3));
  s.c.step(id(2), append(1, 0, 0, {1, 1, 1}));
  s.take();
  const write_number first = s.out.number;
  s.c.step(id(3), append(2, 1, 1, {2}));
  s.take();
  const write_number second = s.out.number;
  CHECK(second == first.next());
  CHECK(all_of<append_response>(s.out.messages).empty());
  s.c.persisted(first);
  CHECK(s.c.persisted_index() == log_index(1));
  s.take();
  CHECK(all_of<append_response>(s.out.messages).empty()); // what the second write covers still waits
  s.c.persisted(second);
  CHECK(s.c.persisted_index() == log_index(2));
}

// The entries were its own as a leader; now another leads and has overwritten them.
TEST_CASE("case 41: a self-acknowledgement after a term change is ignored") {
  subject s(options_of(1), state_with(3));
  s.win(3);
  std::vector<proposal> batch;
  batch.push_back(make_proposal("lost"));
  REQUIRE(s.c.propose(batch).has_value());
  s.take();
  const write_number own = s.out.number;
  s.c.step(id(2), append(2, 1, 1, {2}));
  s.c.persisted(own);
  CHECK(s.c.persisted_index() == log_index(1));
  CHECK(s.c.commit() == log_index(0));
  s.settle();
  CHECK(s.c.persisted_index() == log_index(2));
  CHECK(s.c.commit() == log_index(0));
}

// And one acknowledgement covers all that the write covers.
TEST_CASE("case 42: an acknowledgement leaves only after the sync") {
  subject s(options_of(1), state_with(3));
  s.c.step(id(2), append(1, 0, 0, {1}));
  s.c.step(id(2), append(1, 1, 1, {1, 1}));
  s.take();
  const write_number n = s.out.number;
  CHECK(s.out.messages.empty());
  CHECK(s.out.hard == hard_state{term(1), node_id()});
  const auto acks = all_of<append_response>(s.out.after_persist);
  REQUIRE(acks.size() == 1);
  CHECK(acks[0].second.match == log_index(3));

  // An empty append derives from the write in flight too; the heartbeat's answer from none.
  s.c.step(id(2), append(1, 3, 1, {}));
  s.c.step(id(2), heartbeat{.term = term(1), .commit = {}, .round = 7});
  s.take();
  CHECK_FALSE(s.out.number);
  REQUIRE(s.out.messages.size() == 1);
  CHECK(all_of<heartbeat_response>(s.out.messages).at(0).second.round == 7);
  CHECK_FALSE(s.c.has_ready());
  s.c.persisted(n);
  s.take();
  CHECK(last_ack(s.out.messages).match == log_index(3));
}
