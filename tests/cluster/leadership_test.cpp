#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

// Who leads, who is to, and reads by its lease.
namespace quorumd::testing {
namespace {

/// A count of the node's own: of how many values that it was given.
std::uint64_t counted(cluster& c, std::size_t i, const std::string& name) {
  const command_result r = c.at(i, {"latency", "--node", c.node_name(i), "--output", "json"});
  done(r);
  const std::size_t at = r.output.find("\"" + name + "\"");
  const std::size_t count = r.output.find("\"count\":", at);
  return at == std::string::npos ? 0 : std::stoull(r.output.substr(count + 8));
}

} // namespace

TEST_CASE("the leadership goes to the member of the highest priority, and back there after it was away") {
  cluster c("priorities", {.nodes = 3});
  c.start_all();
  c.wait_all_healthy();
  const std::size_t first = c.wait_leader();
  const std::size_t preferred = (first + 1) % 3;
  const command_result updated = c.at(first, {"member", "update", c.node_name(preferred), "--priority", "80"});
  done(updated);
  REQUIRE(updated.output.find(" 80 ") != std::string::npos);
  REQUIRE(eventually([&] { return c.wait_leader() == preferred; }, seconds(20)));
  REQUIRE(c.logged(first, "its priority is higher"));

  c.kill(preferred);
  REQUIRE(c.wait_leader(seconds(20), preferred) != preferred);
  c.start(preferred);
  REQUIRE(eventually([&] { return c.wait_leader() == preferred; }, seconds(30)));

  const command_result wrong = c.at(first, {"member", "update", c.node_name(first), "--priority", "101"});
  REQUIRE(wrong.code == 64);
  REQUIRE(wrong.errors.find("expected a number from 0 to 100") != std::string::npos);
}

TEST_CASE("with leases a leader answers reads alone, and one that is frozen has none when it goes on") {
  cluster c("leases", {.nodes = 3});
  for (std::size_t i = 0; i < 3; ++i) c.start(i, {"raft.read_lease=200ms"});
  c.wait_all_healthy();
  const std::size_t leader = c.wait_leader();
  done(c.at(leader, {"put", "k", "old"}));
  // A round each, if it had none: it has one whenever its heartbeats are answered.
  REQUIRE(eventually(
      [&] {
        done(c.at(leader, {"get", "k"}));
        return counted(c, leader, "read.lease") != 0;
      },
      seconds(10)));

  c.pause(leader);
  const std::size_t next = c.wait_leader(seconds(20), leader);
  REQUIRE(next != leader);
  done(c.at(next, {"put", "k", "new"}));
  c.resume(leader);
  const command_result read = c.at(leader, {"get", "k", "--print-value-only"});
  done(read);
  REQUIRE(read.output == "new\n");
  // Followers answer by the leader's lease, too.
  for (std::size_t i = 0; i < 3; ++i) REQUIRE(c.at(i, {"get", "k", "--print-value-only"}).output == "new\n");
}

} // namespace quorumd::testing
