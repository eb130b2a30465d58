#include "daemon/reload.hpp"

#include <doctest/doctest.h>

#include <sys/resource.h>

#include <algorithm>

using namespace quorumd;
using namespace std::chrono_literals;

namespace {

config::settings in_force() {
  return *config::single_node("/tmp/d");
}

} // namespace

// What can change while the daemon runs is taken, the rest stays as it is in force, and is found again the next time.
TEST_CASE("a reload takes what it can") {
  config::settings current = in_force();
  config::settings fresh = current;
  fresh.log.level = config::log_level::debug;
  fresh.shutdown.grace = 3s;
  fresh.admin.users = {"ann"};
  fresh.raft.heartbeat = 100ms;
  fresh.listen.client.port = 1;
  const daemon::reread again = [&] { return config::result<config::settings>(fresh); };
  CHECK(daemon::reload(current, again).admins);
  CHECK(current.log.level == config::log_level::debug);
  CHECK(current.shutdown.grace == 3s);
  CHECK(current.admin.users == std::vector<std::string>{"ann"});
  CHECK(current.raft == in_force().raft);
  CHECK(current.listen == in_force().listen);
  CHECK_FALSE(daemon::reload(current, again).admins);
}

// A configuration with a mistake changes nothing.
TEST_CASE("a reload of a mistake changes nothing") {
  config::settings current = in_force();
  const daemon::reread again = [] {
    const std::vector<std::string> set{"log.level=debug", "raft.tick=x"};
    return config::single_node("/tmp/d", set);
  };
  CHECK_FALSE(daemon::reload(current, again).admins);
  CHECK(current == in_force());
}

// What a node needs beside its clients grows with its members, and the default fits the usual 1,024 files.
TEST_CASE("files beside the clients'") {
  config::settings s = in_force();
  CHECK(s.limits.clients_max + daemon::files_beside_clients(s) < 1024);
  const auto one = daemon::files_beside_clients(s);
  s.cluster.members.resize(config::members_max);
  CHECK(daemon::files_beside_clients(s) > one);
}
