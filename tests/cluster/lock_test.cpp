#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <string>
#include <utility>
#include <vector>

// Locks and elections through the command line, while members and holders are killed.
namespace quorumd::testing {
namespace {

/// The command with the cluster's endpoints, in the background.
launch lock_launch(cluster& c, const std::string& name, const std::vector<std::string>& words) {
  std::vector<std::string> all{quorumd_program(), words.at(0), "--endpoint", c.endpoints()};
  all.insert(all.end(), words.begin() + 1, words.end());
  return c.beside(name, std::move(all));
}

} // namespace

TEST_CASE("a lock is held by one at a time, though leaders are killed") {
  cluster c("lock_kill");
  c.start_all();
  c.wait_all_healthy();
  const std::string held = c.folder() + "/held";
  const std::string script = "mkdir '" + held + "' || exit 9; sleep 0.15; rmdir '" + held + "'";
  std::vector<process> all;
  for (int i = 0; i < 12; ++i)
    all.emplace_back(lock_launch(c, "lock" + std::to_string(i), {"lock", "m", "--", "/bin/sh", "-c", script}));
  const std::size_t leader = c.wait_leader();
  c.kill(leader);
  c.start(leader);
  for (std::size_t i = 0; i < all.size(); ++i) {
    INFO(read_file(c.folder() + "/lock" + std::to_string(i) + ".err"));
    CHECK(all[i].wait(seconds(60)) == 0);
  }
  c.wait_all_healthy();
  CHECK(done(c.anywhere({"lease", "list"})).output.empty()); // each gave its place back

  // Whoever is killed with the lock gives it up when its lease ends, and who waits gets it then.
  const launch first = lock_launch(c, "first", {"lock", "--ttl", "3s", "m"});
  process holder(first);
  CHECK(eventually([&] { return read_file(first.output).starts_with("m/"); }, seconds(20)));
  process next(lock_launch(c, "next", {"lock", "m", "--", "/bin/true"}));
  holder.kill();
  CHECK(next.wait(seconds(30)) == 0);

  // Whoever waits, and whose own key is gone when its turn would come, does not take the name.
  process has_it(lock_launch(c, "has", {"lock", "--ttl", "600s", "m", "--", "/bin/sh", "-c", "exec sleep 60"}));
  const auto leases = [&] { return done(c.anywhere({"lease", "list"})).output; };
  CHECK(eventually([&] { return !leases().empty(); }, seconds(20)));
  const std::string holders = leases();
  const launch behind = lock_launch(c, "behind", {"lock", "--ttl", "600s", "m", "--", "/bin/echo", "ran"});
  process waits(behind);
  CHECK(eventually([&] { return c.anywhere({"get", "m/", "--prefix", "--count-only"}).output == "2\n"; }, seconds(20)));
  std::string others = leases();
  others.erase(others.find(holders), holders.size());
  others.pop_back();
  done(c.anywhere({"lease", "revoke", others}));
  has_it.signal(SIGTERM);
  CHECK(waits.wait(seconds(20)) == 2);
  CHECK(read_file(behind.output).empty());
  CHECK(has_it.wait(seconds(20)).has_value());

  // A holder whose lease is revoked tells its command to end.
  const launch robbed =
      lock_launch(c, "robbed", {"lock", "--ttl", "3s", "m", "--", "/bin/sh", "-c", "echo on; exec sleep 60"});
  process victim(robbed);
  CHECK(eventually([&] { return read_file(robbed.output) == "on\n"; }, seconds(20)));
  std::string id = done(c.anywhere({"lease", "list"})).output;
  id.pop_back();
  done(c.anywhere({"lease", "revoke", id}));
  CHECK(victim.wait(seconds(20)) == 2);
  CHECK(read_file(robbed.errors).find("the lease has ended") != std::string::npos);
}

TEST_CASE("one is elected at a time, and whoever listens hears of each") {
  cluster c("elect");
  c.start_all();
  c.wait_all_healthy();
  const launch heard = lock_launch(c, "heard", {"elect", "--listen", "e"});
  process listener(heard);
  const launch first = lock_launch(c, "first", {"elect", "e", "one"});
  process one(first);
  CHECK(eventually([&] { return read_file(first.output).ends_with("\tone\n"); }, seconds(20)));
  const launch second = lock_launch(c, "second", {"elect", "e", "two"});
  process two(second);
  CHECK(eventually([&] { return read_file(heard.output).ends_with("\tone\n"); }, seconds(20)));
  CHECK(read_file(second.output).empty());
  one.signal(SIGTERM);
  CHECK(one.wait(seconds(20)) == 0);
  CHECK(eventually([&] { return read_file(second.output).ends_with("\ttwo\n"); }, seconds(20)));
  CHECK(eventually([&] { return read_file(heard.output).ends_with("\ttwo\n"); }, seconds(20)));
  CHECK(c.anywhere({"elect", "e"}).code == 64);
  CHECK(c.anywhere({"elect", "e", "v", "--listen"}).code == 64);
  CHECK(c.anywhere({"lock", ""}).code == 64);
  listener.signal(SIGINT);
  CHECK(listener.wait(seconds(10)) == 128 + SIGINT);
}

} // namespace quorumd::testing
