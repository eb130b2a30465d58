#include "tests/model/apart.hpp"
#include "tests/model/explore.hpp"
#include "tests/model/words.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <csignal>

using namespace quorumd;
using namespace quorumd::model;
using raft::mutant;

namespace {

outcome explore(const bounds& b) {
  outcome o = explorer(b).go();
  MESSAGE(o.states, " states, ", o.together, " of all nodes together, ", o.transitions, " transitions, depth ", o.depth,
          ", ", o.node_states, " states of single nodes, ", o.node_steps, " steps of the core");
  std::string path;
  for (const std::string& line : o.path) path += "\n" + line;
  INFO(path);
  CHECK(o.broken == "");
  return o;
}

// --- of the process that explores with a deliberate bug
int report_to = -1;
explorer* exploring = nullptr;

void report(const std::string& what, const std::vector<std::string>& path) {
  std::string text = what;
  for (const std::string& line : path) text += "\n" + line;
  (void)!::write(report_to, text.data(), text.size());
}

void aborted(int) {
  report("an invariant of the core", exploring->path_to_current());
  ::_exit(1);
}

/// What an exploration with the bug finds, and how to get there; empty if nothing.
std::string found(bounds b, mutant m) {
  b.mutant = m;
  return apart([&b](int out) {
    report_to = out;
    explorer e(b);
    exploring = &e;
    (void)std::signal(SIGABRT, aborted);
    const outcome o = e.go();
    if (!o.broken.empty()) report(o.broken, o.path);
  });
}

void check_found(const bounds& b, mutant m, const std::string& broken) {
  const std::string text = found(b, m);
  MESSAGE(raft::test::name_of(m), ": ", text);
  CHECK_MESSAGE(text.starts_with(broken), raft::test::name_of(m));
  CHECK(text.find("\n1. node ") != std::string::npos);
}

} // namespace

// All that three nodes can do in two terms within small bounds: messages lost, in any order and any number of times.
// What takes more states than there is time for here is for `./dev explore`.
TEST_CASE("explore: three nodes keep their promises while a disk falls behind") {
  CHECK(explore({.terms = 2, .timeouts = 2, .slow_disks = 1, .entries = 0, .crashes = 0}).exhausted);
}
TEST_CASE("explore: three nodes keep their promises through a crash") {
  CHECK(explore({.terms = 2, .timeouts = 2, .slow_disks = 0, .entries = 0, .crashes = 1}).exhausted);
}
TEST_CASE("explore: three nodes keep their promises with a command in two terms") {
  CHECK(explore({.terms = 2, .timeouts = 2, .slow_disks = 0, .entries = 1, .crashes = 0, .duplicates = 0}).exhausted);
}
TEST_CASE("explore: three nodes keep their promises with a crash, a slow disk and a snapshot in one term") {
  CHECK(explore({.terms = 2, .timeouts = 1, .slow_disks = 1, .entries = 1, .crashes = 1, .compactions = 1}).exhausted);
}
TEST_CASE("explore: two nodes keep their promises with a crash, a slow disk and a command in two terms") {
  CHECK(explore({.nodes = 2, .terms = 2, .timeouts = 3, .slow_disks = 1, .entries = 1, .crashes = 1}).exhausted);
}
TEST_CASE("explore: pre-votes are asked for and given in any order") {
  CHECK(explore({.nodes = 2, .timeouts = 3, .slow_disks = 1, .entries = 0, .crashes = 0, .pre_votes = true}).exhausted);
}

// Thesis §4.3: the joint configuration, with elections at any moment of it.
TEST_CASE("explore: a voter is removed") {
  CHECK(explore({.target = {1, 2}, .timeouts = 1, .slow_disks = 0, .entries = 0, .crashes = 1, .duplicates = 0})
            .exhausted);
}
TEST_CASE("explore: a voter is added while another stands for election") {
  CHECK(explore({.voters = {1, 2}, .target = {1, 2, 3}, .timeouts = 2, .slow_disks = 0, .entries = 0, .crashes = 0})
            .exhausted);
}
TEST_CASE("explore: a voter takes another's place") {
  CHECK(explore({.voters = {1, 2}, .target = {2, 3}, .timeouts = 2, .slow_disks = 1, .entries = 0, .crashes = 0})
            .exhausted);
}

// Orders that are left out lead to the same: where every message may arrive again, to the same states exactly.
TEST_CASE("explore: the reduction leaves out orders, and no state") {
  bounds b{.terms = 2, .timeouts = 2, .slow_disks = 0, .entries = 0, .crashes = 0};
  const outcome reduced = explore(b);
  b.reduce = false;
  const outcome all = explore(b);
  CHECK(reduced.exhausted);
  CHECK(all.exhausted);
  CHECK(reduced.states == all.states);
  CHECK(reduced.transitions < all.transitions);
}

// And where each arrives once, to the same states of all nodes together with all that is remembered of the past.
TEST_CASE("explore: the reduction leaves out no state of all nodes together where messages arrive once") {
  bounds b{.terms = 2, .timeouts = 1, .slow_disks = 1, .entries = 1, .crashes = 1, .duplicates = 0};
  const outcome reduced = explore(b);
  b.reduce = false;
  const outcome all = explore(b);
  CHECK(reduced.exhausted);
  CHECK(all.exhausted);
  CHECK(reduced.together == all.together);
  CHECK(reduced.transitions < all.transitions);
}

// What is written down of a node decides what it does: else states would be taken for one that are not.
TEST_CASE("explore: nodes that count as being in the same state do the same") {
  bounds b{.timeouts = 2, .slow_disks = 1, .entries = 1, .crashes = 1, .beats = 1, .compactions = 1};
  b.states_max = 300000;
  b.compare = true;
  (void)explore(b);
  b.voters = {1, 2};
  b.target = {2, 3};
  (void)explore(b);
}

// Where there is more than the limit it says so.
TEST_CASE("explore: it says when it has not seen everything") {
  const outcome o = explore({.states_max = 1000});
  CHECK(!o.exhausted);
  CHECK(o.states == 1000);
}

// Breadth first, the first broken promise is close to the beginning: its path can be read.
TEST_CASE("explore: deliberate bugs are found, with the way to them") {
  const bounds b{.timeouts = 2, .slow_disks = 0, .entries = 0, .crashes = 0, .beats = 1};
  check_found(b, mutant::two_votes_a_term, "one vote a term");
  check_found(b, mutant::vote_without_log, "leader completeness");
  check_found(b, mutant::ack_before_sync, "entries are acknowledged before they are durable");
  check_found(b, mutant::vote_request_before_sync, "votes are asked for before the own is durable");
  check_found(b, mutant::commit_beyond_match, "state machine safety");
}
TEST_CASE("explore: deliberate bugs of membership are found, with the way to them") {
  const bounds b{.target = {1}, .timeouts = 2, .slow_disks = 0, .entries = 0, .crashes = 0};
  check_found(b, mutant::change_in_one_step, "leader completeness");
  check_found(b, mutant::new_majority_alone, "leader completeness");
}
