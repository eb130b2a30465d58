#include "random_run.hpp"

#include <doctest/doctest.h>

using namespace quorumd;
using namespace quorumd::raft;
using namespace quorumd::raft::test;

namespace {

void sweep(std::uint64_t nodes, std::uint64_t seeds, bool changes = false) {
  run_counters total;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    run_counters one;
    const std::string broken = random_run(seed, nodes, mutant::none, one, changes);
    INFO("seed ", seed, " with ", nodes, " nodes");
    REQUIRE(broken == "");
    total.elections += one.elections;
    total.applied += one.applied;
    total.crashes += one.crashes;
    total.lost_writes += one.lost_writes;
    total.truncations += one.truncations;
    total.installs += one.installs;
    total.loads += one.loads;
    total.reads += one.reads;
    total.joint_changes += one.joint_changes;
  }
  MESSAGE(nodes, " nodes: ", total.elections, " elections, ", total.applied, " applied, ", total.crashes, " crashes, ",
          total.lost_writes, " lost writes, ", total.truncations, " truncations, ", total.installs, " installs, ",
          total.loads, " loads, ", total.reads, " reads, ", total.joint_changes, " joint configurations");
  CHECK(total.elections > seeds);
  CHECK(total.applied > seeds * 5);
  CHECK(total.crashes > seeds);
  CHECK(total.lost_writes > seeds / 2);
  CHECK(total.truncations > seeds / 20);
  CHECK(total.installs > seeds / 20);
  CHECK(total.loads > seeds / 20);
  CHECK(total.reads > seeds / 2);
  CHECK((total.joint_changes > seeds) == changes);
}

} // namespace

// Election safety, log matching, leader completeness, state machine safety and linearizable reads hold under every
// fault that the core can meet, and once the faults end everybody catches up.
TEST_CASE("random runs of three nodes keep Raft's promises") {
  sweep(3, 400);
}
TEST_CASE("random runs of five nodes keep Raft's promises") {
  sweep(5, 200);
}

TEST_CASE("random runs of four nodes whose members change keep Raft's promises") {
  sweep(4, 400, true);
}
TEST_CASE("random runs of six nodes whose members change keep Raft's promises") {
  sweep(6, 200, true);
}
