#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

// Members come, go and are replaced while the cluster is at work.
namespace quorumd::testing {
namespace {

/// The line of the table that begins with the node's name.
std::string line_of(cluster& c, std::size_t i, std::size_t asked) {
  const std::string table = "\n" + c.at(asked, {"member", "list"}).output;
  const std::size_t at = table.find("\n" + c.node_name(i) + " ");
  return at == std::string::npos ? std::string() : table.substr(at + 1, table.find('\n', at + 1) - at - 1);
}

bool has_role(cluster& c, std::size_t i, std::size_t asked, const std::string& role) {
  std::istringstream line(line_of(c, i, asked));
  std::string name;
  std::string said;
  line >> name >> said;
  return said == role;
}

/// The leader among those that the members know.
std::size_t leader_of(cluster& c, std::size_t asked) {
  for (std::size_t i = 0; i < c.size(); ++i)
    if (c.at(asked, {"leader"}).output == c.node_name(i) + "\n") return i;
  return cluster::none;
}

/// One after the other, all of these hold the words in their own state.
void check_hold(cluster& c, const std::vector<std::size_t>& nodes, const std::vector<word>& words) {
  for (const std::size_t i : nodes) {
    const auto all_there = [&] {
      const command_result r = c.at(i, {"export", "--stale"});
      std::size_t found = 0;
      for (const word& w : words)
        if (r.output.find(w.key + "\t" + w.value + "\n") != std::string::npos) ++found;
      return r.code == 0 && found == words.size();
    };
    INFO("node ", i + 1);
    REQUIRE(eventually(all_there, seconds(20)));
  }
}

} // namespace

// The new member is started before it is known, waits, and votes once it has caught up; the cluster says what to do.
TEST_CASE("a member joins, is promoted, leads, and is removed") {
  cluster c("members_join", {.nodes = 3, .spares = 1});
  c.start(0);
  c.start(1);
  c.start(2);
  c.wait_healthy(0);
  const auto words = make_words(300);
  done(c.at(0, {"import", "-"}, to_lines(words)));
  c.start(3);
  REQUIRE(c.logged_within(3, "run 'quorumd member add " + at_peer(c, 3) + "'", seconds(15)));
  const command_result added = c.at(0, {"member", "add", at_peer(c, 3)});
  done(added);
  REQUIRE(added.output.find("n4 is a voter") != std::string::npos);
  c.wait_healthy(3);
  REQUIRE(has_role(c, 3, 1, "voter"));
  check_hold(c, {0, 1, 2, 3}, words);

  done(c.at(1, {"leader", "transfer", "n4"}));
  REQUIRE(leader_of(c, 0) == 3);
  done(c.at(0, {"put", "written", "through n1 at n4"}));

  // A leader may remove itself; it stops with the code that says that its data directory is not this cluster's.
  done(c.at(3, {"member", "remove", "n4"}));
  REQUIRE(c.node(3).wait(seconds(20)) == 70);
  REQUIRE(c.logged(3, "n4 was removed from cluster members_join"));
  c.wait_healthy(0);
  REQUIRE(line_of(c, 3, 0).empty());
  // Its data directory is void: started with it again it is not let in.
  c.start(3);
  REQUIRE(c.logged_within(3, "it was removed, or never added", seconds(20)));
  done(c.at(0, {"put", "after", "the removal"}));
}

// The whole cluster moves to other machines while a client writes: every line is acknowledged, and nothing is lost.
TEST_CASE("every member is replaced by another under load, and nothing is lost") {
  cluster c("members_move", {.nodes = 3, .spares = 3});
  for (std::size_t i = 0; i < 3; ++i) c.start(i);
  c.wait_healthy(0);
  const auto words = make_words(6000);
  import_run load(c);
  load.feed(words, 0, 1000);
  for (std::size_t i = 0; i < 3; ++i) {
    const std::size_t next = i + 3;
    c.start(next); // it asks the first node, which may be gone
    if (i != 0) {
      c.kill(next);
      std::filesystem::remove_all(c.data(next));
      c.start(next, {"cluster.join=" + c.endpoint(next - 1)});
    }
    done(c.at(next - 1, {"member", "add", at_peer(c, next)}));
    load.feed(words, 1000 + 1600 * i, 1000 + 1600 * i + 800);
    done(c.at(next, {"member", "remove", c.node_name(i)}));
    REQUIRE(c.node(i).wait(seconds(20)) == 70);
    load.feed(words, 1800 + 1600 * i, 2600 + 1600 * i);
  }
  load.feed(words, 5800, 6000);
  load.finish(words.size());
  check_hold(c, {3, 4, 5}, words);
  const std::string verified = c.run({"status", "--verify", "--endpoint", c.endpoint(4)}).output;
  REQUIRE_MESSAGE(verified.find("n4") != std::string::npos, verified);
  REQUIRE_MESSAGE(verified.find("n1 ") == std::string::npos, verified);
}

// Whoever wrote through it goes on at another member, and nobody is left without an answer.
TEST_CASE("removing the leader fails no request") {
  cluster c("members_leader_leaves");
  c.start_all();
  c.wait_all_healthy();
  const std::size_t leader = c.wait_leader();
  const std::string name = c.node_name(leader);
  process load(c.beside("bench", {quorumd_program(), "bench", "put", "--clients", "32", "--connections", "4", "--rate",
                                  "1000", "--total", "5000", "--endpoint", c.endpoints()}));
  std::this_thread::sleep_for(seconds(2));
  done(c.at((leader + 1) % 3, {"member", "remove", name}));
  const command_result late = c.run({"put", "a", "b", "--endpoint", c.endpoint(leader), "--timeout", "300ms"});
  CHECK(late.code != 0);
  REQUIRE(load.wait(seconds(30)).has_value());
  const std::string report = read_file(c.folder() + "/bench.out");
  CHECK_MESSAGE(report.find("\n  0 errors\n") != std::string::npos, report);
  REQUIRE(c.node(leader).wait(seconds(20)) == 70);
}

// Its disk is lost: it is told which command replaces it, and comes back empty under the same name.
TEST_CASE("a member whose disk is lost is replaced") {
  cluster c("members_replace");
  c.start_all();
  c.wait_all_healthy();
  const auto words = make_words(300);
  done(c.at(0, {"import", "-"}, to_lines(words)));
  const std::size_t leader = c.wait_leader();
  const std::size_t lost = (leader + 1) % 3;
  const std::string name = c.node_name(lost);
  const auto recorded = [&] {
    const std::string line = "recording the data directory of " + name;
    return c.logged(0, line) || c.logged(1, line) || c.logged(2, line);
  };
  REQUIRE(eventually(recorded, seconds(10)));
  done(c.at(leader, {"put", "last", "value"}));
  c.check_all_hold(words);

  const command_result alive = c.at(leader, {"member", "replace", name, "--no-wait"});
  REQUIRE(alive.code != 0);
  REQUIRE(alive.errors.find("is connected and well") != std::string::npos);
  c.kill(lost);
  std::filesystem::remove_all(c.data(lost));
  c.start(lost);
  REQUIRE(c.logged_within(lost, "'quorumd member replace " + name + "'", seconds(15)));
  c.kill(lost);
  std::filesystem::remove_all(c.data(lost));

  const std::size_t other = (leader + 2) % 3;
  done(c.at(leader, {"member", "replace", name, "--no-wait"}));
  REQUIRE(has_role(c, lost, leader, "learner"));
  c.write_file(name + ".yaml", c.config_text(lost, {}, c.cluster_name()));
  c.start(lost, {"cluster.join=" + c.endpoint(other)});
  REQUIRE(eventually([&] { return has_role(c, lost, leader, "voter"); }, seconds(20)));
  c.wait_healthy(lost);
  c.check_all_hold(words);
  // And it counts: the other one may go.
  c.kill(other);
  REQUIRE(eventually([&] { return c.at(leader, {"put", "with", "the new one"}).code == 0; }, seconds(10)));
}

// Before the cluster has put on record which data directory stands for it, even.
TEST_CASE("a member whose disk is lost at once is replaced under another name") {
  cluster c("members_early", {.nodes = 3, .spares = 1});
  for (std::size_t i = 0; i < 3; ++i) c.start(i);
  c.wait_healthy(0);
  const std::size_t leader = leader_of(c, 0);
  REQUIRE(leader != cluster::none);
  const std::size_t lost = (leader + 1) % 3;
  const std::size_t kept = (leader + 2) % 3;
  c.kill(lost);
  std::filesystem::remove_all(c.data(lost));
  const std::string to = c.peer_place(3).ip + ":" + std::to_string(c.peer_place(3).port);
  done(c.at(leader, {"member", "replace", c.node_name(lost) + "=" + to, "--as", "n4", "--no-wait"}));
  REQUIRE(line_of(c, lost, leader).empty());
  c.start(3, {"cluster.join=" + c.endpoint(kept)});
  REQUIRE(eventually([&] { return has_role(c, 3, leader, "voter"); }, seconds(20)));
  // And once more, under the same name.
  c.kill(3);
  std::filesystem::remove_all(c.data(3));
  REQUIRE(eventually([&] { return c.at(leader, {"member", "replace", "n4", "--no-wait"}).code == 0; }, seconds(10)));
  c.start(3, {"cluster.join=" + c.endpoint(kept)});
  REQUIRE(eventually([&] { return has_role(c, 3, leader, "voter"); }, seconds(20)));
  c.wait_healthy(3);
}

// What could not be undone by the cluster itself is refused, unless it is asked for twice.
TEST_CASE("what would leave no majority is refused with a reason") {
  cluster c("members_unsafe");
  c.start_all();
  c.wait_all_healthy();
  const std::size_t leader = c.wait_leader();
  const std::size_t down = (leader + 1) % 3;
  const std::size_t up = (leader + 2) % 3;
  c.kill(down);
  const auto refused = [&] {
    const command_result r = c.at(leader, {"member", "remove", c.node_name(up)});
    return r.code != 0 && r.errors.find("no majority") != std::string::npos &&
           r.errors.find("--force") != std::string::npos;
  };
  const bool in_time = eventually(refused, seconds(10)); // once the leader misses it
  REQUIRE_MESSAGE(in_time, c.at(leader, {"member", "remove", c.node_name(up)}).errors
                               << c.at(leader, {"member", "list"}).output);
  // The one that is down may go, and then one of two that are up.
  done(c.at(leader, {"member", "remove", c.node_name(down)}));
  done(c.at(leader, {"put", "with", "two"}));
  REQUIRE(c.at(leader, {"member", "remove", c.node_name(down)}).errors.find("is no member") != std::string::npos);
  REQUIRE(
      c.at(leader, {"member", "demote", c.node_name(leader), c.node_name(up)}).errors.find("no voter would be left") !=
      std::string::npos);
  done(c.at(leader, {"member", "demote", c.node_name(up)}));
  REQUIRE(has_role(c, up, leader, "learner"));
  c.kill(up); // a learner does not count
  done(c.at(leader, {"put", "with", "one"}));
  c.start(up);
  REQUIRE(eventually([&] { return c.at(leader, {"member", "promote", c.node_name(up)}).code == 0; }, seconds(15)));
  REQUIRE(has_role(c, up, leader, "voter"));
}

// Afterwards the log decides: a file that says otherwise is named at the start, and a member moves without a restart of
// the others.
TEST_CASE("a member's address changes, and the configuration file counts no longer") {
  cluster c("members_update");
  c.start_all();
  c.wait_all_healthy();
  const std::size_t leader = c.wait_leader();
  const std::size_t moved = (leader + 1) % 3;
  const std::string address = c.ip() + ":" + std::to_string(c.peer_place(moved).port + 500);
  c.kill(moved);
  done(c.at(leader, {"member", "update", c.node_name(moved) + "=" + address}));
  c.start(moved, {"listen.peer=" + address, "cluster.members." + c.node_name(moved) + "=" + address});
  c.wait_healthy(moved);
  REQUIRE(line_of(c, moved, leader).find(address) != std::string::npos);
  c.check_all_hold({});
  // The others' files are out of date by now.
  const std::size_t other = (leader + 2) % 3;
  c.kill(other);
  c.start(other);
  c.wait_healthy(other);
  REQUIRE(c.logged(other, "cluster.members says otherwise than the cluster"));
  REQUIRE(c.logged(other, c.node_name(moved) + " is at " + address));
}

// Whoever leads, a name gives the leadership to it, and requests that come meanwhile are served.
TEST_CASE("leadership is handed to whom the administrator names") {
  cluster c("members_leader");
  c.start_all();
  c.wait_all_healthy();
  c.wait_leader();
  for (std::size_t round = 0; round < 6; ++round) {
    const std::size_t to = round % 3;
    const command_result r = c.anywhere({"leader", "transfer", c.node_name(to)});
    REQUIRE_MESSAGE(r.code == 0, r.errors);
    REQUIRE(r.output == c.node_name(to) + "\n");
    done(c.at((to + 1) % 3, {"put", "round", std::to_string(round)}));
    REQUIRE(c.at(to, {"get", "round"}).output == std::to_string(round) + "\n");
  }
  const command_result nobody = c.anywhere({"leader", "transfer", "n9"});
  REQUIRE(nobody.code != 0);
  REQUIRE(nobody.errors.find("n9 is no member") != std::string::npos);
}

} // namespace quorumd::testing
