#include "harness.hpp"

#include <doctest/doctest.h>

using namespace quorumd;
using namespace quorumd::raft;
using namespace quorumd::raft::test;

namespace {

void propose(subject& s, int n) {
  while (n-- > 0) {
    std::vector<proposal> batch;
    batch.push_back(make_proposal("x"));
    REQUIRE(s.c.propose(batch).has_value());
  }
}

// Figure 8 of the paper up to (c): node 1 leads again, in term 4, and its entry of term 2 is on a majority.
std::uint64_t figure_8(mutant m) {
  options o = options_of(1);
  o.mutant = m;
  subject s(o, state_with(5, {1, 2}, 3));
  s.win(5);
  for (std::uint64_t v : {2, 3}) s.c.step(id(v), accepted(4, 2));
  s.settle();
  return s.c.commit().value();
}

} // namespace

// The leader holds entries 1 to 9 durably; the others hold what the row says.
TEST_CASE("case 48: tables of matched majorities") {
  struct row {
    std::vector<std::uint64_t> matches;
    std::uint64_t commit;
  };
  for (const row& r : {row{{}, 9}, row{{0, 0}, 0}, row{{9, 0}, 9}, row{{3, 0}, 3}, row{{3, 7}, 7}, row{{0, 0, 9, 9}, 9},
                       row{{0, 0, 0, 9}, 0}, row{{1, 2, 3, 4}, 3}, row{{9, 9, 9, 9}, 9}, row{{1, 2, 3, 4, 5, 6}, 4}}) {
    const std::uint64_t n = r.matches.size() + 1;
    subject s(options_of(1), state_with(n));
    s.win(n);
    propose(s, 8);
    s.settle();
    for (std::size_t i = 0; i < r.matches.size(); ++i) s.c.step(id(i + 2), accepted(1, r.matches[i]));
    CHECK(s.c.commit() == log_index(r.commit));
  }
}

// It could still be overwritten by a leader that never saw it.
TEST_CASE("case 49: figure 8: an older term's entry is not committed by counting") {
  CHECK(figure_8(mutant::none) == 0);
  CHECK(figure_8(mutant::commit_old_term) == 2); // the deliberate bug shows here
}

// And with it, everything before.
TEST_CASE("case 50: the new leader's own entry commits its predecessors") {
  subject s(options_of(1), state_with(5, {1, 2}, 3));
  s.win(5);
  for (std::uint64_t v : {2, 3}) s.c.step(id(v), accepted(4, 3));
  CHECK(s.c.commit() == log_index(3));
  CHECK(s.c.soft().serving);
}

// Late and repeated acknowledgements, and leaders that know of less, take nothing back.
TEST_CASE("case 51: the commit index is monotonic") {
  subject s(options_of(1), state_with(3));
  s.win(3);
  propose(s, 5);
  s.settle();
  s.c.step(id(2), accepted(1, 6));
  CHECK(s.c.commit() == log_index(6));
  s.c.step(id(3), accepted(1, 2));
  s.c.step(id(2), accepted(1, 1));
  CHECK(s.c.commit() == log_index(6));
  s.c.step(id(2), append_request{.term = term(2),
                                 .prev_index = log_index(6),
                                 .prev_term = term(1),
                                 .commit = log_index(3),
                                 .round = 0,
                                 .entries = {}});
  s.c.step(id(2), heartbeat{.term = term(2), .commit = log_index(1), .round = 0});
  CHECK(s.c.commit() == log_index(6));
}

// The leader's own copy counts only once it is durable; two others suffice.
TEST_CASE("case 53: a majority of followers commits while the leader's disk is slow") {
  cluster c(3);
  c.elect(1);
  c.at(1).slow_disk = true;
  CHECK(c.propose(1, "a"));
  c.settle();
  CHECK(c[1].persisted_index() == log_index(1));
  CHECK(c[1].commit() == log_index(2));
  CHECK(c.at(1).commands == std::vector<std::string>{"a"});

  // With one follower away its own copy is needed.
  c.isolate(3);
  CHECK(c.propose(1, "b"));
  c.settle();
  CHECK(c[1].commit() == log_index(2));
  c.at(1).slow_disk = false;
  c.settle();
  CHECK(c[1].commit() == log_index(3));
}

// Entries that nobody has acknowledged cannot be committed by an acknowledgement of nonsense.
TEST_CASE("an acknowledgement beyond the leader's log is dropped") {
  subject s(options_of(1), state_with(3));
  s.win(3);
  s.c.step(id(2), accepted(1, 1000));
  CHECK(s.c.commit() == log_index(0));
  CHECK(s.c.progress()[0].match == log_index(0));
  s.c.step(id(9), accepted(1, 1)); // no member
  CHECK(s.c.commit() == log_index(0));
}

// An idle follower learns of a commit without waiting for the next heartbeat, by one message.
TEST_CASE("a commit is told at once to a follower that gets nothing else") {
  cluster c(3);
  c.elect(1);
  int beats = 0;
  c.drop = [&](const envelope& e) {
    beats += std::holds_alternative<heartbeat>(e.message);
    return false;
  };
  CHECK(c.propose(1, "a"));
  c.settle();
  for (std::uint64_t n = 1; n <= 3; ++n) CHECK(c[n].commit() == log_index(2));
  CHECK(beats == 2);
}
