#include "harness.hpp"

#include <doctest/doctest.h>

using namespace quorumd;
using namespace quorumd::raft;
using namespace quorumd::raft::test;

// It waited for two of three; of two nodes the leader and one other would have to hold it, of one the leader alone.
TEST_CASE("case 52: removing a voter shrinks the quorum and commits what waited") {
  cluster c(3);
  c.elect(1);
  c.isolate(3);
  CHECK(c.change(1, these({1, 2})) == change_error::none);
  c.settle();
  CHECK(members_of(c, 1) == "1 2");
  CHECK(c.propose(1, "a"));
  c.settle();
  CHECK(c.at(1).commands == std::vector<std::string>{"a"});
  CHECK(c.at(2).commands == std::vector<std::string>{"a"});
}

// The core that leads alone: what it had written and could not commit is committed by the new configuration.
TEST_CASE("case 52: what waited is committed with the configuration that needs fewer") {
  subject s(options_of(1), state_with(2));
  s.win(2);
  s.c.step(id(2), accepted(1, 1));
  s.settle();
  REQUIRE(s.c.commit() == log_index(1));
  std::vector<proposal> batch;
  batch.push_back(make_proposal("a"));
  REQUIRE(s.c.propose(batch).has_value());
  REQUIRE(s.c.change_members(these({1}), {}).has_value());
  s.settle();
  CHECK(s.c.commit() == log_index(1)); // both halves: node 2 is missing still
  s.c.step(id(2), accepted(1, 3));
  s.settle();
  CHECK(s.c.commit() == log_index(4)); // and the entry that left the joint configuration needs node 1 alone
}

TEST_CASE("case 60: joint and learner configurations are restored from a snapshot") {
  configuration joint = these({1, 4}, {3});
  joint.outgoing = {id(1), id(2), id(3)};
  for (const configuration& restored : {joint, these({1, 2}, {3, 5})}) {
    subject s(options_of(3), state_with(3));
    const snapshot_mark mark{.index = log_index(9), .term = term(2), .members = restored};
    s.c.step(id(2), install_snapshot{.term = term(2), .mark = mark});
    s.settle();
    CHECK(s.c.members() == restored);
    CHECK(s.c.members_entry() == nullptr);
    CHECK(s.c.members_at(log_index(9)) == restored);
  }
}

// It does not vote any more, and says so by never campaigning; what it is sent it takes.
TEST_CASE("case 60: a voter that is restored as a learner is accepted") {
  subject s(options_of(3), state_with(3));
  const snapshot_mark mark{.index = log_index(9), .term = term(2), .members = these({1, 2}, {3})};
  s.c.step(id(1), install_snapshot{.term = term(2), .mark = mark});
  s.settle();
  s.c.applied(log_index(9));
  s.tick(1000);
  CHECK(s.c.soft().role == role::follower);
  CHECK(all_of<vote_request>(s.settle()).empty());
  append_request next{.term = term(2),
                      .prev_index = log_index(9),
                      .prev_term = term(2),
                      .commit = log_index(10),
                      .round = 1,
                      .entries = make_entries(10, {2})};
  s.c.step(id(1), next);
  const auto answers = all_of<append_response>(s.settle());
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].second.match == log_index(10));
}

// From {1,2,3} to {1,4,5}: while the change is under way two of each have to agree.
TEST_CASE("case 63: both majorities for commits") {
  cluster c(5, these({1, 2, 3}));
  c.elect(1);
  c.drop = no_appends_to({2, 3}); // the new half is there, the old one is not
  CHECK(c.change(1, these({1, 4, 5})) == change_error::none);
  c.settle();
  CHECK(members_of(c, 1) == "1 4 5 <- 1 2 3");
  CHECK(members_of(c, 4) == "1 4 5 <- 1 2 3");
  CHECK(c[1].changing_members());
  CHECK(c[1].commit() < c[1].members_entry()->index());

  c.drop = no_appends_to({4, 5});
  c[1].unreachable(id(2));
  c.run(10); // the old half holds it as well; what leaves it waits for the new half alone
  CHECK(members_of(c, 1) == "1 4 5");
  CHECK(members_of(c, 4) == "1 4 5 <- 1 2 3");
  CHECK(c[1].changing_members());
  c.drop = nullptr;
  c.run(10);
  CHECK(members_of(c, 1) == "1 4 5");
  CHECK_FALSE(c[1].changing_members());
}

