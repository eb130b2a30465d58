#include "random_run.hpp"

#include <doctest/doctest.h>

using namespace quorumd;
using namespace quorumd::raft;
using namespace quorumd::raft::test;

namespace {

void sweep(std::uint64_t nodes, std::uint64_t seeds) {
  run_counters total;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    run_counters one;
    const std::string broken = random_run(seed, nodes, mutant::none, one);
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
  }
  MESSAGE(nodes, " nodes: ", total.elections, " elections, ", total.applied, " applied, ", total.crashes, " crashes, ",
          total.lost_writes, " lost writes, ", total.truncations, " truncations, ", total.installs, " installs, ",
          total.loads, " loads, ", total.reads, " reads");
  CHECK(total.elections > seeds);
  CHECK(total.applied > seeds * 5);
  CHECK(total.crashes > seeds);
  CHECK(total.lost_writes > seeds / 2);
  CHECK(total.truncations > seeds / 20);
  CHECK(total.installs > seeds / 20);
  CHECK(total.loads > seeds / 20);
  CHECK(total.reads > seeds / 2);
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

// The runs notice deliberate bugs, each in one place of the core.
TEST_CASE("random runs catch an acknowledgement before the sync") {
  CHECK(caught_by_random_runs(mutant::ack_before_sync, 400));
}
TEST_CASE("random runs catch votes that are asked for before the own vote is durable") {
  CHECK(caught_by_random_runs(mutant::vote_request_before_sync, 400));
}
TEST_CASE("random runs catch two votes a term") {
  CHECK(caught_by_random_runs(mutant::two_votes_a_term, 400));
}
TEST_CASE("random runs catch a skipped conflict check") {
  CHECK(caught_by_random_runs(mutant::skip_conflict_check, 400));
}
TEST_CASE("random runs catch a read without its round") {
  CHECK(caught_by_random_runs(mutant::read_without_round, 400));
}
TEST_CASE("random runs catch an older term's round that is given back") {
  CHECK(caught_by_random_runs(mutant::echo_old_round, 400));
}
