#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <utility>

using namespace quorumd::testing;

// What is written through one node is read through every other at once; a follower forwards a put to the leader.
TEST_CASE("a put through any node is read through any other at once") {
  cluster c("requests");
  c.start_all();
  c.wait_all_healthy();
  for (std::size_t i = 0; i < 9; ++i) {
    const std::size_t writer = i % c.size();
    const std::string value = "round " + std::to_string(i);
    const command_result put = c.at(writer, {"put", "key", value});
    REQUIRE_MESSAGE(put.code == 0, put.errors);
    for (std::size_t reader = 0; reader < c.size(); ++reader) {
      const command_result got = c.at(reader, {"get", "key"});
      REQUIRE_MESSAGE(got.code == 0, got.errors);
      REQUIRE(got.output == value + "\n");
    }
  }
}

// A transaction that only reads is answered by the node that is asked, a follower too, as of now, and adds no entry to
// the log; one that writes adds one.
TEST_CASE("a transaction that only reads leaves no entry in the log") {
  cluster c("requests_reads");
  c.start_all();
  c.wait_all_healthy();
  const std::string reads = "value(\"key\") = \"2\"\n\nget key\n\n\n";
  REQUIRE(c.at(0, {"put", "key", "1"}).code == 0);
  REQUIRE(c.at(0, {"put", "key", "2"}).code == 0);
  const auto commit = [&] {
    quorumd::log_index most;
    for (std::size_t i = 0; i < c.size(); ++i) {
      const auto row = c.status(i);
      REQUIRE(row);
      most = std::max(most, row->commit);
    }
    return most;
  };
  // The members' incarnations are recorded in the first second: the log is at rest afterwards.
  quorumd::log_index before = commit();
  const auto at_rest = [&] {
    const quorumd::log_index last = std::exchange(before, commit());
    return last == before && before.value() >= 6;
  };
  REQUIRE(eventually(at_rest, seconds(10)));
  for (std::size_t i = 0; i < c.size(); ++i) {
    const command_result read = c.at(i, {"txn"}, reads);
    REQUIRE_MESSAGE(read.code == 0, read.errors);
    CHECK(read.output.find("SUCCESS") != std::string::npos);
  }
  CHECK(commit() == before);
  REQUIRE(c.at(0, {"txn"}, "\n\nput key 3\n\n\n").code == 0);
  CHECK(commit() == before.next());
}

// Deletes of one key and of a prefix, the exit codes of absent keys, and a read at an older revision.
TEST_CASE("deletes and reads at a revision") {
  cluster c("requests_delete");
  c.start_all();
  c.wait_all_healthy();
  const std::size_t f = c.follower();
  for (const char* key : {"a/1", "a/2", "a/3", "b/1"}) REQUIRE(c.at(f, {"put", key, "v"}).code == 0);
  const std::uint64_t before = c.status(c.wait_leader())->revision.value();
  REQUIRE(c.at(f, {"del", "a/1"}).code == 0);
  REQUIRE(c.at(f, {"get", "a/1"}).code == 1);
  REQUIRE(c.at(f, {"del", "a/1"}).code == 1);
  REQUIRE(c.at(f, {"del", "a/", "--prefix"}).code == 0);
  REQUIRE(c.at(f, {"get", "", "--prefix"}).output == "b/1\tv\n");
  REQUIRE(c.at(f, {"get", "a/", "--prefix", "--keys-only", "--revision", std::to_string(before)}).output ==
          "a/1\na/2\na/3\n");
  REQUIRE(c.at(f, {"compact", std::to_string(before + 1)}).code == 0);
  const command_result compacted = c.at(f, {"get", "a/1", "--revision", std::to_string(before)});
  REQUIRE(compacted.code == 2);
  REQUIRE(compacted.errors.find("compact") != std::string::npos);
  c.check_all_hold({{"b/1", "v"}});
}

