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
  CHECK_FALSE(c[2].transfer_leadership(id(3)));
  CHECK(c.propose(1, "a"));
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