TEST_CASE("case 63: the old half alone commits nothing") {
  cluster c(5, these({1, 2, 3}));
  c.elect(1);
  c.drop = no_appends_to({4, 5});
  CHECK(c.change(1, these({1, 4, 5})) == change_error::none);
  c.settle();
  CHECK(c.propose(1, "a"));
  c.settle();
  CHECK(c.at(1).commands.empty());
  c.drop = nullptr;
  c.run(10);
  CHECK(c.at(5).commands == std::vector<std::string>{"a"});
}

TEST_CASE("case 63: both majorities for votes") {
  configuration joint = these({1, 4, 5});
  joint.outgoing = {id(1), id(2), id(3)};
  initial_state state = state_with(3);
  state.start.members = joint;
  const auto votes_of = [&](std::vector<std::uint64_t> granting) {
    subject s(options_of(1), state);
    s.tick_until(role::pre_candidate);
    s.settle();
    for (const std::uint64_t n : granting)
      s.c.step(id(n), vote_response{.term = term(1), .pre_vote = true, .granted = true});
    s.settle();
    for (const std::uint64_t n : granting)
      s.c.step(id(n), vote_response{.term = term(1), .pre_vote = false, .granted = true});
    s.settle();
    return s.c.soft().role == role::leader;
  };
  CHECK_FALSE(votes_of({4, 5}));
  CHECK_FALSE(votes_of({2, 3}));
  CHECK(votes_of({2, 4}));
}

TEST_CASE("case 64: a joint configuration is left by itself") {
  cluster c(4, these({1, 2, 3}));
  c.elect(1);
  const log_index before = c[1].last_index();
  CHECK(c.change(1, these({1, 2, 3, 4})) == change_error::none);
  c.run(10);
  CHECK(c[1].last_index() == before + 2); // into the joint configuration, and out of it
  for (std::uint64_t n = 1; n <= 4; ++n) CHECK(members_of(c, n) == "1 2 3 4");
}

TEST_CASE("case 64: or explicitly, once it is committed") {
  cluster c(4, these({1, 2, 3}), [](options& o) { o.auto_leave = false; });
  c.elect(1);
  CHECK(c[1].leave_joint() == change_error::invalid);
  c.drop = no_appends_to({2, 3});
  CHECK(c.change(1, these({1, 2, 3, 4})) == change_error::none);
  c.settle();
  CHECK(c[1].leave_joint() == change_error::pending);
  c.drop = nullptr;
  c.run(20);
  CHECK(members_of(c, 4) == "1 2 3 4 <- 1 2 3");
  CHECK(c.change(1, these({1, 2})) == change_error::pending);
  CHECK(c[2].leave_joint() == change_error::not_leader);
  CHECK(c[1].leave_joint() == change_error::none);
  c.run(10);
  CHECK(members_of(c, 4) == "1 2 3 4");
}

TEST_CASE("case 65: a second pending change is refused") {
  cluster c(5, these({1, 2, 3}));
  c.elect(1);
  c.drop = no_appends_to({2, 3});
  CHECK(c.change(1, these({1, 2, 3}, {4})) == change_error::none); // the voters stay: not joint, and not committed
  CHECK(members_of(c, 1) == "1 2 3 + 4");
  CHECK(c.change(1, these({1, 2, 3}, {4, 5})) == change_error::pending);
  c.drop = nullptr;
  c.run(20);
  CHECK(c.change(1, these({1, 2, 3}, {4, 5})) == change_error::none);
}

