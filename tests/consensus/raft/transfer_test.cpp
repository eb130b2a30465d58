#include "harness.hpp"

#include <doctest/doctest.h>

using namespace quorumd;
using namespace quorumd::raft;
using namespace quorumd::raft::test;

// Its vote requests bypass leases and no pre-vote is held.
TEST_CASE("case 75: a caught-up target is told to campaign now; a lagging one catches up first") {
  cluster c(3);
  c.elect(1);
  bool told = false;
  c.drop = [&](const envelope& e) {
    told = told || std::holds_alternative<timeout_now>(e.message);
    return false;
  };
  CHECK(c[1].transfer_leadership(id(2)));
  c.pump(1);
  CHECK(told);
  c.settle();
  REQUIRE(c[2].soft().serving);

  told = false;
  c.isolate(3);
  CHECK(c.propose(2, "missing at 3"));
  c.settle();
  CHECK(c[2].transfer_leadership(id(3)));
  c.settle();
  CHECK_FALSE(told);
  c.heal();
  c[2].unreachable(id(3));
  c.run(6);
  CHECK(told);
  CHECK(c[3].soft() == soft_state{role::leader, id(3), term(3), true});
  CHECK(c.at(3).commands == std::vector<std::string>{"missing at 3"});
}

// Else the target would never be caught up; a dead target must not stop the group for long.
TEST_CASE("case 76: proposals are refused meanwhile; it aborts after an election timeout") {
  cluster c(3);
  c.elect(1);
  c.isolate(3);
  CHECK(c[1].transfer_leadership(id(3)));
  std::vector<proposal> batch;
  batch.push_back(make_proposal("a"));
  CHECK(c[1].propose(batch).error() == propose_error::transferring);
  c.run(29);
  CHECK(c[1].propose(batch).error() == propose_error::transferring);
  c.run(1);
  CHECK(c[1].propose(batch).has_value());
  c.settle();
  CHECK(c.at(2).commands == std::vector<std::string>{"a"});
}

// Nothing happens, and the caller learns it.
TEST_CASE("case 77: a transfer to oneself, to nobody or by a follower is refused") {
  cluster c(3);
  c.elect(1);
  CHECK_FALSE(c[1].transfer_leadership(id(1)));
  CHECK_FALSE(c[1].transfer_leadership(id(7)));
  CHECK_FALSE(c[1].transfer_leadership(node_id()));
  CHECK_FALSE(c[2].transfer_leadership(id(3)));
  CHECK(c.propose(1, "a"));

  // Nor does a refused one end the one that is under way.
  c.isolate(3);
  CHECK(c[1].transfer_leadership(id(3)));
  CHECK_FALSE(c[1].transfer_leadership(id(1)));
  CHECK_FALSE(c[1].transfer_leadership(id(7)));
  CHECK_FALSE(c.propose(1, "b"));
}

// Node 4 learns: it could not be elected, however well it keeps up.
TEST_CASE("case 77: a transfer to a learner is refused") {
  initial_state state = state_with(3);
  state.start.members.learners = {id(4)};
  subject s(options_of(1), state);
  s.win(3);
  s.c.step(id(4), accepted(1, 1));
  CHECK_FALSE(s.c.transfer_target());
  CHECK_FALSE(s.c.transfer_leadership(id(4)));
  CHECK(all_of<timeout_now>(s.settle()).empty());
  std::vector<proposal> batch;
  batch.push_back(make_proposal("a"));
  CHECK(s.c.propose(batch).has_value());

  // It would not campaign either.
  subject learner(options_of(4), state);
  learner.c.step(id(1), timeout_now{term(1)});
  CHECK(learner.c.soft().role == role::follower);
  CHECK(all_of<vote_request>(learner.settle()).empty());
}

// A snapshot brought a configuration without node 3.
TEST_CASE("case 77: a transfer to a removed member is refused") {
  subject s(options_of(1), state_with(3));
  snapshot_mark mark{.index = log_index(5), .term = term(1), .members = voters(2)};
  s.c.step(id(2), install_snapshot{.term = term(1), .mark = mark});
  s.settle();
  s.c.applied(log_index(5));
  s.win(2);
  CHECK_FALSE(s.c.transfer_leadership(id(3)));
  CHECK(s.c.transfer_leadership(id(2)));

  // Nor does node 3 campaign when it is told to.
  subject removed(options_of(3), state_with(3));
  removed.c.step(id(2), install_snapshot{.term = term(1), .mark = mark});
  removed.settle();
  removed.c.step(id(2), timeout_now{term(1)});
  CHECK(removed.c.soft().role == role::follower);
  CHECK(all_of<vote_request>(removed.settle()).empty());
}

// The best target is the one that would have to wait least.
TEST_CASE("the transfer target is the most advanced voter that was heard lately") {
  cluster c(3);
  c.elect(1);
  c.at(2).slow_disk = true;
  CHECK(c.propose(1, "a"));
  c.settle();
  CHECK(c[1].transfer_target() == id(3));
  c.isolate(3);
  c.run(35);
  CHECK(c[1].transfer_target() == id(2));
  CHECK_FALSE(c[2].transfer_target());
}
