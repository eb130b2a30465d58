#include "random_run.hpp"

#include <doctest/doctest.h>

using namespace quorumd;
using namespace quorumd::raft;
using namespace quorumd::raft::test;

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
TEST_CASE("random runs catch voters that change in one step") {
  CHECK(caught_by_random_runs(mutant::change_in_one_step, 2000, true));
}
TEST_CASE("random runs catch a change while another is pending") {
  CHECK(caught_by_random_runs(mutant::change_while_pending, 2000, true));
}
TEST_CASE("random runs catch a truncated configuration that stays in force") {
  CHECK(caught_by_random_runs(mutant::keep_truncated_members, 2000, true));
}
