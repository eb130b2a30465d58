#include "harness.hpp"

#include <doctest/doctest.h>

#include <cstdint>

using namespace quorumd;
using namespace quorumd::raft;
using namespace quorumd::raft::test;

namespace {

constexpr std::uint64_t second_us = 1'000'000; // in microseconds
constexpr std::uint32_t lease_ticks = 20;      // of a lease: 200 ms
// What a leader may count on: one tick less, and the part in ten that two clocks run apart.
constexpr std::uint64_t lease = 190'000 * 9 / 10;

void with_leases(options& o) {
  o.lease_ticks = lease_ticks;
}

/// A node of a cluster of n whose leader, which sends its heartbeats at the time 1 s, is node 1.
struct led : subject {
  explicit led(std::uint64_t n, options o = options_of(1))
      : subject((with_leases(o), o), state_with(n)) {
    win(n);
    c.step(id(2), accepted(1, 1));
    if (n > 3) c.step(id(3), accepted(1, 1));
    settle();
    c.set_clock(second_us);
    tick(5);
    settle();
  }
  /// Whether a read that is asked for now is answered without a round.
  bool reads(std::uint64_t us) {
    c.set_clock(us);
    c.read_index(context(us));
    take();
    const bool at_once = out.reads.size() == 1 && out.reads[0].ok;
    settle();
    return at_once;
  }
};

heartbeat_response promise(std::uint64_t sent_us, std::uint32_t us = lease_ticks * 10'000) {
  return {.term = term(1), .round = 0, .sent_us = sent_us, .promise_us = us};
}

/// What the node answers to the leader's heartbeat of the first term.
heartbeat_response answer_of(subject& s, std::uint64_t sent_us = 5) {
  s.c.step(id(1), heartbeat{.term = term(1), .commit = {}, .round = 0, .sent_us = sent_us});
  return all_of<heartbeat_response>(s.settle()).at(0).second;
}

bool grants(subject& s, std::uint64_t t, bool transfer = false) {
  s.c.step(id(3),
           vote_request{.term = term(t), .last_index = log_index(9), .last_term = term(1), .transfer = transfer});
  const auto answers = all_of<vote_response>(s.settle());
  return !answers.empty() && answers[0].second.granted;
}

} // namespace

TEST_CASE("case 81: a lease read is refused after a pause or drift") {
  led s(3);
  CHECK_FALSE(s.reads(second_us)); // nobody promised anything
  s.c.step(id(2), promise(second_us));
  CHECK(s.c.lease_until_us() == second_us + lease);
  CHECK(s.reads(second_us + lease - 1));
  CHECK_FALSE(s.reads(second_us + lease)); // the clocks may have run apart by then, or this process stood still
  // It is counted from when the heartbeat left, by the leader's clock, whenever the answer came.
  s.c.step(id(3), promise(second_us + 1000));
  CHECK(s.c.lease_until_us() == second_us + 1000 + lease);
}

