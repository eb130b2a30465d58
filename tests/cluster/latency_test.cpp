#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace quorumd::testing;

namespace {

/// The `count` of a distribution in the JSON of `latency`, of the part of it that is one node's.
long count_of(const std::string& json, const std::string& name) {
  const std::size_t at = json.find("\"name\":\"" + name + "\"");
  if (at == std::string::npos) return -1;
  const std::size_t count = json.find("\"count\":", at);
  return std::stol(json.substr(count + 8));
}

} // namespace

// After some puts through a follower and some at the leader, each node tells of its part in them: the leader of every
// stage of all, the follower of those that it sent on, both of their disks.
TEST_CASE("latency tells where the time of puts went, on every node") {
  cluster c("latency", {.nodes = 3});
  c.start_all();
  c.wait_all_healthy();
  const std::size_t leader = c.wait_leader();
  const std::size_t follower = c.follower();
  const auto bench = [&](std::size_t at) {
    REQUIRE(c.at(at, {"bench", "put", "--clients", "8", "--total", "500"}).code == 0);
    REQUIRE(c.at(at, {"bench", "get", "--clients", "8", "--total", "500", "--key-space", "500"}).code == 0);
  };
  bench(leader);
  bench(follower);
  if (c.wait_leader() != leader) {
    MESSAGE("skipped: the leader changed");
    return;
  }
  const auto of = [&](std::size_t i) {
    const command_result r = c.anywhere({"latency", "--node", c.node_name(i), "--output", "json"});
    REQUIRE(r.code == 0);
    return r.output;
  };
  const std::string leads = of(leader);
  for (const auto* stage :
       {"put.inbox", "put.propose", "put.encode", "put.sync", "put.commit", "put.apply", "put.answer", "put.whole"}) {
    CAPTURE(stage);
    CHECK(count_of(leads, stage) >= 1000);
  }
  CHECK(count_of(leads, "peer.acknowledged") >= 1000);
  CHECK(count_of(leads, "peer.wire") > 0);
  CHECK(count_of(leads, "peer.sync") > 0);
  CHECK(count_of(leads, "read.whole") >= 500);
  CHECK(count_of(leads, "put.forward") == 0);
  const std::string follows = of(follower);
  CHECK(count_of(follows, "put.forward") >= 1000);
  CHECK(count_of(follows, "put.commit") == 0);
  CHECK(count_of(follows, "read.round") >= 500);
  CHECK(count_of(follows, "follower.hold") > 0);
  CHECK(count_of(follows, "log.sync") > 0);

  const command_result table = c.anywhere({"latency"});
  CHECK(table.code == 0);
  for (std::size_t i = 0; i < 3; ++i) CHECK(table.output.find(c.node_name(i) + ", ") != std::string::npos);
  CHECK(table.output.find("acknowledged by " + c.node_name(follower)) != std::string::npos);
  CHECK(table.output.find('#') != std::string::npos);

  c.kill(follower);
  const command_result without = c.at(leader, {"latency", "--interval", "100ms"});
  CHECK(without.code == 0);
  CHECK(without.output.find(c.node_name(follower) + ": unreachable") != std::string::npos);
  CHECK(c.at(leader, {"latency", "--node", "nobody"}).code == 2);

  // Asked of the dead one alone there is nothing to show, which is an error.
  for (const std::vector<std::string>& more : {std::vector<std::string>{}, {"--interval", "100ms"}, {"-w", "json"}}) {
    std::vector<std::string> words{"latency", "--node", c.node_name(follower)};
    words.insert(words.end(), more.begin(), more.end());
    const command_result nothing = c.at(leader, words);
    CHECK(nothing.code == 2);
    CHECK(nothing.output.find(c.node_name(follower)) != std::string::npos);
    CHECK(nothing.errors.find("no node told what it measured: " + c.node_name(follower)) != std::string::npos);
  }
}

// One plain frame of `top`, where standard output is no terminal.
TEST_CASE("top prints a frame where there is no terminal") {
  cluster c("top", {.nodes = 3});
  c.start_all();
  c.wait_all_healthy();
  const command_result r = c.anywhere({"top", "--interval", "200ms"});
  CHECK(r.code == 0);
  CHECK(r.errors.empty());
  CHECK(r.output.find("3 of 3 members reached\n") == 0);
  CHECK(r.output.find("PUTS/S") != std::string::npos);
  CHECK(r.output.find('\033') == std::string::npos);
  for (std::size_t i = 0; i < 3; ++i) CHECK(r.output.find("\n" + c.node_name(i) + " ") != std::string::npos);
}