// The change that the former leader began is in its log, though it was not committed.
TEST_CASE("case 65: a new leader scans its tail for a pending change, and finishes it") {
  cluster c(5, these({1, 2, 3}));
  c.elect(1);
  c.drop = no_appends_to({3});
  c.at(2).slow_disk = true;
  CHECK(c.change(1, these({1, 2, 3, 4, 5})) == change_error::none);
  c.settle();
  c.crash(1);
  c.at(2).slow_disk = false;
  c.settle(); // node 2 holds the entry, and nobody knows it committed
  c.drop = nullptr;
  REQUIRE(c.run_until_leader() == 2);
  c.run(10);
  CHECK(members_of(c, 2) == "1 2 3 4 5");
  CHECK(members_of(c, 5) == "1 2 3 4 5");
}

TEST_CASE("case 65: until then a new leader takes no other change") {
  cluster c(5, these({1, 2, 3}));
  c.elect(1);
  c.drop = no_appends_to({3});
  CHECK(c.change(1, these({1, 2, 3}, {4})) == change_error::none);
  c.settle();
  c.crash(1);
  c.drop = no_appends_to({3, 4});
  for (int i = 0; i < 500 && c[2].soft().role != role::leader; ++i) c.run(1);
  REQUIRE(c[2].soft().role == role::leader);
  CHECK(c.change(2, these({2, 3})) == change_error::not_ready);
}

// The bug of 2015: two leaders whose single-server changes do not overlap. The second leader must first commit an
// entry of its own term, and so learn of the first one's change or rule it out.
TEST_CASE("case 66: a change is refused before the leader has committed in its own term") {
  cluster c(3);
  c.drop = no_appends_to({2, 3});
  c.elect(1);
  CHECK_FALSE(c[1].soft().serving);
  CHECK(c.change(1, these({1, 2})) == change_error::not_ready);
  c.drop = nullptr;
  c.run(10);
  CHECK(c.change(1, these({1, 2})) == change_error::none);
}

TEST_CASE("case 67: a truncated configuration rolls back") {
  cluster c(5, these({1, 2, 3}));
  c.elect(1);
  CHECK(c.change(1, these({1, 2, 3}, {4})) == change_error::none);
  c.run(10);
  REQUIRE(members_of(c, 1) == "1 2 3 + 4");
  c.isolate(1);
  CHECK(c.change(1, these({1, 5})) == change_error::none);
  c.settle();
  CHECK(members_of(c, 1) == "1 5 <- 1 2 3");
  c.run(100);
  REQUIRE(c.run_until_leader() != 1);
  c.heal();
  c.run(40);
  CHECK(members_of(c, 1) == "1 2 3 + 4");
  CHECK(c[1].members_entry() != nullptr);
  CHECK(c.propose(c.run_until_leader(), "a"));
  c.run(10);
  CHECK(c.at(1).commands == std::vector<std::string>{"a"});
}

TEST_CASE("case 67: and so it does after a restart") {
  cluster c(4, these({1, 2, 3}));
  c.elect(1);
  c.isolate(1);
  CHECK(c.change(1, these({1, 4})) == change_error::none);
  c.settle();
  c.crash(1);
  c.restart(1);
  CHECK(members_of(c, 1) == "1 4 <- 1 2 3");
  c[2].campaign();
  REQUIRE(c.run_until_leader() == 2);
  c.heal();
  c.run(100);
  CHECK(members_of(c, 1) == "1 2 3");
}

// It manages the change to its end, and its own disk counts for nothing meanwhile.
TEST_CASE("case 68: a removed leader does not count itself, then steps down") {
  cluster c(3);
  c.elect(1);
  c.isolate(3);
  CHECK(c.change(1, these({2, 3})) == change_error::none);
  c.settle();
  CHECK(members_of(c, 1) == "2 3 <- 1 2 3"); // of the new half node 2 alone holds it
  CHECK(c[1].commit() < c[1].members_entry()->index());
  CHECK(c[1].soft().role == role::leader);
  c.heal();
  c[1].unreachable(id(3));
  c.run(10);
  CHECK(c[1].soft().role == role::follower);
  CHECK(members_of(c, 1) == "2 3");
  const std::uint64_t next = c.run_until_leader(30); // told to campaign at once
  CHECK((next == 2 || next == 3));
  CHECK(c.propose(next, "a"));
  c.settle();
  CHECK(c.at(2).commands == c.at(3).commands);
}

