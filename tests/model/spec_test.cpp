#include "tests/model/spec.hpp"

#include <doctest/doctest.h>

using namespace quorumd;
using namespace quorumd::model;

namespace {

constexpr node_set set(std::initializer_list<std::uint64_t> ids) {
  node_set s = 0;
  for (const std::uint64_t n : ids) s |= node_set{1} << n;
  return s;
}

node_id id(std::uint64_t n) {
  return node_id(n);
}

void write(cluster& c, node_id s) {
  c.hand_to_disk(s);
  REQUIRE(c.flush(s) == "");
}

/// Leads the next term with the vote of the other.
void elect(cluster& c, node_id s, node_id other) {
  REQUIRE(c.time_out(s) == "");
  write(c, s);
  REQUIRE(c.learn_term(other, c.at(s).term) == "");
  REQUIRE(c.grant(other, s) == "");
  write(c, other);
  REQUIRE(c.win(s) == "");
  REQUIRE(c.append(s, {c.at(s).term, c.at(s).log.newest().who}) == "");
}

/// The follower takes the whole log of the leader, durably.
void follow(cluster& c, node_id s, node_id leader) {
  if (c.at(s).term < c.at(leader).term) REQUIRE(c.learn_term(s, c.at(leader).term) == "");
  REQUIRE(c.accept(s, c.at(leader).log) == "");
  write(c, s);
}

const members three{set({1, 2, 3}), 0, 0};

} // namespace

// Figure 2: a server votes once a term, and not before the candidate's own vote is durable.
TEST_CASE("spec: one vote a term, for a log that is not behind") {
  cluster c(3, three);
  REQUIRE(c.time_out(id(1)) == "");
  REQUIRE(c.time_out(id(2)) == "");
  REQUIRE(c.learn_term(id(3), term(1)) == "");
  CHECK(c.learn_term(id(3), term(2)) != "");
  CHECK(c.grant(id(3), id(1)) == "the candidate's own vote is not durable");
  write(c, id(1));
  write(c, id(2));
  CHECK(c.grant(id(3), id(1)) == "");
  CHECK(c.grant(id(3), id(2)) == "one vote a term: term 1 has its vote for node 1");
  CHECK(c.win(id(1)) == "no quorum has durably voted for it");
  write(c, id(3));
  CHECK(c.win(id(1)) == "");
  CHECK(c.win(id(2)) == "term 1 has a leader: node 1");
}

// A vote that was lost with the crash does not count, and leaves the voter free.
TEST_CASE("spec: what was not durable is lost with a crash") {
  cluster c(3, three);
  REQUIRE(c.time_out(id(1)) == "");
  write(c, id(1));
  REQUIRE(c.learn_term(id(2), term(1)) == "");
  REQUIRE(c.grant(id(2), id(1)) == "");
  c.hand_to_disk(id(2));
  REQUIRE(c.restart(id(2), log_index(0)) == "");
  CHECK(c.at(id(2)).term == term(0));
  CHECK(c.flush(id(2)) == "no write is under way");
  CHECK(c.win(id(1)) == "no quorum has durably voted for it");
  CHECK(c.restart(id(1), log_index(1)) != "");
}

// Figure 8: an entry of an older term is not committed by counting.
TEST_CASE("spec: only an entry of the own term is committed by counting") {
  cluster c(3, three);
  elect(c, id(1), id(2));
  write(c, id(1));
  REQUIRE(c.learn_term(id(3), term(1)) == "");
  elect(c, id(3), id(2)); // without the entry of node 1
  REQUIRE(c.learn_term(id(1), term(2)) == "");
  elect(c, id(1), id(2));
  write(c, id(1));
  model::log first = c.at(id(1)).log;
  first.cut(log_index(2));
  REQUIRE(c.accept(id(2), first) == "");
  write(c, id(2));
  CHECK(c.commit(id(1), log_index(1)) == "index 1 is of an earlier term, and nothing after it counts (figure 8)");
  follow(c, id(2), id(1));
  CHECK(c.commit(id(1), log_index(2)) == "");
  CHECK(c.at(id(1)).commit == log_index(2));
  CHECK(c.commit(id(2), log_index(3)) == "");
  CHECK(c.at(id(2)).commit == log_index(2));
}

// Figure 2, AppendEntries: entries go only where they differ from the leader's.
TEST_CASE("spec: a follower removes only what differs") {
  cluster c(3, three);
  elect(c, id(1), id(2));
  REQUIRE(c.append(id(1), {term(1), three}) == "");
  write(c, id(1));
  follow(c, id(2), id(1));
  model::log shorter = c.at(id(1)).log;
  shorter.cut(log_index(2));
  CHECK(c.accept(id(2), shorter) == "entries are removed from index 2 without a conflict");
  model::log other = c.at(id(1)).log;
  other.kept.push_back({term(1), three});
  CHECK(c.accept(id(2), other) == "the log would hold what the term's leader has not: they part after index 2");
  CHECK(c.says_match(id(2), term(1), log_index(2)) == "");
  CHECK(c.says_match(id(2), term(1), log_index(3)) != "");
}

// Thesis §4.3: voters change through a joint configuration, one change at a time.
TEST_CASE("spec: voters change by way of both majorities") {
  cluster c(4, three);
  const members joint{set({1, 4}), set({1, 2, 3}), 0};
  elect(c, id(1), id(2));
  CHECK(c.append(id(1), {term(1), joint}) == "the members change before an entry of the leader's term is committed");
  write(c, id(1));
  follow(c, id(2), id(1));
  REQUIRE(c.commit(id(1), log_index(1)) == "");
  CHECK(c.append(id(1), {term(1), {set({1, 4}), 0, 0}}) == "voters change by way of a joint configuration only (§4.3)");
  REQUIRE(c.append(id(1), {term(1), joint}) == "");
  CHECK(c.append(id(1), {term(1), {set({1, 4}), 0, 0}}) == "the change of members before is not committed (§4.1)");
  write(c, id(1));
  follow(c, id(4), id(1));
  CHECK(c.commit(id(1), log_index(2)) == "index 2 is not durable at a quorum");
  follow(c, id(3), id(1));
  CHECK(c.commit(id(1), log_index(2)) == "");
  CHECK(c.append(id(1), {term(1), {set({1, 4}), 0, 0}}) == "");
}

// Thesis §5.3: a snapshot replaces what differs, and holds only what is committed.
TEST_CASE("spec: a snapshot is of what the leader has committed") {
  cluster c(3, three);
  elect(c, id(1), id(2));
  write(c, id(1));
  REQUIRE(c.learn_term(id(3), term(1)) == "");
  CHECK(c.install(id(3), log_index(1), {term(1), three}) == "the snapshot holds more than the leader has committed");
  CHECK(c.compact(id(1), log_index(1)) == "only committed entries are forgotten");
  follow(c, id(2), id(1));
  REQUIRE(c.commit(id(1), log_index(1)) == "");
  CHECK(c.compact(id(1), log_index(1)) == "");
  CHECK(c.install(id(3), log_index(1), {term(9), three}) == "the snapshot is not of the leader's log");
  CHECK(c.install(id(3), log_index(1), {term(1), three}) == "");
  CHECK(c.at(id(3)).commit == log_index(1));
}
