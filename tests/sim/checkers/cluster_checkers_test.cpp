#include "tests/sim/checkers/cluster_checkers.hpp"

#include <doctest/doctest.h>

using namespace quorumd;
using namespace quorumd::sim;

namespace {

const process_name n1{node_id(1), 1};
const process_name n1_again{node_id(1), 2};
const process_name n2{node_id(2), 1};

/// A log from entry `first` on, after an entry of term `before`.
log_view log_of(std::vector<std::uint64_t> terms, std::uint64_t first = 1, std::uint64_t before = 0) {
  return {log_index(first), log_index(first + terms.size() - 1),
          [=](log_index i) { return term(i.value() < first ? before : terms.at(i.value() - first)); }};
}

} // namespace

// Two nodes, or one node twice, lead the same term.
TEST_CASE("election safety: a second leader of a term is found") {
  election_checker c;
  CHECK(c.leads(n1, term(3)).empty());
  CHECK(c.leads(n1, term(3)).empty());
  CHECK(c.leads(n2, term(4)).empty());
  CHECK_FALSE(c.leads(n2, term(3)).empty());
  CHECK_FALSE(c.leads(n1_again, term(3)).empty());
}

// The same entry follows different ones in two logs.
TEST_CASE("log matching: a log that agrees in an entry and not before it is found") {
  log_checker c;
  CHECK(c.has(n1, log_of({1, 1, 2})).empty());
  CHECK(c.has(n2, log_of({1})).empty());
  CHECK_FALSE(c.has(n2, log_of({1, 2, 2})).empty());
}

// A suffix that is overwritten is compared from where it changed, and counted.
TEST_CASE("log matching: an overwritten suffix is compared again") {
  log_checker c;
  CHECK(c.has(n1, log_of({1, 1, 1, 1})).empty());
  CHECK(c.has(n1, log_of({1, 1, 3})).empty());
  CHECK(c.suffixes_truncated() == 1);
  CHECK(c.has(n2, log_of({1, 3}, 2, 1)).empty());
  bool found = false; // within the log, where only the look at all of it can see the change
  for (std::uint64_t i = 0; i < log_checker::whole_every; ++i)
    found = found || !c.has(n2, log_of({2, 3}, 2, 1)).empty();
  CHECK(found);
}

// A log whose front is gone behind a snapshot stays comparable; terms never fall along a log.
TEST_CASE("log matching: a truncated front and falling terms") {
  log_checker c;
  CHECK(c.has(n1, log_of({1, 1, 2, 2})).empty());
  CHECK(c.has(n1, log_of({2, 2}, 3, 1)).empty());
  CHECK(c.suffixes_truncated() == 0);
  CHECK_FALSE(c.has(n2, log_of({2, 1})).empty());
}

// A committed entry changes, is skipped or comes out of order.
TEST_CASE("committed log: what was committed stays, and is applied in order") {
  committed_log c;
  CHECK(c.applied(n1, log_index(1), {term(1), 10, term(1)}).empty());
  CHECK(c.applied(n1, log_index(2), {term(1), 20, term(1)}).empty());
  CHECK(c.applied(n2, log_index(1), {term(1), 10, term(1)}).empty());
  CHECK_FALSE(c.applied(n2, log_index(2), {term(2), 20, term(2)}).empty());
  CHECK_FALSE(c.applied(n1, log_index(4), {term(1), 40, term(1)}).empty());
  committed_log d;
  CHECK(d.applied(n1, log_index(1), {term(1), 10, term(1)}).empty());
  CHECK_FALSE(d.applied(n2, log_index(1), {term(1), 11, term(1)}).empty());
  d.starts_after(n1_again, log_index(1));
  CHECK(d.applied(n1_again, log_index(2), {term(1), 12, term(1)}).empty());
  CHECK_FALSE(d.applied(n1_again, log_index(2), {term(1), 12, term(1)}).empty());
}

// A leader lacks an entry that an earlier term committed, or has another one in its place.
TEST_CASE("leader completeness: a leader without a committed entry is found") {
  committed_log c;
  CHECK(c.applied(n1, log_index(1), {term(1), 10, term(1)}).empty());
  CHECK(c.applied(n1, log_index(2), {term(1), 20, term(1)}).empty());
  CHECK(c.leader_has_all(n2, term(2), log_of({1, 1, 2})).empty());
  CHECK_FALSE(c.leader_has_all(n2, term(2), log_of({1})).empty());
  CHECK_FALSE(c.leader_has_all(n2, term(3), log_of({1, 2})).empty());
  CHECK(c.leader_has_all(n2, term(2), log_of({2}, 3, 1)).empty());
}

// A leader of term 3 commits an old entry; one that hears only now that it had won term 2 need not have it.
TEST_CASE("leader completeness: it is the term of the commit that counts") {
  committed_log c;
  CHECK(c.applied(n1, log_index(1), {term(1), 10, term(1)}).empty());
  CHECK(c.applied(n1, log_index(2), {term(1), 20, term(3)}).empty());
  CHECK(c.leader_has_all(n2, term(2), log_of({1, 2})).empty());
  CHECK_FALSE(c.leader_has_all(n2, term(4), log_of({1, 2})).empty());
}

// Two nodes applied the same entries and hold different keys.
TEST_CASE("state machine safety: different states at one index are found") {
  state_checker c;
  CHECK(c.holds(n1, log_index(5), 55).empty());
  CHECK(c.holds(n2, log_index(5), 55).empty());
  CHECK(c.compared() == 1);
  CHECK_FALSE(c.holds(n1_again, log_index(5), 56).empty());
}

// A term, a commit or an applied index goes back within one process; after a restart commit and applied may.
TEST_CASE("progress: nothing goes back while a process lives") {
  progress_checker c;
  CHECK(c.at(n1, {term(2), log_index(5), log_index(4)}).empty());
  CHECK_FALSE(c.at(n1, {term(1), log_index(5), log_index(4)}).empty());
  CHECK_FALSE(c.at(n1, {term(2), log_index(4), log_index(4)}).empty());
  CHECK_FALSE(c.at(n1, {term(2), log_index(5), log_index(3)}).empty());
  CHECK_FALSE(c.at(n1, {term(2), log_index(5), log_index(6)}).empty());
  CHECK(c.at(n1_again, {term(2), log_index(3), log_index(2)}).empty());
}

// A client is told of a revision that the committed log lacks, or that another command made.
TEST_CASE("acknowledgements: a write that is not in the committed log is found") {
  acknowledgement_checker c;
  CHECK(c.committed(2, 22).empty());
  CHECK(c.acknowledged(2, 22).empty());
  CHECK_FALSE(c.acknowledged(3, 33).empty());
  CHECK_FALSE(c.acknowledged(2, 23).empty());
  CHECK_FALSE(c.committed(2, 24).empty());
}