// A transaction at a follower runs one branch or the other, as its compares say, and as one.
TEST_CASE("transactions through a follower") {
  cluster c("requests_txn");
  c.start_all();
  c.wait_all_healthy();
  const std::size_t f = c.follower();
  REQUIRE(c.at(f, {"put", "account", "10"}).code == 0);
  const std::string text = "value(\"account\") = \"10\"\n\nput account 7\nput paid 3\n\nput refused yes\n\n";
  const command_result first = c.at(f, {"txn"}, text);
  REQUIRE_MESSAGE(first.code == 0, first.errors);
  REQUIRE(c.at(f, {"get", "account"}).output == "7\n");
  REQUIRE(c.at(f, {"get", "paid"}).output == "3\n");
  REQUIRE(c.at(f, {"get", "refused"}).code == 1);
  REQUIRE(c.at(f, {"txn"}, text).code == 0);
  REQUIRE(c.at(f, {"get", "account"}).output == "7\n");
  REQUIRE(c.at(f, {"get", "refused"}).output == "yes\n");
}

// The status table has a row a node, and one that does not run is a row that says so.
TEST_CASE("status shows every member, and which one cannot be reached") {
  cluster c("requests_status");
  c.start_all();
  c.wait_all_healthy();
  const std::size_t leader = c.wait_leader();
  const std::size_t dead = (leader + 1) % c.size();
  const std::size_t other = (leader + 2) % c.size();
  REQUIRE(c.at(other, {"put", "key", "value"}).code == 0);

  const command_result all = c.at(other, {"status", "--output", "json"});
  REQUIRE_MESSAGE(all.code == 0, all.errors);
  const YAML::Node rows = YAML::Load(all.output); // JSON is YAML
  REQUIRE(rows.size() == 3);
  std::size_t leaders = 0;
  for (const YAML::Node& row : rows) {
    for (const char* name : {"id", "name", "role", "leader", "term", "commit", "applied", "revision", "keys",
                             "disk_bytes", "version", "lag"})
      REQUIRE_MESSAGE(row[name].IsDefined(), "no column " << name);
    if (row["role"].as<std::string>() == "leader") {
      ++leaders;
      REQUIRE(row["name"].as<std::string>() == c.node_name(leader));
      REQUIRE(row["keys"].as<int>() == 1);
      REQUIRE(row["disk_bytes"].as<std::uint64_t>() > 0);
    }
  }
  REQUIRE(leaders == 1);

  c.kill(dead);
  const command_result without = c.at(other, {"status", "--output", "json"});
  REQUIRE_MESSAGE(without.code == 0, without.errors);
  std::size_t unreachable = 0;
  for (const YAML::Node& row : YAML::Load(without.output)) {
    if (row["role"].as<std::string>() != "unreachable") continue;
    ++unreachable;
    REQUIRE(row["name"].as<std::string>() == c.node_name(dead));
    REQUIRE(row["error"].as<std::string>() != "");
  }
  REQUIRE(unreachable == 1);
  REQUIRE(c.at(other, {"status"}).output.find("unreachable") != std::string::npos);
}

// `health` succeeds where a linearizable read can be served, says why not where it cannot, and names an endpoint that
// nobody listens on.
TEST_CASE("health and its exit codes") {
  cluster c("requests_health");
  c.start_all();
  c.wait_all_healthy();
  for (std::size_t i = 0; i < c.size(); ++i) REQUIRE(c.at(i, {"health"}).code == 0);
  REQUIRE(c.run({"health", "--socket", c.socket(0)}).code == 0);
  c.kill(1);
  c.kill(2);
  const command_result alone = c.at(0, {"health", "--timeout", "1s"});
  REQUIRE(alone.code == 2);
  REQUIRE(alone.errors.find(c.endpoint(0)) != std::string::npos);
  const command_result dead = c.at(1, {"health", "--timeout", "1s"});
  REQUIRE(dead.code == 2);
  REQUIRE(dead.errors.find(c.endpoint(1)) != std::string::npos);
}
