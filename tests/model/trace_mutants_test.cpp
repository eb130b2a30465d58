#include "tests/model/trace.hpp"
#include "tests/model/trace_runs.hpp"
#include "tests/model/words.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>

using namespace quorumd;
using namespace quorumd::model;
using raft::mutant;

namespace {

/// Prints how each comes to light; gives how many the specification forbids before anything else breaks.
int earlier_than_the_end(std::initializer_list<mutant> mutants, std::uint64_t seeds, bool changes) {
  int earlier = 0;
  for (const mutant m : mutants) {
    const catches c = catch_mutant(m, seeds, changes);
    const auto place = [](const std::optional<std::uint64_t>& seed, std::uint64_t step) {
      return seed ? "seed " + std::to_string(*seed) + " step " + std::to_string(step) : std::string("nothing yet");
    };
    MESSAGE(raft::test::name_of(m), ": specification ", place(c.by_trace, c.trace_step), ", end to end ",
            place(c.by_end, c.end_step), "\n", c.why);
    CHECK_MESSAGE(c.by_trace, raft::test::name_of(m), " was not noticed");
    if (c.trace_first()) ++earlier;
  }
  return earlier;
}

} // namespace

// It sees the wrong step itself, and need not wait until it does harm.
TEST_CASE("trace: deliberate bugs are noticed at the first wrong step") {
  CHECK(earlier_than_the_end({mutant::ack_before_sync, mutant::vote_request_before_sync, mutant::two_votes_a_term,
                              mutant::commit_old_term, mutant::skip_conflict_check, mutant::vote_without_log,
                              mutant::commit_beyond_match, mutant::truncate_always, mutant::install_over_conflict,
                              mutant::count_older_answers},
                             100, false) == 10);
}
TEST_CASE("trace: deliberate bugs of membership are noticed at the first wrong step") {
  CHECK(earlier_than_the_end({mutant::change_in_one_step, mutant::change_while_pending, mutant::keep_truncated_members,
                              mutant::new_majority_alone, mutant::count_learners},
                             200, true) == 5);
}
