#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <yaml-cpp/yaml.h>

#include <string>

// Clients' sessions, as the command line uses them.
namespace quorumd::testing {
// Puts go on while one leader after the other is killed. Each is acknowledged, though the outcome of some was unknown
// for a while, and each was done once: the key's version is their number.
TEST_CASE("a put that is sent again takes effect once") {
  cluster c("sessions_once");
  c.start_all();
  c.wait_leader();
  const std::string stop = c.folder() + "/stop";
  const std::string script = "i=0; while [ ! -e '" + stop + "' ]; do i=$((i+1)); '" + quorumd_program() +
                             "' put counter $i --retry --timeout 20s --endpoint '" + c.endpoints() +
                             "' > /dev/null || exit 1; done; echo $i";
  launch l;
  l.arguments = {"/bin/sh", "-c", script};
  l.output = c.folder() + "/puts.out";
  l.errors = c.folder() + "/puts.err";
  process run(l);
  for (int kills = 0; kills < 4; ++kills) {
    const std::size_t leader = c.wait_leader();
    const auto before = c.status(leader);
    REQUIRE(before.has_value());
    REQUIRE(eventually(
        [&] {
          const auto now = c.status(leader);
          return now && now->revision > before->revision + 20;
        },
        seconds(30)));
    c.kill(leader);
    c.start(leader);
    c.wait_healthy(leader);
  }
  c.write_file("stop", "");
  const auto code = run.wait(seconds(60));
  REQUIRE_MESSAGE(code == 0, read_file(l.errors));
  const int puts = std::stoi(read_file(l.output));
  REQUIRE(puts > 80);
  const YAML::Node found = YAML::Load(done(c.anywhere({"get", "counter", "-w", "json"})).output);
  CHECK(found["kvs"][0]["value"].as<int>() == puts);
  CHECK(found["kvs"][0]["version"].as<int>() == puts);
  done(c.anywhere({"status", "--verify"}));
}

// As long as a member may be of a version that knows no sessions, none begins, and whoever wants one is told who it is.
// An import goes on without. The first session of a cluster whose members are all known switches them on for good.
TEST_CASE("sessions begin when every member is known to understand them") {
  cluster c("sessions_begin");
  c.start(0);
  c.start(1);
  c.wait_leader();
  const command_result early = c.at(0, {"put", "key", "1", "--retry"});
  CHECK(early.code == 2);
  CHECK(early.errors.find("n3 was not met yet") != std::string::npos);
  const command_result without = done(c.at(0, {"import", "-"}, "a\t1\nb\t2\n"));
  CHECK(without.output == "acknowledged 2\n");
  CHECK(without.errors.find("n3 was not met yet") != std::string::npos);

  c.start(2);
  c.wait_healthy(2);
  CHECK(done(c.at(2, {"put", "key", "2", "--retry", "--prev-kv"})).output == "OK\n");
  CHECK(done(c.at(1, {"del", "key", "--retry", "--prev-kv"})).output == "1\nkey\t2\n");
  CHECK(done(c.at(0, {"txn", "--retry"}, "create('lock') = '0'\n\nput lock me\n")).output == "SUCCESS\n\nOK\n");

  REQUIRE(c.stop(2) == 0);
  c.kill(0);
  c.kill(1);
  c.start(0);
  c.start(1);
  c.wait_leader();
  const command_result later = done(c.at(0, {"import", "-"}, "a\t3\n"));
  CHECK(later.output == "acknowledged 1\n");
  CHECK(later.errors.empty());
}

} // namespace quorumd::testing
