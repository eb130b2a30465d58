#include "tests/model/trace.hpp"
#include "tests/model/trace_runs.hpp"

#include <doctest/doctest.h>

#include <cstdint>

using namespace quorumd;
using namespace quorumd::model;

namespace {

void sweep(std::uint64_t nodes, std::uint64_t seeds, bool changes) {
  raft::test::run_counters counters;
  std::uint64_t steps = 0;
  std::uint64_t moves = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const traced one = traced_run(seed, nodes, counters, changes);
    INFO("seed ", seed, " with ", nodes, " nodes");
    REQUIRE(one.broken == "");
    steps += one.steps;
    moves += one.moves;
  }
  MESSAGE(nodes, " nodes: ", counters.inputs, " inputs, ", steps, " steps, ", moves, " of them moved the model");
  CHECK(moves > seeds * 200);
  CHECK(counters.elections > seeds);
  CHECK(counters.crashes > seeds);
  CHECK(counters.installs > 0);
  CHECK((counters.joint_changes > seeds) == changes);
}

} // namespace

// Whatever the cores do in the random runs, the paper and the thesis allow.
TEST_CASE("trace: every step of three nodes is one of the specification's") {
  sweep(3, 200, false);
}
TEST_CASE("trace: every step of five nodes is one of the specification's") {
  sweep(5, 100, false);
}
TEST_CASE("trace: every step of four nodes whose members change is one of the specification's") {
  sweep(4, 200, true);
}
TEST_CASE("trace: every step of six nodes whose members change is one of the specification's") {
  sweep(6, 100, true);
}
