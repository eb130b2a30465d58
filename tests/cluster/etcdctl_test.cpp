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

} // namespace quorumd::testing
