#include "harness.hpp"

#include <doctest/doctest.h>

using namespace quorumd;
using namespace quorumd::raft;
using namespace quorumd::raft::test;

// It cannot know whether there is another leader, so it stops answering for one.
TEST_CASE("case 22: a leader without a quorum steps down") {
  cluster c(5);
  c.elect(1);
  c.isolate(1);
  c.run(29);
  CHECK(c[1].soft().role == role::leader);
  c.run(6);
  CHECK(c[1].soft().role != role::leader);
  CHECK(c[1].hard().term == term(1));
}

// Two of five may be away for ever.
TEST_CASE("case 23: a leader with a quorum stays") {
  cluster c(5);
  c.elect(1);
  c.isolate(4);
  c.isolate(5);
  c.run(500);
  CHECK(c[1].soft() == soft_state{role::leader, id(1), term(1), true});
}

// It neither answers nor takes the term, until the lease has passed.
TEST_CASE("case 24: a voter that heard a leader lately refuses") {
  const vote_request ask{
      .term = term(5), .last_index = log_index(9), .last_term = term(4), .pre_vote = false, .transfer = false};
  vote_request pre = ask;
  pre.pre_vote = true;
  subject s(options_of(1), state_with(3));
  s.c.step(id(2), heartbeat{.term = term(1), .commit = {}, .round = 0});
  s.settle();
  s.c.step(id(3), ask);
  CHECK_FALSE(s.c.has_ready());
  CHECK(s.c.hard().term == term(1));
  s.c.step(id(3), pre);
  s.take();
  CHECK_FALSE(all_of<vote_response>(s.out.messages).at(0).second.granted);

  subject leader(options_of(1), state_with(3));
  leader.win(3);
  leader.c.step(id(3), ask);
  CHECK(leader.c.soft().role == role::leader);

  // The timeout is at least T, so from T on the node is a pre-candidate or may vote.
  s.tick(30);
  s.settle();
  s.c.step(id(3), ask);
  CHECK(all_of<vote_response>(s.settle()).at(0).second.granted);
}

// It raised its term and lost its candidature; nobody would vote for it, and it would refuse the leader for ever.
TEST_CASE("case 25: a stuck higher-term candidate gets free") {
  cluster c(3);
  c.elect(1);
  c.isolate(3);
  c[3].step(id(1), timeout_now{term(1)});
  c.settle();
  REQUIRE(c[3].soft() == soft_state{role::candidate, node_id(), term(2), false});
  c.heal();
  CHECK(c.propose(1, "a"));
  const std::uint64_t leader = c.run_until_leader();
  REQUIRE(leader != 0);
  c.run(100);
  for (std::uint64_t n = 1; n <= 3; ++n) {
    CHECK(c[n].hard().term == c[leader].hard().term);
    CHECK(c[n].soft().leader == id(leader));
    CHECK(c.at(n).commands == std::vector<std::string>{"a"});
  }
}

// Node 1 leads and reaches everybody; 4 and 5 reach only node 1 and each other.
TEST_CASE("case 26: five nodes, partial connectivity: one stable leader") {
  cluster c(5);
  c.elect(1);
  for (std::uint64_t a : {2, 3})
    for (std::uint64_t b : {4, 5}) c.cut(a, b);
  c.run(1000);
  CHECK(c[1].soft() == soft_state{role::leader, id(1), term(1), true});

  // The leader loses two of them: three remain, and those who are cut off change nothing.
  c.cut(1, 4);
  c.cut(1, 5);
  c.run(1000);
  CHECK(c[1].soft() == soft_state{role::leader, id(1), term(1), true});
  CHECK(c[4].hard().term == term(1));
}

// One pre-candidate is refused by the one that still hears the leader; two of three agree that it is gone for them.
TEST_CASE("case 27: a quorum of pre-candidates overrides a lease") {
  cluster c(3);
  c.elect(1);
  c[2].campaign();
  c.settle();
  REQUIRE(c[1].soft().role == role::leader);
  c.run(10); // node 2 follows again
  REQUIRE(c[2].soft().leader == id(1));
  c.cut(1, 2);
  c.cut(1, 3);
  c[2].campaign();
  c[3].campaign();
  c.settle();
  CHECK(c[3].soft().role == role::leader);
  CHECK(c[3].hard().term == term(2));
  CHECK(c[2].soft().leader == id(3));
}

// The leader asked for this election itself.
TEST_CASE("case 28: a transfer bypasses leases") {
  cluster c(3);
  c.elect(1);
  CHECK(c[1].transfer_leadership(id(3)));
  c.settle();
  CHECK(c[3].soft() == soft_state{role::leader, id(3), term(2), true});
  CHECK(c[1].soft().leader == id(3));
  CHECK(c[2].soft().leader == id(3));
}

// Its messages still leave, so nobody else would notice.
TEST_CASE("case 29: a leader whose disk stalls steps down") {
  cluster c(3);
  c.elect(1);
  c.at(1).slow_disk = true;
  CHECK(c.propose(1, "a"));
  c.run(60);
  CHECK(c[1].soft().role == role::leader);
  CHECK(c.at(2).commands == std::vector<std::string>{"a"}); // a majority without it suffices
  c.run(20);
  CHECK(c[1].soft().role != role::leader);
  const std::uint64_t next = c[2].soft().role == role::leader ? 2 : 3;
  CHECK(c[next].soft() == soft_state{role::leader, id(next), term(2), true});
  CHECK(c[1].soft().leader == id(next));
  c.run(500); // nor does it stand for election meanwhile
  CHECK(c[next].hard().term == term(2));
  c.at(1).slow_disk = false;
  c.run(10);
  CHECK(c.at(1).commands == std::vector<std::string>{"a"});
}

// What an idle node sleeps through: a follower nearly its election timeout, a leader until its next heartbeat; with a
// write under way nothing, since its disk is watched. cluster::tick holds in every test that such ticks do nothing.
TEST_CASE("an idle member's ticks are quiet") {
  cluster c(3);
  c.elect(1);
  while (c[1].quiet_ticks() != 0) c.tick(1);
  c.tick(1); // the heartbeat
  c.settle();
  CHECK(c[1].quiet_ticks() == options().heartbeat_ticks - 1);
  CHECK(c[2].quiet_ticks() >= options().election_ticks - 1);
  c.isolate(1);
  c.at(1).slow_disk = true;
  CHECK(c.propose(1, "a"));
  c.settle();
  CHECK(c[1].quiet_ticks() == 0);
}
