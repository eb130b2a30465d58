#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <optional>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

// Watches of real clients while members are killed.
namespace quorumd::testing {
namespace {

std::size_t lines_with(const std::string& file, const std::string& part) {
  std::istringstream all(read_file(file));
  std::size_t n = 0;
  for (std::string line; std::getline(all, line);) n += line.find(part) != std::string::npos ? 1 : 0;
  return n;
}

} // namespace

// Whoever watches sees every change once and in order, though each member is killed in turn, the one that was asked
// too.
TEST_CASE("watches go on through the loss of every member") {
  cluster c("watch_kill");
  c.start_all();
  c.wait_all_healthy();
  const launch ours =
      c.beside("ours", {quorumd_program(), "--endpoint", c.endpoints(), "watch", "j", "--prefix", "--revision", "1"});
  process watching(ours);
  const bool etcdctl = ::access("/usr/bin/etcdctl", X_OK) == 0;
  launch theirs =
      c.beside("theirs", {"/usr/bin/etcdctl", "--endpoints", c.endpoints(), "watch", "j", "--prefix", "--rev", "1"});
  theirs.environment = {"ETCDCTL_API=3"};
  std::optional<process> other;
  if (etcdctl) other.emplace(theirs);

  std::string expected;
  int n = 0;
  for (std::size_t killed = 0; killed < 3; ++killed) {
    const auto write = [&] {
      const std::string key = "j" + std::to_string(++n);
      done(c.anywhere({"put", key, "v" + std::to_string(n), "--retry", "--timeout", "20s"}));
      expected += "put\t" + key + "\tv" + std::to_string(n) + "\n";
    };
    for (int i = 0; i < 5; ++i) write();
    c.kill(killed);
    for (int i = 0; i < 5; ++i) write();
    c.start(killed);
    c.wait_healthy(killed);
  }
  CHECK(eventually([&] { return lines_with(ours.output, "put\t") == static_cast<std::size_t>(n); }, seconds(30)));
  std::istringstream all(read_file(ours.output));
  std::string seen;
  for (std::string line; std::getline(all, line);) seen += line.substr(line.find('\t') + 1) + "\n";
  CHECK(seen == expected);
  watching.signal(SIGINT);
  CHECK(watching.wait(seconds(10)) == 128 + SIGINT);

  if (!etcdctl) return;
  INFO(read_file(theirs.errors));
  CHECK(eventually([&] { return lines_with(theirs.output, "PUT") == static_cast<std::size_t>(n); }, seconds(30)));
  std::string theirs_expected;
  for (int i = 1; i <= n; ++i) theirs_expected += "PUT\nj" + std::to_string(i) + "\nv" + std::to_string(i) + "\n";
  CHECK(read_file(theirs.output) == theirs_expected);
}

TEST_CASE("a watch runs a command for each change, and says what is compacted") {
  cluster c("watch_command", {.nodes = 1});
  c.start_all();
  c.wait_all_healthy();
  done(c.at(0, {"put", "k", "a b"}));
  done(c.at(0, {"put", "k", "c"}));
  const std::string told = R"(echo "$QUORUMD_WATCH_REVISION $QUORUMD_WATCH_EVENT $QUORUMD_WATCH_KEY )"
                           R"($QUORUMD_WATCH_VALUE $QUORUMD_WATCH_PREV"; [ $QUORUMD_WATCH_REVISION = 2 ] || exit 7)";
  const auto watched_by = [&](const std::vector<std::string>& command) {
    std::vector<std::string> words{"watch", "--endpoint", c.endpoint(0), "k", "--revision", "2", "--prev-kv", "--"};
    words.insert(words.end(), command.begin(), command.end());
    return c.run(words);
  };
  const command_result ran = watched_by({"sh", "-c", told});
  CHECK(ran.output == "2 put k a b \n3 put k c a b\n");
  CHECK(ran.code == 7);
  CHECK(watched_by({"/no/such/program"}).code == 64);
  done(c.at(0, {"compact", "3"}));
  const command_result gone = c.at(0, {"watch", "k", "--revision", "2"});
  CHECK(gone.code == 2);
  CHECK(gone.errors.find("watch with --revision 3") != std::string::npos);
}

} // namespace quorumd::testing
