#include "tests/config/sample.hpp"

#include <doctest/doctest.h>

using namespace quorumd::config;
using namespace std::chrono_literals;

// The command line has the last word, key by key.
TEST_CASE("overrides replace what the file says, the later of two counts") {
  const std::vector<std::string> set{"raft.heartbeat=20ms",        "raft.heartbeat=100ms",
                                     "admin.users=ann,bob",        "cluster.members.n2=n2.example:1",
                                     "cluster.members.n3=[::1]:9", "node.data_dir=/a=b"};
  const auto read = parse(sample + "raft: {heartbeat: 10ms}\n", "f.yaml", set);
  REQUIRE(read.has_value());
  CHECK(read->raft.heartbeat == 100ms);
  CHECK(read->admin.users == lines{"ann", "bob"});
  CHECK(read->node.data_dir == "/a=b");
  REQUIRE(read->cluster.members.size() == 3);
  CHECK(read->cluster.members[1].peer == address{"n2.example", 1});
  CHECK(read->cluster.members[2].peer == address{"::1", 9});
}

// An override can supply what the file lacks, and a list can be emptied.
TEST_CASE("overrides can give required keys and empty lists") {
  CHECK(complaints(sample_with("  name: demo\n", ""), {"cluster.name=demo"}).empty());
  const std::vector<std::string> set{"admin.users="};
  const auto read = parse(sample + "admin: {users: [ann]}\n", "f.yaml", set);
  REQUIRE(read.has_value());
  CHECK(read->admin.users.empty());
}

// The same checks, named by the option.
TEST_CASE("a bad override is named as it was given") {
  CHECK(complaints(sample, {"raft.tick=1"}) ==
        lines{"--set raft.tick: expected a duration from 1ms to 1s, such as 10ms, got `1`"});
  CHECK(complaints(sample, {"raft.tack=1ms"}) ==
        lines{"--set raft.tack: expected a known key, got `raft.tack`: the nearest known key is `raft.tick`"});
  CHECK(complaints(sample, {"raft"}) == lines{"--set: expected KEY=VALUE, such as raft.heartbeat=100ms, got `raft`"});
  CHECK(complaints(sample, {"=3"}) == lines{"--set: expected KEY=VALUE, such as raft.heartbeat=100ms, got `=3`"});
  CHECK(complaints(sample, {"cluster.members=n1"}) ==
        lines{"--set cluster.members: expected cluster.members.NAME=HOST:PORT, got `cluster.members=n1`"});
  CHECK(complaints(sample, {"cluster.members.n2=here"})[0].starts_with(
      "--set cluster.members.n2: expected HOST:PORT, such as "));
  CHECK(complaints(sample, {"admin.users=ann,,bob"}) ==
        lines{"--set admin.users: expected a user's or group's name or number, got ``"});
}

// A value that doesn't fit the file's others is the option's fault; the file's mistakes come first.
TEST_CASE("a contradiction blames the override") {
  CHECK(complaints(sample + "raft:\n  election_timeout: 300ms\n  tack: 1\n", {"raft.heartbeat=200ms"}) ==
        lines{"f.yaml:15:3: expected a known key, got `raft.tack`: the nearest known key is `raft.tick`",
              "--set raft.heartbeat: raft.election_timeout: expected more than twice raft.heartbeat, which is 200ms, "
              "got 300ms"});
}

// `serve --data-dir D` needs no file.
TEST_CASE("a single node needs only a directory") {
  const auto read = single_node("/tmp/d");
  REQUIRE(read.has_value());
  CHECK(read->node.name == "default");
  CHECK(read->cluster.name == "default");
  CHECK(read->cluster.members == std::vector<member>{{"default", {"127.0.0.1", 2380}}});
  CHECK(read->listen.peer == address{"127.0.0.1", 2380});
  CHECK(read->listen.client == address{"127.0.0.1", 2379});
  CHECK(read->advertise.client == address{"127.0.0.1", 2379});
  CHECK(read->listen.admin == "/tmp/d/admin.sock");
  CHECK(read->raft == raft_settings{});
}

// What is overridden carries over to what follows from it.
TEST_CASE("a single node takes overrides") {
  const std::vector<std::string> set{"node.name=a", "listen.peer=0.0.0.0:9", "listen.client=0.0.0.0:10"};
  const auto read = single_node("d", set);
  REQUIRE(read.has_value());
  CHECK(read->cluster.members == std::vector<member>{{"a", {"127.0.0.1", 9}}});
  CHECK(read->advertise.peer == address{"127.0.0.1", 9});

  const std::vector<std::string> members{"node.name=a", "cluster.members.a=127.0.0.1:2380",
                                         "cluster.members.b=127.0.0.1:3380"};
  const auto two = single_node("d", members);
  REQUIRE(two.has_value());
  CHECK(two->cluster.members.size() == 2);
}

// The directory is checked like a file's value, and the socket in it too.
TEST_CASE("a single node's bad directory is named by its option") {
  const auto empty = single_node("");
  REQUIRE(empty.has_error());
  CHECK(empty.error().text() == "--data-dir: node.data_dir: expected a path of at most 4000 bytes, got ``\n");
  const auto deep = single_node("/" + std::string(100, 'd'));
  REQUIRE(deep.has_error());
  CHECK(deep.error().text().starts_with(
      "--data-dir: listen.admin: expected a path of at most 107 bytes, got one of 112 bytes: `/ddd"));
  const std::vector<std::string> set{"listen.admin=/tmp/a.sock"};
  CHECK(single_node("/" + std::string(100, 'd'), set).has_value());
}