// It would be committed by others, and whoever asked would not learn so.
TEST_CASE("case 68: behind the configuration that leaves it out a leader takes nothing") {
  subject s(options_of(1), state_with(3));
  s.win(3);
  s.c.step(id(2), accepted(1, 1));
  s.settle();
  const auto propose = [&s] {
    std::vector<proposal> batch;
    batch.push_back(make_proposal("a"));
    const auto placed = s.c.propose(batch);
    return placed ? propose_error::none : placed.error();
  };
  REQUIRE(s.c.change_members(these({2, 3}), {}).has_value());
  s.settle();
  CHECK(propose() == propose_error::none); // joint: it counts still
  s.settle();
  for (const std::uint64_t n : {2, 3}) s.c.step(id(n), accepted(1, 3));
  s.settle();
  REQUIRE(s.c.members() == these({2, 3}));
  REQUIRE(s.c.soft().role == role::leader);
  CHECK(propose() == propose_error::transferring);
}

TEST_CASE("case 68: a leader that becomes a learner steps down, and learns on") {
  cluster c(3);
  c.elect(1);
  CHECK(c.change(1, these({2, 3}, {1})) == change_error::none);
  c.settle();
  CHECK(c[1].soft().role == role::follower);
  const std::uint64_t next = c.run_until_leader(30);
  CHECK(next != 1);
  CHECK(c.propose(next, "a"));
  c.run(10);
  CHECK(c.at(1).commands == std::vector<std::string>{"a"});
}

// All were crashed in the middle of the change: whoever leads then commits its own entry, with both halves, and only
// then leaves.
TEST_CASE("case 69: a recovered joint configuration commits before it is left") {
  cluster c(5, these({1, 2, 3}));
  c.elect(1);
  c.drop = no_appends_to({4, 5});
  CHECK(c.change(1, these({1, 4, 5})) == change_error::none);
  c.settle();
  for (std::uint64_t n = 1; n <= 5; ++n) c.crash(n);
  for (std::uint64_t n = 1; n <= 5; ++n) c.restart(n);
  CHECK(members_of(c, 2) == "1 4 5 <- 1 2 3");
  c.bag.clear();
  c[2].campaign();
  c.settle();
  REQUIRE(c[2].soft().role == role::leader);
  CHECK(members_of(c, 2) == "1 4 5 <- 1 2 3");
  c.drop = nullptr;
  c.run(100);
  const std::uint64_t leader = c.run_until_leader();
  CHECK(leader != 2);
  CHECK(leader != 3);
  CHECK(members_of(c, leader) == "1 4 5");
}

TEST_CASE("case 69: so it does from a snapshot, and the entry that leaves stands behind it") {
  configuration joint = these({1, 2});
  joint.outgoing = {id(1), id(2), id(3)};
  initial_state state = state_with(3);
  state.start = {.index = log_index(7), .term = term(1), .members = joint};
  state.last = state.commit = state.applied = log_index(7);
  state.hard.term = term(1);
  subject s(options_of(1), state);
  s.win(3);
  CHECK(s.c.members() == joint);
  s.c.step(id(2), accepted(2, 8));
  s.settle();
  CHECK(text_of(s.c.members()) == "1 2");
  CHECK(s.c.members_entry()->index() == log_index(9));
}

