#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

// etcd's own command line against a cluster (Debian's package etcd-client).
namespace quorumd::testing {
namespace {

constexpr const char* etcdctl_program = "/usr/bin/etcdctl";

bool has_etcdctl() {
  if (::access(etcdctl_program, X_OK) == 0) return true;
  MESSAGE("skipped: there is no /usr/bin/etcdctl");
  return false;
}

/// With these endpoints, etcdctl's words.
command_result etcdctl(cluster& c, const std::string& endpoints, std::vector<std::string> words,
                       const std::string& input = {}) {
  std::vector<std::string> all{"/usr/bin/env", "ETCDCTL_API=3", etcdctl_program, "--endpoints", endpoints};
  all.insert(all.end(), words.begin(), words.end());
  return c.run_other(all, input);
}

} // namespace

TEST_CASE("etcdctl puts, reads, deletes, compares and compacts through any member") {
  if (!has_etcdctl()) return;
  cluster c("etcdctl", {.nodes = 3});
  c.start_all();
  c.wait_all_healthy();
  const auto says = [&](std::size_t i, const std::vector<std::string>& words, const std::string& input = {}) {
    return done(etcdctl(c, c.endpoint(i), words, input)).output;
  };
  CHECK(says(0, {"put", "a", "1"}) == "OK\n");
  CHECK(says(1, {"put", "a", "2", "--prev-kv"}) == "OK\na\n1\n");
  CHECK(says(2, {"put", "b", "3"}) == "OK\n");
  CHECK(says(2, {"get", "a"}) == "a\n2\n");
  CHECK(says(1, {"get", "a", "--rev", "2"}) == "a\n1\n");
  CHECK(says(0, {"get", "", "--from-key", "--keys-only", "--order", "DESCEND", "--sort-by", "KEY"}) == "b\n\na\n\n");
  CHECK(says(0, {"get", "a", "b", "--print-value-only", "--consistency", "s"}) == "2\n");
  CHECK(says(1, {"txn"}, "value(\"a\") = \"2\"\nversion(\"b\") = \"1\"\n\nput a 4\nget b\n\nget a\n\n") ==
        "SUCCESS\n\nOK\n\nb\n3\n");
  CHECK(says(1, {"txn"}, "mod(\"a\") > \"100\"\n\nput a 5\n\nget a\n\n") == "FAILURE\n\na\n4\n");
  CHECK(says(2, {"del", "b", "--prev-kv"}) == "1\nb\n3\n");
  // A command for each event, of which the first ends the watch.
  const std::string told = R"(echo "$ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY $ETCD_WATCH_VALUE"; kill $PPID)";
  const auto watched = etcdctl(c, c.endpoint(1), {"watch", "a", "--rev", "3", "--prev-kv", "--", "sh", "-c", told});
  CHECK(watched.output == "PUT\na\n1\na\n2\nPUT\na\n2\na\n4\n\"PUT\" \"a\" \"2\"\n");
  CHECK(says(2, {"compaction", "4"}) == "compacted revision 4\n");
  const command_result gone = etcdctl(c, c.endpoint(0), {"get", "a", "--rev", "2"});
  CHECK(gone.code != 0);
  CHECK(gone.errors.find("etcdserver: mvcc: required revision has been compacted") != std::string::npos);

  // Leases, and what etcdctl makes of them.
  std::string id = says(0, {"lease", "grant", "100"});
  id = id.substr(6, 16);
  CHECK(says(1, {"put", "l", "v", "--lease", id}) == "OK\n");
  CHECK(says(2, {"lease", "timetolive", id, "--keys"}).find("granted with TTL(100s), remaining(") != std::string::npos);
  CHECK(says(0, {"lease", "keep-alive", "--once", id}).find("keepalived with TTL(100)") != std::string::npos);
  CHECK(says(1, {"lease", "list"}).find(id) != std::string::npos);
  CHECK(says(1, {"lock", "m", "echo", "locked"}).find("locked") != std::string::npos);
  CHECK(says(2, {"lease", "revoke", id}) == "lease " + id + " revoked\n");
  CHECK(says(0, {"get", "l"}).empty());

  // All members have the same keys, once each has applied what the others have.
  CHECK(eventually(
      [&] {
        const std::string hashes = done(etcdctl(c, c.endpoints(), {"endpoint", "hashkv"})).output;
        std::set<std::string> different;
        std::istringstream lines(hashes);
        for (std::string line; std::getline(lines, line);) different.insert(line.substr(line.find(", ")));
        return std::count(hashes.begin(), hashes.end(), '\n') == 3 && different.size() == 1;
      },
      seconds(20)));
  const std::size_t before = c.wait_leader();
  const std::size_t after = (before + 1) % 3;
  const std::string list = says(0, {"member", "list"});
  const std::size_t at = list.find(", started, n" + std::to_string(after + 1));
  REQUIRE(at != std::string::npos);
  const std::size_t begins = list.rfind('\n', at) == std::string::npos ? 0 : list.rfind('\n', at) + 1;
  CHECK(says(before, {"move-leader", list.substr(begins, at - begins)}).find("Leadership transferred") == 0);
  CHECK(c.wait_leader() == after);
  CHECK(says(0, {"member", "list"}).find("started, n2, ") != std::string::npos);
  const std::string status = done(etcdctl(c, c.endpoints(), {"endpoint", "status"})).output;
  CHECK(std::count(status.begin(), status.end(), '\n') == 3);
  CHECK(status.find(", true, ") != std::string::npos); // one of them leads
  // It asks with a put's cost: of all three.
  const command_result health = done(etcdctl(c, c.endpoints(), {"endpoint", "health"}));
  CHECK((health.output + health.errors).find("unhealthy") == std::string::npos);
  CHECK(says(0, {"alarm", "list"}).empty());
  CHECK(says(0, {"defrag"}).starts_with("Finished"));
}

// What a client of etcd was told is done outlives the leader, and is seen by quorumd's own.
TEST_CASE("etcdctl's puts outlive the leader") {
  if (!has_etcdctl()) return;
  cluster c("etcdctl-kill", {.nodes = 3});
  c.start_all();
  c.wait_all_healthy();
  std::vector<word> acknowledged;
  for (int i = 0; i < 12; ++i) {
    if (i == 6) c.kill(c.wait_leader());
    const word w{"key" + std::to_string(i), "value" + std::to_string(i)};
    // An outcome that is not known may be tried again: it is the same put.
    REQUIRE(eventually([&] { return etcdctl(c, c.endpoints(), {"put", w.key, w.value}).code == 0; }, seconds(30)));
    acknowledged.push_back(w);
  }
  for (std::size_t i = 0; i < 3; ++i)
    if (!c.running(i)) c.start(i);
  c.wait_all_healthy();
  for (std::size_t i = 0; i < 3; ++i) c.wait_keys(i, acknowledged.size());
  c.check_all_hold(acknowledged);
}

// etcd's way: the address comes first, and the name with the node. Any member takes it to the leader.
TEST_CASE("etcdctl adds, promotes and removes members through any member") {
  if (!has_etcdctl()) return;
  cluster c("etcdctl_members", {.nodes = 3, .spares = 2});
  for (std::size_t i = 0; i < 3; ++i) c.start(i);
  for (std::size_t i = 0; i < 3; ++i) c.wait_healthy(i);
  const std::size_t follower = (c.wait_leader() + 1) % 3;
  const auto at_follower = [&](const std::vector<std::string>& words) {
    return etcdctl(c, c.endpoint(follower), words);
  };
  const auto url = [&](std::size_t i) {
    return "http://" + c.peer_place(i).ip + ":" + std::to_string(c.peer_place(i).port);
  };
  const auto line_of = [&](const std::string& what) {
    std::istringstream lines(done(at_follower({"member", "list"})).output);
    for (std::string line; std::getline(lines, line);)
      if (line.find(what) != std::string::npos) return line;
    return std::string();
  };

  const auto added = at_follower({"member", "add", "n4", "--peer-urls", url(3)});
  REQUIRE_MESSAGE(added.code == 0, added.errors);
  CHECK(added.output.find(" added to cluster ") != std::string::npos);
  CHECK(added.output.find("ETCD_NAME=\"n4\"") != std::string::npos);
  CHECK(line_of(url(3)).find(", unstarted, , " + url(3) + ", , ") != std::string::npos);
  const auto twice = at_follower({"member", "add", "other", "--peer-urls", url(3)});
  CHECK(twice.errors.find("etcdserver: Peer URLs already exists") != std::string::npos);
  const auto bad = at_follower({"member", "add", "other", "--peer-urls", "http://nowhere"});
  CHECK(bad.code != 0);

  c.start(3);
  c.wait_healthy(3);
  const auto started = [&](bool learner) {
    return [&, end = learner ? ", true" : ", false"] {
      const std::string line = line_of(url(3));
      return line.find(", started, n4, ") != std::string::npos && line.ends_with(end);
    };
  };
  REQUIRE_MESSAGE(eventually(started(false), seconds(20)), line_of(url(3)));
  done(at_follower({"put", "a", "1"}));
  CHECK(done(etcdctl(c, c.endpoint(3), {"get", "a"})).output == "a\n1\n");
  const std::string own = done(c.at(0, {"member", "list"})).output;
  CHECK_MESSAGE(own.find("\nn4 ") != std::string::npos, own);
  // Under its own name, also after a restart.
  REQUIRE(c.stop(3) == 0);
  c.start(3);
  c.wait_healthy(3);

  const std::string id = line_of(url(3)).substr(0, line_of(url(3)).find(','));
  const auto voter = at_follower({"member", "promote", id});
  CHECK(voter.errors.find("etcdserver: can only promote a learner member") != std::string::npos);
  done(at_follower({"member", "remove", id}));
  CHECK(line_of(url(3)).empty());
  CHECK(at_follower({"member", "remove", id}).errors.find("etcdserver: member not found") != std::string::npos);

  done(at_follower({"member", "add", "n5", "--peer-urls", url(4), "--learner"}));
  c.start(4);
  const auto learns = [&] { return line_of(url(4)).find(", started, n5, ") != std::string::npos; };
  REQUIRE(eventually(learns, seconds(20)));
  CHECK(line_of(url(4)).ends_with(", true"));
  const std::string learner = line_of(url(4)).substr(0, line_of(url(4)).find(','));
  REQUIRE(eventually([&] { return at_follower({"member", "promote", learner}).code == 0; }, seconds(20)));
  CHECK(line_of(url(4)).ends_with(", false"));
}

} // namespace quorumd::testing
