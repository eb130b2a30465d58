#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <filesystem>

using namespace quorumd::testing;

namespace {

/// A daemon beside the cluster's own, with a configuration of the test's.
struct stranger {
  stranger(cluster& c, const std::string& name, const std::string& config)
      : log(c.folder() + "/" + name + ".log")
      , daemon(at(c, name, config)) {}

  [[nodiscard]] process at(cluster& c, const std::string& name, const std::string& config) const {
    launch l;
    l.arguments = {quorumd_program(), "serve", "--config", c.write_file(name + ".yaml", config)};
    l.output = l.errors = log;
    return process(l);
  }

  std::string log;
  process daemon;
};

std::string text_of(const std::string& path) {
  std::string text;
  if (FILE* f = std::fopen(path.c_str(), "r")) {
    char part[4096];
    for (std::size_t n = 0; (n = std::fread(part, 1, sizeof part, f)) != 0;) text.append(part, n);
    std::fclose(f);
  }
  return text;
}

bool says(const std::string& path, const std::string& what) {
  return eventually([&] { return text_of(path).find(what) != std::string::npos; }, seconds(15));
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

} // namespace

// A node of another cluster that has this one's addresses is refused, and both sides name both clusters.
TEST_CASE("a node of another cluster is refused") {
  cluster c("identity_cluster");
  c.start(0);
  c.start(1);
  c.wait_leader();
  stranger s(c, "stranger", c.config_text(2, c.member_lines(), "elsewhere"));
  REQUIRE(says(s.log, "cluster elsewhere here, cluster identity_cluster there"));
  REQUIRE(c.logged_within(0, "cluster identity_cluster here, cluster elsewhere there", seconds(15)));
  REQUIRE(s.daemon.running());
  REQUIRE(c.at(0, {"put", "key", "value"}).code == 0);
}

// A member whose list of members differs is refused, and both sides name the member that differs.
TEST_CASE("members whose lists differ name the difference") {
  cluster c("identity_members");
  c.start(0);
  c.start(1);
  c.wait_leader();
  auto lines = c.member_lines();
  lines[1] = "n2: 127.0.0.9:4444";
  stranger s(c, "stranger", c.config_text(2, lines, c.cluster_name()));
  REQUIRE(says(s.log, "the member lists differ: member n2: 127.0.0.9:4444 here, " + c.peer_place(1).ip));
  REQUIRE(c.logged_within(0, "the member lists differ: member n2: " + c.peer_place(1).ip, seconds(15)));
  REQUIRE(c.at(0, {"put", "key", "value"}).code == 0);
  // With the right list the same data directory is welcome.
  s.daemon.kill();
  c.start(2);
  c.wait_healthy(2);
  c.check_all_hold({{"key", "value"}});
}

// A node that nobody's list names is refused by name.
TEST_CASE("an unknown peer is refused by name") {
  cluster c("identity_unknown");
  c.start_all();
  c.wait_all_healthy();
  const std::uint64_t term = c.status(c.wait_leader())->term.value();
  auto lines = c.member_lines();
  lines.push_back("n4: " + c.ip() + ":20032");
  std::string config = c.config_text(2, lines, c.cluster_name());
  replace(config, "name: n3", "name: n4");
  replace(config, "/n3", "/n4");
  replace(config, ":20022\n  client", ":20032\n  client");
  replace(config, ":20021", ":20031");
  stranger s(c, "stranger", config);
  REQUIRE(c.logged_within(0, "n4", seconds(15)));
  REQUIRE(c.log(0).find("is not a member of cluster identity_unknown") != std::string::npos);
  REQUIRE(says(s.log, "n1 at"));
  REQUIRE(c.at(0, {"put", "key", "value"}).code == 0);
  REQUIRE(c.status(c.wait_leader())->term.value() == term);
}

// A second daemon on the same data directory ends at once and names the directory and the first one's process.
TEST_CASE("a second daemon on the same data directory is turned away") {
  cluster c("identity_second");
  c.start_all();
  c.wait_all_healthy();
  std::string config = c.config_text(0, c.member_lines(), c.cluster_name());
  replace(config, "20001", "20501");
  replace(config, "n1.sock", "other.sock");
  stranger s(c, "second", config);
  const auto code = s.daemon.wait(seconds(10));
  REQUIRE(code == 70);
  REQUIRE(says(s.log, c.data(0)));
  REQUIRE(says(s.log, std::to_string(c.node(0).pid())));
  REQUIRE(c.at(0, {"put", "key", "value"}).code == 0);
  c.check_all_hold({{"key", "value"}});
}

// A data directory belongs to one member of one cluster: another one that is given it ends at once, with a code of its
// own, and names both.
TEST_CASE("another member's data directory is refused") {
  cluster c("identity_foreign");
  c.start_all();
  c.wait_all_healthy();
  const auto words = make_words(100);
  REQUIRE(c.anywhere({"import", "-"}, to_lines(words)).code == 0);
  REQUIRE(c.stop(1) == 0);
  REQUIRE(c.stop(2) == 0);
  c.start(2, {"node.data_dir=" + c.data(1)});
  REQUIRE(c.node(2).wait(seconds(10)) == 70);
  REQUIRE(c.logged(2, c.data(1)));
  REQUIRE(c.logged(2, "n2"));
  stranger s(c, "stranger", c.config_text(2, c.member_lines(), "elsewhere"));
  REQUIRE(s.daemon.wait(seconds(10)) == 70);
  REQUIRE(says(s.log, c.data(2)));
  REQUIRE(says(s.log, "identity_foreign"));
  c.start(1);
  c.start(2);
  c.check_all_hold(words);
}

// A member comes back with an empty data directory under its old name: it is refused with a message that says how to go
// on, does not vote, and nothing acknowledged is lost, even when its vote is all that is missing.
TEST_CASE("a wiped directory under an old name is refused") {
  cluster c("identity_wiped");
  c.start_all();
  c.wait_all_healthy();
  const auto words = make_words(500);
  REQUIRE(c.anywhere({"import", "-"}, to_lines(words)).code == 0);
  const std::size_t leader = c.wait_leader();
  const std::size_t wiped = (leader + 1) % c.size();
  const std::size_t other = (leader + 2) % c.size();
  // Who is who is recorded in the log soon after the members have met.
  const auto recorded = [&] {
    const std::string line = "recording the data directory of " + c.node_name(wiped);
    return c.logged(0, line) || c.logged(1, line) || c.logged(2, line);
  };
  REQUIRE(eventually(recorded, seconds(10)));
  REQUIRE(c.at(leader, {"put", "last", "value"}).code == 0); // and that entry is committed before this one
  c.check_all_hold(words);
  c.kill(wiped);
  std::filesystem::rename(c.data(wiped), c.data(wiped) + ".kept");
  c.start(wiped);
  const std::string reason = "the data directory is not the one that joined the cluster";
  REQUIRE(c.logged_within(leader, reason, seconds(15)));
  REQUIRE(c.logged_within(wiped, reason, seconds(15)));
  REQUIRE(c.log(wiped).find("Put the original directory back; or run 'quorumd member replace ") != std::string::npos);
  REQUIRE(c.at(leader, {"put", "key", "value"}).code == 0);

  // The other one dies: with the wiped one there would be a majority, and there must not be.
  c.kill(other);
  const outcome o = put_once(c.client_place(leader), "never", "acknowledged", seconds(2));
  REQUIRE(o.answered);
  REQUIRE(o.code != quorumd::wire::request_errc::none);

  // The original directory is put back, and all is well.
  c.kill(wiped);
  std::filesystem::remove_all(c.data(wiped));
  std::filesystem::rename(c.data(wiped) + ".kept", c.data(wiped));
  c.start(wiped);
  c.start(other);
  c.check_all_hold(words);
}

// A port that is taken ends the daemon with the code for configuration and names the key and the address.
TEST_CASE("a port in use is named") {
  cluster c("identity_port");
  c.start_all();
  c.wait_all_healthy();
  for (const bool peer : {false, true}) {
    std::string config = c.config_text(0, c.member_lines(), c.cluster_name());
    replace(config, c.folder() + "/n1", c.folder() + (peer ? "/peer" : "/client"));
    replace(config, "n1.sock", "other.sock");
    if (peer) replace(config, "20001", "20501");
    stranger s(c, peer ? "peer" : "client", config);
    const auto code = s.daemon.wait(seconds(10));
    REQUIRE(code == 78);
    REQUIRE(says(s.log, peer ? "listen.peer" : "listen.client"));
    REQUIRE(says(s.log, peer ? c.ip() + ":20002" : c.endpoint(0)));
  }
  REQUIRE(c.at(0, {"put", "key", "value"}).code == 0);
}
