#include "harness.hpp"

#include <doctest/doctest.h>

using namespace quorumd;
using namespace quorumd::raft;
using namespace quorumd::raft::test;

namespace {

using terms = std::vector<std::uint64_t>;

// Node 1 with the first log leads; how many appends to node 2 are refused until it has caught up?
int refusals(const terms& leader, const terms& follower, std::uint64_t term_now) {
  cluster c({leader, follower, leader}, term_now);
  int count = 0;
  c.cut(1, 2);
  c.elect(1);
  c.heal();
  c.drop = [&](const envelope& e) {
    const auto* r = std::get_if<append_response>(&e.message);
    if (r != nullptr && e.from == id(2) && !r->accepted) ++count;
    return false;
  };
  c.run(30);
  CHECK(c[2].last_index() == c[1].last_index());
  for (log_index i(1); i <= c[1].last_index(); i = i.next()) CHECK(c[2].term_at(i) == c[1].term_at(i));
  return count;
}

} // namespace

// The follower has a long run of a term that the leader never saw: one refusal passes all of it.
TEST_CASE("case 43: the leader skips a whole term in one probe") {
  const terms leader{1, 1, 4, 4, 4, 4, 4, 4, 4, 4};
  CHECK(refusals(leader, {1, 1, 3, 3, 3, 3, 3, 3, 3, 3}, 4) == 1);
}

// The leader has a long run of the conflicting term and more: where that term ends here is the place to try.
TEST_CASE("case 44: the follower's conflict term is looked up in the leader's log") {
  // The follower's term 2 goes on where the leader's ended.
  CHECK(refusals({1, 2, 2, 2, 3, 3, 3, 3, 3}, {1, 2, 2, 2, 2, 2, 2, 2, 2}, 3) == 1);
  // The leader's term 2 goes on where the follower's ended.
  CHECK(refusals({1, 2, 2, 2, 2, 2, 3, 3, 3}, {1, 2, 2, 2}, 3) == 1);
}

// The number of refusals grows with the number of terms that differ, never with the number of entries.
TEST_CASE("case 45: a longer tail on either side") {
  terms longer{1};
  for (int i = 0; i < 200; ++i) longer.push_back(2);
  terms other{1};
  for (int i = 0; i < 300; ++i) other.push_back(3);
  CHECK(refusals(longer, {1}, 4) == 1);
  CHECK(refusals({1, 4}, longer, 4) <= 1);
  CHECK(refusals(longer, other, 4) <= 2);
  CHECK(refusals(other, longer, 4) <= 2);
}

// Everything below a follower's log start is committed; the append's newer entries count, its older ones are skipped.
TEST_CASE("case 46: an append below the follower's compaction retreats safely") {
  initial_state state;
  state.start = {.index = log_index(5), .term = term(2), .members = voters(3)};
  state.runs = {{log_index(6), term(2)}};
  state.last = log_index(7);
  state.commit = state.applied = log_index(6);
  state.hard.term = term(2);
  const auto append = [](std::uint64_t prev, const terms& t) {
    return append_request{.term = term(3),
                          .prev_index = log_index(prev),
                          .prev_term = term(1),
                          .commit = {},
                          .round = 0,
                          .entries = make_entries(prev + 1, t)};
  };
  subject s(options_of(1), state);
  s.c.step(id(2), append(1, {1, 2}));
  auto acks = all_of<append_response>(s.settle());
  REQUIRE(acks.size() == 1);
  CHECK(acks[0].second.accepted);
  CHECK(acks[0].second.match == log_index(6)); // its commit

  s.c.step(id(2), append(2, {1, 2, 2, 2, 3, 3}));
  acks = all_of<append_response>(s.settle());
  REQUIRE(acks.size() == 1);
  CHECK(acks[0].second.accepted);
  CHECK(acks[0].second.match == log_index(8));
  CHECK(s.c.term_at(log_index(6)) == term(2));
  CHECK(s.c.term_at(log_index(7)) == term(3));
}

// It belongs to an append that was superseded meanwhile.
TEST_CASE("case 47: a stale refusal is ignored") {
  subject s(options_of(1), state_with(3, {1, 1, 1, 1, 1}));
  s.win(3);
  const auto refuse = [&](std::uint64_t rejected, std::uint64_t hint) {
    s.c.step(id(2), append_response{.term = term(2),
                                    .accepted = false,
                                    .match = {},
                                    .rejected = log_index(rejected),
                                    .conflict_term = {},
                                    .conflict_index = log_index(hint),
                                    .round = 0});
  };
  refuse(3, 2); // the probe was at 5
  CHECK(s.c.progress()[0].next == log_index(6));
  refuse(5, 4);
  CHECK(s.c.progress()[0].next == log_index(4));
  refuse(5, 2); // the same once more
  CHECK(s.c.progress()[0].next == log_index(4));
  s.c.step(id(2), accepted(2, 6));
  refuse(4, 2); // below what it acknowledged
  CHECK(s.c.progress()[0].match == log_index(6));
  CHECK(s.c.progress()[0].state == decltype(peer_progress::state)::replicate);
}
