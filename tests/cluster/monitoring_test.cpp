#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

// What docs/monitoring asks for is what nodes say, and Prometheus can read it.
namespace quorumd::testing {
namespace {

constexpr const char* promtool = "/usr/bin/promtool";

/// Everything that is answered to one request.
std::string said_of(const place& at, const std::string& target, const std::string& method = "GET") {
  raw_connection raw(at);
  REQUIRE(raw.send(method + " " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  std::string said;
  REQUIRE(raw.closed_within(seconds(10), &said));
  return said;
}

/// The body of /metrics.
std::string metrics_page(cluster& c, std::size_t i, const std::string& query = {}) {
  const std::string said = said_of(c.client_place(i), "/metrics" + query);
  REQUIRE(said.starts_with("HTTP/1.1 200 OK\r\n"));
  return said.substr(said.find("\r\n\r\n") + 4);
}

std::set<std::string> series_of(const std::string& page) {
  std::set<std::string> names;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with('#')) names.insert(line.substr(0, line.find_first_of("{ ")));
  return names;
}

} // namespace

// Where only how the node is can be asked, nothing that it holds.
TEST_CASE("listen.metrics answers those who look after a node, and nobody else") {
  cluster c("monitoring_port", {.nodes = 1});
  const place watched{c.client_place(0).ip, 21'381};
  c.start(0, {"listen.metrics=" + watched.ip + ":21381", "limits.clients_max=1"});
  c.wait_all_healthy();
  CHECK(said_of(watched, "/metrics").find("\nquorumd_raft_has_leader 1\n") != std::string::npos);
  CHECK(said_of(watched, "/health").ends_with("{\"health\":\"true\",\"reason\":\"\"}"));
  CHECK(said_of(watched, "/livez").starts_with("HTTP/1.1 200 "));
  CHECK(said_of(watched, "/debug/pprof/cmdline").starts_with("HTTP/1.1 200 "));
  CHECK(said_of(c.client_place(0), "/debug/pprof/cmdline").starts_with("HTTP/1.1 404 "));
  CHECK(said_of(watched, "/v3/kv/range", "POST").starts_with("HTTP/1.1 404 "));
  CHECK(said_of(c.client_place(0), "/v3/kv/range", "POST").starts_with("HTTP/1.1 400 "));
  CHECK(c.run({"--endpoint", watched.ip + ":21381", "get", "a"}).code != 0);
  {
    std::vector<std::unique_ptr<raw_connection>> many; // its places are 64
    for (int i = 0; i < 70; ++i) many.push_back(std::make_unique<raw_connection>(watched));
    CHECK(many.back()->closed_within(seconds(5)));
    CHECK_FALSE(many.front()->closed_within(milliseconds(200)));
    CHECK(c.run({"--endpoint", c.endpoint(0), "put", "a", "1"}).code == 0);
  }
  const auto has_place = [&] { return !raw_connection(watched).closed_within(milliseconds(100)); };
  CHECK(eventually(has_place, seconds(5)));
  CHECK(said_of(watched, "/livez").starts_with("HTTP/1.1 200 "));
  raw_connection other(watched);
  REQUIRE(other.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  CHECK(other.closed_within(seconds(10)));
  CHECK(eventually([&] { return c.log(0).find("only HTTP/1.1 is spoken at listen.metrics") != std::string::npos; },
                   seconds(5)));
}

TEST_CASE("the dashboard and the alerts ask for metrics that there are") {
  cluster c("monitoring");
  c.start_all();
  c.wait_all_healthy();
  REQUIRE(c.anywhere({"put", "a", "1"}).code == 0);
  const auto settled = [&] { return series_of(metrics_page(c, 0)).contains("quorumd_store_quota_bytes"); };
  REQUIRE(eventually(settled, seconds(10))); // the cluster has its settings
  std::set<std::string> there;
  for (std::size_t i = 0; i < c.size(); ++i) there.merge(series_of(metrics_page(c, i)));
  const std::regex name("quorumd_[a-z0-9_]+");
  for (const char* file : {"dashboard.json", "alerts.yml", "alerts_test.yml", "README.md"}) {
    const std::string text = read_file(std::string(QUORUMD_MONITORING) + "/" + file);
    std::size_t names = 0;
    for (std::sregex_iterator at(text.begin(), text.end(), name), end; at != end; ++at, ++names) {
      std::string asked = at->str();
      if (std::string(file) == "README.md") asked += "_bucket"; // it names a distribution as a whole
      CHECK_MESSAGE(there.contains(asked), (std::string(file) + " asks for " + asked));
    }
    CHECK(names > 0);
  }
  CHECK_FALSE(there.contains("quorumd_put_whole_second"));
}

// A leader measures its way to each follower; a follower, none. Everybody names it as etcd numbers members.
TEST_CASE("a leader says how far its followers are, under etcd's names") {
  cluster c("monitoring_etcd");
  c.start_all();
  c.wait_all_healthy();
  const std::size_t leader = c.wait_leader();
  const auto seen = [&](std::size_t i) {
    const std::string page = metrics_page(c, i, "?compat=etcd");
    std::set<std::string> ids;
    const std::regex with_count("etcd_network_peer_round_trip_time_seconds_count\\{To=\"([0-9a-f]+)\"\\} [1-9]");
    for (std::sregex_iterator at(page.begin(), page.end(), with_count), end; at != end; ++at) ids.insert((*at)[1]);
    return ids;
  };
  for (int i = 0; i < 20; ++i) REQUIRE(c.at(leader, {"put", "a", "1"}).code == 0);
  std::set<std::string> others;
  for (std::size_t i = 0; i < c.size(); ++i) {
    std::ostringstream id;
    id << std::hex << c.status(i)->id.value();
    if (i != leader) others.insert(id.str());
    CHECK(metrics_page(c, i, "?compat=etcd").find("\netcd_server_id{server_id=\"" + id.str() + "\"} 1\n") !=
          std::string::npos);
  }
  CHECK(seen(leader) == others);

  // The next leader counts as a change, on those who stay.
  const auto changes = [&](std::size_t i) {
    const std::string page = metrics_page(c, i, "?compat=etcd");
    const std::string series = "\netcd_server_leader_changes_seen_total ";
    return std::atoi(page.c_str() + page.find(series) + series.size());
  };
  const std::size_t stays = (leader + 1) % c.size();
  const int before = changes(stays);
  c.kill(leader);
  c.wait_leader();
  CHECK(eventually([&] { return changes(stays) > before; }, seconds(10)));
  CHECK(metrics_page(c, stays).find("\nquorumd_peer_connected{of=\"" + c.node_name(leader) + "\"} 0\n") !=
        std::string::npos);
}

// Whoever is told that there is no space was answered; a follower that passes the answer on counts no failure either.
TEST_CASE("writes that are refused for want of space are no failures") {
  cluster c("monitoring_refused", {.nodes = 3, .set = {"history.bytes_max=1MiB"}});
  c.start_all();
  c.wait_all_healthy();
  for (const char* key : {"x", "y", "z"}) REQUIRE(c.anywhere({"put", key, "-"}, std::string(1'000'000, 'v')).code == 0);
  REQUIRE(c.anywhere({"settings", "storage.quota_bytes=2MiB"}).code == 0);
  for (std::size_t i = 0; i < c.size(); ++i) {
    REQUIRE(c.at(i, {"put", "a", "1"}).code == 2);
    const std::string page = metrics_page(c, i);
    CHECK(page.find("\nquorumd_client_writes_failed_total 0\n") != std::string::npos);
    CHECK(page.find("\nquorumd_store_full 1\n") != std::string::npos);
  }
}

// What Prometheus' own checker says: nothing of our names; of etcd's that one is a gauge and is called a total.
TEST_CASE("promtool reads what a node says") {
  if (::access(promtool, X_OK) != 0) {
    MESSAGE("skipped: there is no /usr/bin/promtool");
    return;
  }
  cluster c("monitoring_promtool");
  c.start_all();
  c.wait_all_healthy();
  REQUIRE(c.anywhere({"put", "a", "1"}).code == 0);
  const std::size_t leader = c.wait_leader();
  const command_result own = c.run_other({promtool, "check", "metrics"}, metrics_page(c, leader));
  CHECK_MESSAGE(own.code == 0, own.errors);
  CHECK(own.output + own.errors == "");
  const command_result both = c.run_other({promtool, "check", "metrics"}, metrics_page(c, leader, "?compat=etcd"));
  CHECK(both.output + both.errors ==
        "etcd_debugging_mvcc_keys_total non-counter metrics should not have \"_total\" suffix\n");
}

} // namespace quorumd::testing