TEST_CASE("leases: a quorum has to promise, each for itself") {
  led s(5);
  s.c.step(id(2), promise(second_us));
  CHECK(s.c.lease_until_us() == 0);
  s.c.step(id(3), promise(second_us - 50'000));
  CHECK(s.c.lease_until_us() == second_us - 50'000 + lease);
  s.c.step(id(4), promise(second_us, 0)); // has leases off
  CHECK(s.c.lease_until_us() == second_us - 50'000 + lease);
  s.c.step(id(4), promise(second_us + lease)); // of a heartbeat that is still to be sent: nonsense
  CHECK(s.c.lease_until_us() == second_us - 50'000 + lease);
  s.c.step(id(5), promise(second_us, 5000)); // less than a tick
  CHECK(s.c.lease_until_us() == second_us - 50'000 + lease);
}

TEST_CASE("leases: an answer of a former term promises nothing to this one") {
  led s(3);
  heartbeat_response late = promise(second_us);
  late.term = term(0);
  s.c.step(id(2), late);
  CHECK(s.c.lease_until_us() == 0);
}

TEST_CASE("leases: none before an entry of the own term is committed") {
  options o = options_of(1);
  with_leases(o);
  subject s(o, state_with(3, {1, 1}));
  s.win(3);
  s.c.set_clock(second_us);
  s.tick(5);
  s.settle();
  heartbeat_response now = promise(second_us);
  now.term = term(2);
  s.c.step(id(2), now);
  CHECK(s.c.lease_until_us() == 0);
  s.c.step(id(2), accepted(2, 3));
  CHECK(s.c.lease_until_us() == second_us + lease);
}

TEST_CASE("leases: who hands over reads by none any more in this term") {
  led s(3);
  s.c.step(id(2), promise(second_us));
  CHECK(s.reads(second_us + 10));
  CHECK(s.c.transfer_leadership(id(2)));
  CHECK_FALSE(s.reads(second_us + 20));
  s.tick(31); // the transfer is given up, but what was said may arrive at any time
  s.c.set_clock(second_us + 300'000);
  s.c.step(id(2), promise(second_us + 200'000));
  s.settle();
  CHECK_FALSE(s.reads(second_us + 300'000));
}

TEST_CASE("leases: whoever comes into force has to promise, too") {
  led s(3);
  s.c.step(id(2), promise(second_us));
  REQUIRE(s.reads(second_us + 10));
  REQUIRE(s.c.change_members(these({1, 4, 5}), {}).has_value());
  CHECK_FALSE(s.reads(second_us + 20));
  s.c.step(id(4), promise(second_us));
  CHECK(s.reads(second_us + 30));
}

TEST_CASE("leases: a single voter needs nobody's promise") {
  options o = options_of(1);
  with_leases(o);
  subject s(o, state_with(1));
  s.win(1);
  s.settle();
  CHECK(s.c.lease_until_us() == UINT64_MAX);
}

TEST_CASE("leases: a follower that promised neither votes nor campaigns meanwhile") {
  options o = options_of(2);
  with_leases(o);
  subject s(o, state_with(3));
  const heartbeat_response r = answer_of(s);
  CHECK(r.sent_us == 5);
  CHECK(r.promise_us == lease_ticks * 10'000);
  s.c.stream_reset(id(1)); // the leader may be dead, and may not
  s.tick(lease_ticks - 1);
  CHECK(s.c.soft().role == role::follower);
  CHECK_FALSE(grants(s, 2));
  CHECK(s.c.soft().term == term(1));
  s.tick(1);
  CHECK(s.c.soft().role == role::pre_candidate); // no later than it must
  CHECK(grants(s, 2));
}

TEST_CASE("leases: what the leader asked for itself goes before the promise") {
  options o = options_of(2);
  with_leases(o);
  SUBCASE("by whom it told") {
    subject s(o, state_with(3));
    (void)answer_of(s);
    CHECK(grants(s, 2, true));
  }
  SUBCASE("here") {
    subject s(o, state_with(3));
    (void)answer_of(s);
    s.c.step(id(1), timeout_now{term(1)});
    CHECK(s.c.soft().role == role::candidate);
  }
}

TEST_CASE("leases: a promise counts from now also for a node that is behind with its ticks") {
  options o = options_of(2);
  with_leases(o);
  subject s(o, state_with(3));
  s.c.set_clock(second_us, 7);
  (void)answer_of(s);
  s.c.stream_reset(id(1));
  s.tick(7);
  s.c.set_clock(second_us, 0);
  s.tick(lease_ticks - 1);
  CHECK_FALSE(grants(s, 2));
  s.tick(1);
  CHECK(grants(s, 2));
}

TEST_CASE("leases: a restart keeps what was promised before it") {
  options o = options_of(2);
  o.promised_ticks = 8; // whether leases are still on or not
  subject s(o, state_with(3));
  s.tick(7);
  CHECK_FALSE(grants(s, 2));
  s.tick(1);
  CHECK(grants(s, 2));
}

TEST_CASE("leases: without them nothing is promised, and every read asks") {
  SUBCASE("at a follower") {
    subject s(options_of(2), state_with(3));
    CHECK(answer_of(s).promise_us == 0);
  }
  SUBCASE("for a leader") {
    options o = options_of(2);
    with_leases(o);
    subject s(o, state_with(3));
    CHECK(answer_of(s, 0).promise_us == 0);
  }
  SUBCASE("at a leader") {
    subject s(options_of(1), state_with(3));
    s.win(3);
    s.c.step(id(2), accepted(1, 1));
    s.settle();
    s.c.set_clock(second_us);
    s.tick(5);
    const auto beats = all_of<heartbeat>(s.settle());
    REQUIRE_FALSE(beats.empty());
    CHECK(beats[0].second.sent_us == 0);
    s.c.step(id(2), promise(second_us));
    CHECK(s.c.lease_until_us() == 0);
  }
}
