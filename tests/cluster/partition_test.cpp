#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

using namespace quorumd::testing;
using quorumd::wire::request_errc;

namespace {

cluster_options proxied() {
  cluster_options o;
  o.proxied = true;
  return o;
}

} // namespace

// The leader is cut off from both followers: it acknowledges nothing, the others elect another and take writes, and
// after healing it follows and has what they took, and nothing of its own.
TEST_CASE("a leader in the minority acknowledges nothing") {
  for (const auto how : {proxy::link::cut, proxy::link::blocked}) {
    cluster c(how == proxy::link::cut ? "partition_cut" : "partition_blocked", proxied());
    c.start_all();
    c.wait_leader();
    c.wait_all_healthy();
    const std::size_t old = c.wait_leader();
    const auto words = make_words(500);
    REQUIRE(c.anywhere({"import", "-"}, to_lines(words)).code == 0);

    c.links().isolate(old, how);
    const outcome lost = put_once(c.client_place(old), "minority", "must not be acknowledged", milliseconds(1500));
    REQUIRE(lost.answered);
    REQUIRE(lost.code != request_errc::none);
    REQUIRE(lost.took < seconds(3));
    const std::size_t next = c.wait_leader(seconds(20), old);
    const auto more = make_words(500, 500);
    const command_result taken = c.at(next, {"import", "-"}, to_lines(more));
    REQUIRE_MESSAGE(taken.code == 0, taken.errors);
    // A linearizable read there would be stale, and is refused.
    const command_result read = c.run({"get", more.front().key, "--endpoint", c.endpoint(old), "--timeout", "1s"});
    REQUIRE(read.code == 2);
    REQUIRE(read.output.empty());
    REQUIRE(c.at(old, {"health", "--timeout", "1s"}).code == 2);

    c.links().heal();
    c.check_all_hold(words);
    c.check_all_hold(more);
    if (lost.code != request_errc::unknown) REQUIRE(c.anywhere({"get", "minority"}).code == 1);
  }
}

// An import goes on while the leader of the moment is cut off again and again.
TEST_CASE("an import survives partitions") {
  cluster c("partition_import", proxied());
  c.start_all();
  c.wait_leader();
  const auto words = make_words(6000);
  import_run run(c);
  for (std::size_t i = 0; i < 3; ++i) {
    const std::size_t leader = c.wait_leader();
    run.feed(words, 2000 * i, 2000 * (i + 1));
    c.links().isolate(leader, proxy::link::cut);
    REQUIRE(c.wait_leader(seconds(20), leader) != leader);
    c.links().heal();
  }
  run.finish(words.size());
  c.check_all_hold(words);
}

// Nothing from the leader reaches one follower, while what that one sends arrives: the follower may not depose a leader
// that a majority hears, or it gives up and another leads; either way writes go on and all agree in the end.
TEST_CASE("a one-way block of a follower does not stop the cluster") {
  cluster c("partition_one_way", proxied());
  c.start_all();
  c.wait_all_healthy();
  const std::size_t leader = c.wait_leader();
  const std::size_t deaf = (leader + 1) % c.size();
  c.links().set(leader, deaf, proxy::link::blocked);
  const auto words = make_words(3000);
  const command_result taken = c.run({"import", "-", "--endpoint", c.endpoint(leader)}, to_lines(words));
  REQUIRE_MESSAGE(taken.code == 0, taken.errors);
  c.links().heal();
  c.check_all_hold(words);
}

// Streams are reset in the middle of a frame, both ways, under an import.
TEST_CASE("streams reset within a frame cost nothing acknowledged") {
  cluster c("partition_reset", proxied());
  c.start_all();
  c.wait_all_healthy();
  const auto words = make_words(8000);
  import_run run(c);
  for (std::size_t i = 0; i < 8; ++i) {
    const std::size_t leader = c.wait_leader();
    const std::size_t other = (leader + 1 + i % 2) % c.size();
    const std::uint64_t before = c.links().resets();
    c.links().reset_mid_frame(leader, other);
    run.feed(words, 1000 * i, 1000 * (i + 1));
    REQUIRE(eventually([&] { return c.links().resets() > before; }, seconds(20)));
  }
  run.finish(words.size());
  c.check_all_hold(words);
}

// 30 ms on the way to and from one follower slow nobody else down, and it catches up.
TEST_CASE("a slow link delays its own follower alone") {
  cluster c("partition_slow", proxied());
  c.start_all();
  c.wait_all_healthy();
  const std::size_t leader = c.wait_leader();
  const std::size_t slow = (leader + 1) % c.size();
  c.links().set_delay(leader, slow, milliseconds(30));
  c.links().set_delay(slow, leader, milliseconds(30));
  const auto words = make_words(100);
  const auto began = std::chrono::steady_clock::now();
  for (const word& w : words)
    REQUIRE(put_once(c.client_place(leader), w.key, w.value, seconds(5)).code == request_errc::none);
  // One after the other over the slow link they would take at least 6 s.
  REQUIRE(std::chrono::steady_clock::now() - began < seconds(4));
  c.check_all_hold(words);
}