// The old half needs its vote, which it must not give to those who lack what it has: it has to lead itself.
TEST_CASE("case 68: a removed node whose removal is not committed still campaigns") {
  cluster c(3);
  c.elect(1);
  c.drop = [](const envelope& e) { // what leaves the joint configuration reaches nobody
    const auto* m = std::get_if<append_request>(&e.message);
    return m != nullptr && !m->entries.empty() && m->entries.back().index() > log_index(2);
  };
  CHECK(c.change(1, these({2}, {3})) == change_error::none);
  c.run(10);
  REQUIRE(members_of(c, 1) == "2 + 3");
  REQUIRE(members_of(c, 2) == "2 <- 1 2 3 + 3");
  for (std::uint64_t n = 1; n <= 3; ++n) c.crash(n);
  for (std::uint64_t n = 1; n <= 2; ++n) c.restart(n); // node 3 stays away
  c.bag.clear();
  c.drop = nullptr;
  c.run(200);
  CHECK(c.run_until_leader() == 2);
  CHECK(members_of(c, 2) == "2 + 3");
  CHECK_FALSE(c[2].changing_members());
}

// It does not know that it was removed, and cannot be told: its requests for votes change nothing.
TEST_CASE("case 70: a removed node is harmless") {
  cluster c(4);
  c.elect(1);
  c.isolate(4);
  CHECK(c.change(1, these({1, 2, 3})) == change_error::none);
  c.run(100);
  c.heal();
  const term before = c[1].soft().term;
  c.run(1000);
  CHECK(c[1].soft() == soft_state{role::leader, id(1), before, true});
  CHECK(c.propose(1, "a"));
  c.run(10);
  CHECK(c.at(4).commands.empty());
}

TEST_CASE("case 70: one that can be told learns it") {
  cluster c(4);
  c.elect(1);
  CHECK(c.change(1, these({1, 2, 3})) == change_error::none);
  c.run(10);
  CHECK(members_of(c, 4) == "1 2 3");
  CHECK(c[4].commit() >= c[4].members_entry()->index());
  CHECK(c[1].progress().size() == 2); // and is sent nothing more
}

TEST_CASE("case 71: an empty voter set is refused, and so is one that cannot be") {
  cluster c(3);
  c.elect(1);
  CHECK(c.change(1, configuration()) == change_error::invalid);
  CHECK(c.change(1, these({}, {1, 2, 3})) == change_error::invalid);
  CHECK(c.change(1, these({2, 1})) == change_error::invalid);
  CHECK(c.change(1, these({1, 2}, {2})) == change_error::invalid);
  CHECK(c.change(1, these({0, 1})) == change_error::invalid);
  configuration joint = these({1, 2});
  joint.outgoing = {id(1)};
  CHECK(c.change(1, joint) == change_error::invalid);
  CHECK(c.change(2, these({1, 2})) == change_error::not_leader);
  CHECK(c[1].transfer_leadership(id(2)));
  CHECK(c.change(1, these({1, 2})) == change_error::transferring);
}

// What carries a configuration is read when it is appended: one that cannot be read is no leader's.
TEST_CASE("an append whose configuration cannot be read is dropped") {
  subject s(options_of(2), state_with(3));
  append_request m{.term = term(1), .prev_index = {}, .prev_term = {}, .commit = {}, .round = 1, .entries = {}};
  m.entries.push_back(entry::make(group_id(1), term(1), log_index(1), entry_kind::members, {}));
  s.c.step(id(1), m);
  CHECK(s.settle().empty());
  CHECK(s.c.last_index() == log_index(0));
}

TEST_CASE("a state whose changes of members are not the log's is named") {
  const auto with = [](entry e) {
    initial_state s = state_with(3, {1, 1});
    s.configurations.push_back(std::move(e));
    return validate(s).value_or("");
  };
  const std::vector<std::byte> good = encode_configuration(these({1, 2}), {});
  CHECK(with(entry::make(group_id(1), term(1), log_index(2), entry_kind::members, good)) == "");
  CHECK(with(entry::make(group_id(1), term(1), log_index(3), entry_kind::members, good)).find("not one of the log's") !=
        std::string::npos);
  CHECK(with(entry::make(group_id(1), term(1), log_index(2), entry_kind::members, {})).find("cannot be read") !=
        std::string::npos);
}
