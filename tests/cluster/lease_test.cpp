#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <string>

// Leases through the command line, while leaders are killed.
namespace quorumd::testing {
namespace {

std::string line_of(const command_result& r) {
  std::string text = done(r).output;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

} // namespace

TEST_CASE("a lease that is kept alive outlives leaders, and ends with its keeper") {
  cluster c("lease_kill");
  c.start_all();
  c.wait_all_healthy();
  const std::string id = line_of(c.anywhere({"lease", "grant", "4s"}));
  const std::string other = line_of(c.anywhere({"lease", "grant", "3600", "--id", "ab"}));
  CHECK(other == "00000000000000ab");
  done(c.anywhere({"put", "worker", "busy", "--lease", id}));
  launch l;
  l.arguments = {quorumd_program(), "--endpoint", c.endpoints(), "lease", "keep-alive", id};
  l.output = c.folder() + "/keeper.out";
  l.errors = c.folder() + "/keeper.err";
  process keeper(l);
  for (int kills = 0; kills < 3; ++kills) {
    const std::size_t leader = c.wait_leader();
    c.kill(leader);
    c.start(leader);
    c.wait_healthy(leader);
    const auto renewals = [&] { return read_file(l.output).size(); };
    const std::size_t before = renewals();
    CHECK(eventually([&] { return renewals() > before; }, seconds(20)));
    CHECK(line_of(c.anywhere({"get", "worker"})) == "busy");
  }
  CHECK(keeper.running());
  CHECK(done(c.anywhere({"lease", "list"})).output.find(id) != std::string::npos);
  CHECK(done(c.anywhere({"lease", "ttl", id, "--keys"})).output.ends_with("of 4 s are left\nworker\n"));

  keeper.signal(SIGINT);
  CHECK(keeper.wait(seconds(10)) == 128 + SIGINT);
  CHECK(eventually([&] { return c.anywhere({"get", "worker"}).code == 1; }, seconds(30)));
  CHECK(c.anywhere({"lease", "ttl", id}).code == 1);
  CHECK(c.anywhere({"lease", "keep-alive", id, "--once"}).code == 1);

  // The other one is as it was, with its keys, after all nodes were down.
  done(c.anywhere({"put", "stays", "1", "--lease", "ab"}));
  for (std::size_t i = 0; i < c.size(); ++i) c.kill(i);
  c.start_all();
  c.wait_all_healthy();
  CHECK(done(c.at(1, {"lease", "ttl", "ab", "--keys"})).output.ends_with("of 3600 s are left\nstays\n"));
  CHECK(line_of(c.at(2, {"lease", "keep-alive", "ab", "--once"})) == "renewed for 3600 s");
  CHECK(line_of(c.anywhere({"lease", "revoke", "ab"})) == "OK");
  CHECK(c.anywhere({"get", "stays"}).code == 1);
  CHECK(line_of(c.anywhere({"lease", "list"})).empty());
  done(c.anywhere({"status", "--verify"}));

  CHECK(c.anywhere({"lease", "revoke", "ab"}).errors.find("the lease does not exist") != std::string::npos);
  CHECK(c.anywhere({"put", "k", "v", "--lease", "ab"}).code == 2);
  CHECK(c.anywhere({"lease", "ttl", "xyz"}).code == 64);
  CHECK(c.anywhere({"lease", "grant", "soon"}).code == 64);
  CHECK(c.anywhere({"lease", "list", "--keys"}).code == 64);
}

} // namespace quorumd::testing
