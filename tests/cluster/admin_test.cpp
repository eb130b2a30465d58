#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>

using namespace quorumd::testing;

namespace {

constexpr uid_t nobody = 65534;

/// Runs a command at a node's socket as another user, from a copy of the program that this one can reach.
command_result as_user(cluster& c, std::size_t i, uid_t user, const std::vector<std::string>& arguments) {
  const std::string program = std::filesystem::path(c.socket(i)).parent_path() / "quorumd";
  std::filesystem::copy_file(quorumd_program(), program, std::filesystem::copy_options::skip_existing);
  launch l;
  l.arguments = {program};
  l.arguments.insert(l.arguments.end(), arguments.begin(), arguments.end());
  l.arguments.insert(l.arguments.end(), {"--socket", c.socket(i)});
  l.output = c.folder() + "/user.out";
  l.errors = c.folder() + "/user.err";
  l.user = user;
  std::filesystem::remove(l.output);
  std::filesystem::remove(l.errors);
  process p(l);
  const auto code = p.wait(seconds(30));
  REQUIRE(code.has_value());
  return {*code, read_file(l.output), read_file(l.errors)};
}

} // namespace

// The admin socket may be opened by everybody whatever the umask was, and who it serves is the daemon's decision.
TEST_CASE("the admin socket serves root and whom the configuration names") {
  cluster c("admin", {.nodes = 1});
  const mode_t before = ::umask(0077);
  c.start(0);
  ::umask(before);
  c.wait_healthy(0);
  struct stat s {};
  REQUIRE(::stat(c.socket(0).c_str(), &s) == 0);
  REQUIRE((s.st_mode & 0777) == 0666);
  REQUIRE(c.run({"put", "key", "value", "--socket", c.socket(0)}).code == 0);
  if (::geteuid() != 0) {
    MESSAGE("skipped: becoming another user takes root");
    return;
  }
  const command_result denied = as_user(c, 0, nobody, {"get", "key"});
  REQUIRE(denied.code == 2);
  REQUIRE(denied.output.empty());
  REQUIRE(denied.errors.find("user 65534 is neither root") != std::string::npos);
  REQUIRE(c.logged(0, "denied on the admin socket: user 65534"));

  REQUIRE(c.stop(0) == 0);
  c.start(0, {"admin.users=65534"});
  c.wait_healthy(0);
  REQUIRE(as_user(c, 0, nobody, {"get", "key"}).output == "value\n");
  REQUIRE(c.stop(0) == 0);
  c.start(0, {"admin.groups=65534"});
  c.wait_healthy(0);
  REQUIRE(as_user(c, 0, nobody, {"get", "key"}).output == "value\n");
}

// A socket that a killed daemon left behind is replaced; one that a running daemon uses is not, and is named.
TEST_CASE("a stale admin socket is replaced and a used one is not") {
  cluster c("admin_stale", {.nodes = 2});
  c.start_all();
  c.wait_all_healthy();
  c.kill(0);
  REQUIRE(std::filesystem::exists(c.socket(0)));
  c.start(0);
  c.wait_healthy(0);
  REQUIRE(c.run({"health", "--socket", c.socket(0)}).code == 0);
  REQUIRE(c.stop(1) == 0);
  c.start(1, {"listen.admin=" + c.socket(0)});
  REQUIRE(c.node(1).wait(seconds(10)) == 78);
  REQUIRE(c.logged(1, c.socket(0)));
  REQUIRE(c.run({"get", "nothing", "--stale", "--socket", c.socket(0)}).code == 1);
}

// A slip of the pen in listen.admin names a file of the user's: it is told, and stays.
TEST_CASE("a file at the admin socket's path is named and not removed") {
  cluster c("admin_file", {.nodes = 1});
  const std::string path = c.write_file("precious.txt", "years of work");
  c.start(0, {"listen.admin=" + path});
  REQUIRE(c.node(0).wait(seconds(10)) == 78);
  REQUIRE(c.logged(0, path));
  REQUIRE(c.logged(0, "not a socket"));
  REQUIRE(read_file(path) == "years of work");
}

// The path of a Unix socket has room for 107 bytes.
TEST_CASE("an admin socket's path that is too long is named") {
  cluster c("admin_long", {.nodes = 1});
  const std::string path = "/tmp/" + std::string(120, 'x') + ".sock";
  c.start(0, {"listen.admin=" + path});
  REQUIRE(c.node(0).wait(seconds(10)) == 78);
  REQUIRE(c.logged(0, "107"));
  REQUIRE(c.logged(0, "listen.admin"));
}
