#include "harness.hpp"

#include <doctest/doctest.h>

using namespace quorumd;
using namespace quorumd::raft;
using namespace quorumd::raft::test;

TEST_CASE("case 72: a learner never campaigns, never counts") {
  cluster c(4, these({1, 2, 3}, {4}));
  c.elect(1);
  c.isolate(2);
  c.isolate(3);
  CHECK(c.propose(1, "a"));
  c.settle();
  CHECK(c.at(1).commands.empty()); // the leader and the learner are no majority
  CHECK(c[4].last_index() == c[1].last_index());
  c.heal();
  c.run(10);
  CHECK(c.at(4).commands == std::vector<std::string>{"a"});
  c.isolate(4);
  c.run(1000);
  CHECK(c[4].soft().role == role::follower);
  CHECK(c[4].soft().term == c[1].soft().term);
  c[4].campaign();
  CHECK(c[4].soft().role == role::follower);
}

TEST_CASE("case 73: a learner votes if asked: it may be a voter and not know yet") {
  subject s(options_of(4), [] {
    initial_state state = state_with(3);
    state.start.members = these({1, 2, 3}, {4});
    return state;
  }());
  s.tick(100);
  s.c.step(id(2), vote_request{.term = term(3), .last_index = log_index(5), .last_term = term(2)});
  const auto votes = all_of<vote_response>(s.settle());
  REQUIRE(votes.size() == 1);
  CHECK(votes[0].second.granted);
}

namespace {

/// Node 3 joined with an empty disk: the leader of term 4 told it of the members as of entry 3.
options joined_at_3() {
  options o = options_of(3);
  o.joined_at = log_index(3);
  o.joined_term = term(4);
  return o;
}

/// As the log says before the change by which it joined.
initial_state of_earlier_node() {
  initial_state begun = state_with(3);
  begun.start.members = these({1, 2, 3});
  return begun;
}

bool granted(subject& s, std::uint64_t t, std::uint64_t last, std::uint64_t last_term, bool pre_vote) {
  s.tick(100);
  s.c.step(
      id(1),
      vote_request{.term = term(t), .last_index = log_index(last), .last_term = term(last_term), .pre_vote = pre_vote});
  const auto votes = all_of<vote_response>(s.settle());
  REQUIRE(votes.size() == 1);
  return votes[0].second.granted;
}

append_request append_of(std::uint64_t t, std::uint64_t commit, const std::vector<std::uint64_t>& terms) {
  return {.term = term(t),
          .prev_index = {},
          .prev_term = {},
          .commit = log_index(commit),
          .round = 0,
          .entries = make_entries(1, terms)};
}

} // namespace

// A node that joined with an empty disk replays how an earlier node of its number voted. It votes for no log without
// the entry that it was told of, stands for nothing without it, and obeys no leader older than the one who told it.
TEST_CASE("a node that joined does not stand in for an earlier one") {
  subject s(joined_at_3(), of_earlier_node());
  CHECK(s.c.hard().term == term(4));
  s.tick(200);
  s.c.campaign();
  CHECK(s.c.soft().role == role::follower);
  s.settle();
  for (const bool pre_vote : {true, false}) {
    CHECK_FALSE(granted(s, 5, 9, 3, pre_vote)); // of earlier leaders, whatever its length
    CHECK_FALSE(granted(s, 5, 2, 4, pre_vote)); // ends before it
  }
  s.c.step(id(2), append_of(3, 0, {2, 2, 3}));
  CHECK(all_of<append_response>(s.settle()).empty());
  CHECK(s.c.last_index() == log_index(0));

  s.c.step(id(2), append_of(5, 2, {2, 2}));
  s.settle();
  s.tick(200);
  CHECK(s.c.soft().role == role::follower);
  s.c.step(id(2), append_of(5, 2, {2, 2, 4}));
  s.settle();
  s.tick_until(role::pre_candidate); // its log holds what was committed then, whether it knows that or not
}

// Promoted since, it may be needed before it hears of that: by one that is further than it was told.
TEST_CASE("a node that joined votes for whoever holds the entry by which it did") {
  for (const bool pre_vote : {true, false}) {
    subject s(joined_at_3(), of_earlier_node());
    CHECK(granted(s, 5, 3, 4, pre_vote));
  }
  // Who was not told the term waits until the entry is known to be committed.
  options o = joined_at_3();
  o.joined_term = term();
  subject s(o, of_earlier_node());
  CHECK_FALSE(granted(s, 5, 9, 4, false));
  s.c.step(id(1), append_of(6, 3, {2, 2, 4}));
  s.settle();
  CHECK(granted(s, 7, 9, 4, false));
}

