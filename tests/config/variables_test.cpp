#include "config/keys.hpp"
#include "config/variables.hpp"
#include "tests/config/sample.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace quorumd::config;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> mistakes_of(const std::vector<std::string>& env, const std::vector<std::string>& set = {}) {
  const auto read = parse(sample, "f.yaml", set, env);
  std::vector<std::string> out;
  if (read.has_error())
    for (const mistake& m : read.error().list()) out.push_back(m.text());
  return out;
}

} // namespace

// The environment comes before the file, the command line before both.
TEST_CASE("variables replace what the file says") {
  const std::vector<std::string> env{"QUORUMD_LISTEN_CLIENT=0.0.0.0:1", "QUORUMD_RAFT_HEARTBEAT=20ms",
                                     "QUORUMD_LOG_LEVEL=debug",         "QUORUMD_ADMIN_USERS=ann,bob",
                                     "QUORUMD_ADVERTISE_CLIENT=n1:1",   "QUORUMD_NODE_DATA_DIR="};
  const std::vector<std::string> set{"log.level=warn"};
  const auto read = parse(sample, "f.yaml", set, env);
  REQUIRE(read.has_value());
  CHECK(read->listen.client == address{"0.0.0.0", 1});
  CHECK(read->raft.heartbeat == 20ms);
  CHECK(read->log.level == log_level::warn);
  CHECK(read->admin.users == lines{"ann", "bob"});
  CHECK(read->node.data_dir == "/var/lib/quorumd"); // an empty variable is none
}

// A list of members replaces the file's; what is wrong with it is named.
TEST_CASE("members from a variable") {
  const std::vector<std::string> env{"QUORUMD_CLUSTER_MEMBERS=n1=127.0.0.1:12380,n3=[::1]:9"};
  const auto read = parse(sample, "f.yaml", {}, env);
  REQUIRE(read.has_value());
  REQUIRE(read->cluster.members.size() == 2);
  CHECK(read->cluster.members[1].name == "n3");
  CHECK(read->cluster.members[1].peer == address{"::1", 9});
  CHECK(
      mistakes_of({"QUORUMD_CLUSTER_MEMBERS=n1"}) ==
      lines{
          "QUORUMD_CLUSTER_MEMBERS: cluster.members: expected NAME=HOST:PORT, several with commas between, got `n1`"});
  CHECK(mistakes_of({"QUORUMD_CLUSTER_MEMBERS=n1=here"})[0].starts_with(
      "QUORUMD_CLUSTER_MEMBERS: cluster.members.n1: expected HOST:PORT"));
  CHECK(mistakes_of({"QUORUMD_CLUSTER_MEMBERS=n9=h:1"})[0].find("expected one of cluster.members (n9), got `n1`") !=
        std::string::npos);
}

// A variable of this form that is no key is a mistake; others are none of the configuration's business.
TEST_CASE("variables that are no keys") {
  CHECK(mistakes_of({"QUORUMD_LISTEN_CLEINT=h:1"}) ==
        lines{"QUORUMD_LISTEN_CLEINT: expected the variable of a known key: the nearest is QUORUMD_LISTEN_CLIENT"});
  CHECK(mistakes_of({"QUORUMD_LOGS_LEVEL=info"}) ==
        lines{"QUORUMD_LOGS_LEVEL: expected the variable of a known key: the nearest is QUORUMD_LOG_LEVEL"});
  CHECK(mistakes_of({"QUORUMD_RAFT_TICK=1"}) ==
        lines{"QUORUMD_RAFT_TICK: raft.tick: expected a duration from 1ms to 1s, such as 10ms, got `1`"});
  CHECK(mistakes_of({"QUORUMD_ENDPOINT=a:1", "QUORUMD_ENDPOINTS=a:1", "QUORUMD_SERVICE_HOST=10.0.0.1",
                     "QUORUMD_PORT_2379_TCP=tcp://10.0.0.1:2379", "QUORUMD_PORT=1", "HOME=/root"})
            .empty());
  // What the command line gives anew is no longer the variable's fault.
  CHECK(mistakes_of({"QUORUMD_CLUSTER_MEMBERS=n1=127.0.0.1:12380"}, {"cluster.members.n2=127.0.0.1:1"}).empty());
}

// Every key has a variable of its own, which leads back to it.
TEST_CASE("each key has a variable") {
  std::set<std::string> names;
  for (const key_description& k : describe_keys()) {
    const std::string name = variable_of(k.path);
    CHECK(names.insert(name).second);
    REQUIRE(key_of_variable(name) != nullptr);
    CHECK(key_of_variable(name)->path == k.path);
    CHECK(names_a_key(name));
  }
  CHECK(key_of_variable("QUORUMD_listen_client") == nullptr);
  const char* const all[] = {"PATH=/bin", "QUORUMD_LOG_LEVEL=info", "QUORUM=1", nullptr};
  CHECK(quorumd_variables(all) == lines{"QUORUMD_LOG_LEVEL=info"});
}

// Each value says where it came from.
TEST_CASE("where values come from") {
  const std::vector<std::string> env{"QUORUMD_LISTEN_CLIENT=h:1", "QUORUMD_LOG_LEVEL=debug"};
  const std::vector<std::string> set{"log.level=warn"};
  const auto read = explain_text(sample, "f.yaml", set, env);
  REQUIRE(read.has_value());
  const auto of = [&](std::string_view path) {
    for (const auto& v : *read)
      if (v.path == path) return v.value + " from " + v.from;
    return std::string();
  };
  CHECK(read->size() == describe_keys().size());
  CHECK(of("listen.client") == "h:1 from QUORUMD_LISTEN_CLIENT");
  CHECK(of("log.level") == "warn from --set");
  CHECK(of("node.name") == "n1 from f.yaml:2:9");
  CHECK(of("raft.tick") == "10ms from default");
}

// `serve --data-dir D` takes variables too; the directory that the command line names is the one.
TEST_CASE("variables for a single node") {
  const std::vector<std::string> env{"QUORUMD_NODE_DATA_DIR=/elsewhere", "QUORUMD_LISTEN_CLIENT=127.0.0.1:5"};
  const auto read = single_node("/tmp/d", {}, env);
  REQUIRE(read.has_value());
  CHECK(read->node.data_dir == "/tmp/d");
  CHECK(read->listen.client.port == 5);
  CHECK(read->listen.admin == "/tmp/d/admin.sock");
}
