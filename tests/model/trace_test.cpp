#include "tests/model/trace.hpp"
#include "tests/model/trace_runs.hpp"
#include "tests/model/words.hpp"

#include <doctest/doctest.h>

#include <initializer_list>

using namespace quorumd;
using namespace quorumd::model;
using raft::mutant;

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

/// Prints how each comes to light; gives how many the specification forbids before anything else breaks.
int earlier_than_the_end(std::initializer_list<mutant> mutants, std::uint64_t seeds, bool changes) {
  int earlier = 0;
  for (const mutant m : mutants) {
    const catches c = catch_mutant(m, seeds, changes);
    const auto place = [](const std::optional<std::uint64_t>& seed, std::uint64_t step) {
      return seed ? "seed " + std::to_string(*seed) + " step " + std::to_string(step) : std::string("not found");
    };
    MESSAGE(raft::test::name_of(m), ": specification ", place(c.by_trace, c.trace_step), ", end to end ",
            place(c.by_end, c.end_step), "\n", c.why);
    CHECK_MESSAGE(c.by_trace, raft::test::name_of(m), " was not noticed");
    if (c.trace_first()) ++earlier;
  }
  return earlier;
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

// It sees the wrong step itself, and need not wait until it does harm.
TEST_CASE("trace: deliberate bugs are noticed at the first wrong step") {
  CHECK(earlier_than_the_end({mutant::ack_before_sync, mutant::vote_request_before_sync, mutant::two_votes_a_term,
                              mutant::commit_old_term, mutant::skip_conflict_check, mutant::vote_without_log,
                              mutant::commit_beyond_match, mutant::truncate_always, mutant::install_over_conflict,
                              mutant::count_older_answers},
                             100, false) >= 8);
}
TEST_CASE("trace: deliberate bugs of membership are noticed at the first wrong step") {
  CHECK(earlier_than_the_end({mutant::change_in_one_step, mutant::change_while_pending, mutant::keep_truncated_members,
                              mutant::new_majority_alone, mutant::count_learners},
                             200, true) >= 4);
}