TEST_CASE("case 73: the majority that it belongs to may need it") {
  cluster c(4, these({1, 2, 3}, {4}));
  c.elect(1);
  c.drop = no_appends_to({3, 4});
  CHECK(c.change(1, these({1, 2, 3, 4})) == change_error::none);
  c.settle();
  REQUIRE(members_of(c, 4) == "1 2 3 + 4"); // it did not hear of it
  c.crash(1);
  c.drop = nullptr;
  c.run(100);
  const std::uint64_t leader = c.run_until_leader();
  REQUIRE(leader == 2); // alone holds the entry: needs node 3 of the old half, and 3 and 4 of the new one
  CHECK(members_of(c, 4) == "1 2 3 4");
}

TEST_CASE("case 74: promotion, demotion, receives a snapshot") {
  cluster c(4, these({1, 2, 3}));
  c.elect(1);
  for (const char* text : {"a", "b", "c"}) CHECK(c.propose(1, text));
  c.run(10);
  for (std::uint64_t n = 1; n <= 3; ++n) c.compact(n);
  CHECK(c.change(1, these({1, 2, 3}, {4})) == change_error::none);
  c.run(20);
  CHECK_FALSE(c.snapshots.empty());
  CHECK(c.at(4).commands == std::vector<std::string>{"a", "b", "c"});
  CHECK(members_of(c, 4) == "1 2 3 + 4");

  CHECK(c.change(1, these({1, 2, 3, 4})) == change_error::none);
  c.run(10);
  CHECK(members_of(c, 4) == "1 2 3 4");
  c.isolate(3);
  CHECK(c.change(1, these({1, 2, 4}, {3})) == change_error::none); // promoted ones count
  c.run(10);
  CHECK(members_of(c, 1) == "1 2 4 + 3");
  c.heal();
  c[1].unreachable(id(3));
  c.run(20);
  CHECK(members_of(c, 3) == "1 2 4 + 3");
  c.isolate(3);
  c.run(500);
  CHECK(c[3].soft().role == role::follower);
}

TEST_CASE("case 74: a member that comes anew while others wait does not stop them") {
  cluster c(4, these({1, 2, 3}));
  c.elect(1);
  c.crash(4); // it was added before it was started
  CHECK(c.change(1, these({1, 2, 3, 4})) == change_error::none);
  c.run(100);
  CHECK(c[1].soft().serving);
  CHECK(c.propose(1, "a"));
  c.settle();
  CHECK(c.at(2).commands == std::vector<std::string>{"a"});
}

// Its disk is empty: what was acknowledged from the lost one must not be counted when it votes again.
TEST_CASE("a replaced member is sent everything anew") {
  cluster c(3);
  c.elect(1);
  for (const char* text : {"a", "b"}) CHECK(c.propose(1, text));
  c.run(10);
  CHECK(c.change(1, these({1, 2}, {3})) == change_error::none);
  c.run(10);
  c.crash(3);
  c.at(3).durable = {};
  c.at(3).durable.start.members = these({1, 2}, {3});
  c.at(3).durable.snapshot = c.at(3).durable.start;
  c.restart(3);
  c[1].replaced(id(3));
  for (const peer_progress& p : c[1].progress()) CHECK((p.match == log_index()) == (p.id == id(3)));
  c.run(20);
  CHECK(c.at(3).commands == std::vector<std::string>{"a", "b"});
}

TEST_CASE("so is one that is removed and added again at once") {
  cluster c(4, these({1, 2, 3}, {4}));
  c.elect(1);
  CHECK(c.propose(1, "a"));
  c.run(10);
  c.isolate(4); // it does not learn that it is none, so that it is still being told
  CHECK(c.change(1, these({1, 2, 3})) == change_error::none);
  c.settle();
  REQUIRE(c[1].progress().size() == 3);
  CHECK(c.change(1, these({1, 2, 3}, {4})) == change_error::none);
  for (const peer_progress& p : c[1].progress()) CHECK((p.match == log_index()) == (p.id == id(4)));
}
