#include "harness.hpp"

#include <doctest/doctest.h>

using namespace quorumd;
using namespace quorumd::raft;
using namespace quorumd::raft::test;

namespace {

vote_request pre_ask(std::uint64_t t, std::uint64_t last_index, std::uint64_t last_term) {
  return {.term = term(t),
          .last_index = log_index(last_index),
          .last_term = term(last_term),
          .pre_vote = true,
          .transfer = false};
}

} // namespace

// Asking costs nothing: no term, no vote, nothing to write.
TEST_CASE("case 15: a failed pre-vote leaves term and vote unchanged") {
  initial_state state = state_with(3, {1}, 4);
  state.hard.vote = id(3);
  subject s(options_of(1), state);
  s.tick_until(role::pre_candidate);
  s.take();
  CHECK_FALSE(s.out.number);
  const auto asked = all_of<vote_request>(s.out.messages); // at once: it derives from nothing durable
  REQUIRE(asked.size() == 2);
  CHECK(asked[0].second.pre_vote);
  CHECK(asked[0].second.term == term(5));
  for (std::uint64_t v : {2, 3}) s.c.step(id(v), vote_response{.term = term(4), .pre_vote = true, .granted = false});
  s.take();
  CHECK(s.c.soft().role == role::follower);
  CHECK(s.c.hard() == hard_state{term(4), id(3)});
  CHECK_FALSE(s.out.number);
}

// The voter's log ends with index 2 of term 2; it heard of no leader.
TEST_CASE("case 16: a pre-vote for a stale log is refused") {
  struct row {
    std::uint64_t index, last_term;
    bool granted;
  };
  for (const row& r : {row{1, 2, false}, row{5, 1, false}, row{2, 2, true}, row{1, 3, true}}) {
    subject s(options_of(1), state_with(3, {1, 2}));
    s.c.step(id(2), pre_ask(9, r.index, r.last_term));
    s.take();
    const auto votes = all_of<vote_response>(s.out.messages);
    REQUIRE(votes.size() == 1);
    CHECK(votes[0].second.pre_vote);
    CHECK(votes[0].second.granted == r.granted);
    CHECK(votes[0].second.term == term(r.granted ? 9 : 2));
    CHECK(s.c.hard() == hard_state{term(2), node_id()}); // whatever the answer
    CHECK_FALSE(s.out.number);
  }
}

// Two of three ask at the same instant; the third is down. One of the two gives way, and there is a leader at once.
TEST_CASE("case 17: a split pre-vote resolves") {
  cluster c(3);
  c.crash(3);
  c[1].campaign();
  c[2].campaign();
  c.settle();
  CHECK(c[2].soft().role == role::leader);
  CHECK(c[1].soft().leader == id(2));
  CHECK(c[1].hard().term == term(1));
}

// The leader is gone; one survivor's term is ahead, the other's log is.
TEST_CASE("case 18: survivors with lower and higher terms still elect") {
  cluster c({{1, 1}, {1, 1}, {1}}, 1);
  c.crash(1);
  c[3].step(
      id(1),
      vote_request{
          .term = term(6), .last_index = log_index(2), .last_term = term(1), .pre_vote = false, .transfer = true});
  c.settle();
  REQUIRE(c[3].hard().term == term(6));
  REQUIRE(c[2].hard().term == term(1));
  CHECK(c.run_until_leader() == 2); // the only one whose log suffices
  CHECK(c[2].hard().term > term(6));
}

// It was alone for long, and its timeouts passed many times.
TEST_CASE("case 19: a rejoining node disturbs nobody") {
  cluster c(3);
  c.elect(1);
  c.isolate(3);
  c.run(1000);
  CHECK(c[3].hard().term == term(1));
  c.heal();
  c.run(200);
  CHECK(c[1].soft() == soft_state{role::leader, id(1), term(1), true});
  CHECK(c[3].soft() == soft_state{role::follower, id(1), term(1), false});
}

// The grants of the pre-vote are no votes.
TEST_CASE("case 20: an old pre-vote reply after becoming candidate is ignored") {
  subject s(options_of(1), state_with(5));
  s.c.campaign();
  for (std::uint64_t v : {2, 3}) s.c.step(id(v), vote_response{.term = term(1), .pre_vote = true, .granted = true});
  s.settle();
  REQUIRE(s.c.soft().role == role::candidate);
  for (std::uint64_t v : {4, 5}) s.c.step(id(v), vote_response{.term = term(1), .pre_vote = true, .granted = true});
  s.settle();
  CHECK(s.c.soft().role == role::candidate);
}

// Node 2 refused while it still heard the leader; asked again in the same term it grants. A refusal
// does not say which question it answers.
TEST_CASE("case 20: a late refusal of an earlier pre-vote does not hide the grant of this one") {
  subject s(options_of(1), state_with(3));
  s.tick_until(role::pre_candidate);
  s.settle();
  s.c.step(id(2), vote_response{.term = term(0), .pre_vote = true, .granted = false});
  CHECK(s.c.soft().role == role::pre_candidate);
  s.c.step(id(2), vote_response{.term = term(1), .pre_vote = true, .granted = true});
  CHECK(s.c.soft().role == role::candidate);
}

// It comes back with a higher term, from when it campaigned without asking first; the others' lease refuses it.
TEST_CASE("case 21: a pre-candidate stuck with a higher term gets free") {
  cluster c(3);
  c.elect(1);
  c.crash(3);
  c.at(3).durable.hard.term = term(7);
  c.restart(3);
  c.isolate(3);
  while (c[3].soft().role != role::pre_candidate) c.run(1);
  c.heal();
  const std::uint64_t leader = c.run_until_leader();
  c.run(100);
  REQUIRE(leader != 0);
  for (std::uint64_t n = 1; n <= 3; ++n) {
    CHECK(c[n].hard().term > term(7));
    CHECK(c[n].soft().leader);
    CHECK(c[n].soft().leader == c[1].soft().leader);
  }
}

// The stream to the leader broke: no timeout passes, and a pre-vote follows within five ticks.
TEST_CASE("a broken stream to the leader is followed by a pre-vote at once") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    cluster c(3, {}, seed);
    c.elect(1);
    c.crash(1);
    for (std::uint64_t n : {2, 3}) {
      c[n].stream_reset(id(1));
      CHECK_FALSE(c[n].soft().leader);
    }
    CHECK(c.run_until_leader(6) != 0);
  }
}

// Only one follower's stream broke: the others' lease protects the leader, and the follower finds back.
TEST_CASE("a broken stream of one follower leaves the leader alone") {
  cluster c(3);
  c.elect(1);
  c[3].stream_reset(id(1));
  c.run(50);
  CHECK(c[1].soft() == soft_state{role::leader, id(1), term(1), true});
  CHECK(c[3].soft().leader == id(1));
}
