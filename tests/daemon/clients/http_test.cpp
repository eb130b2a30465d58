#include "tests/cluster/raw_client.hpp"
#include "tests/daemon/clients/port_client.hpp"
#include "tests/daemon/fixture/node_rig.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace quorumd;
using namespace quorumd::testing;

// HTTP/1.1 on the client port.
namespace {

std::string request(const std::string& target, const std::string& method = "GET", bool close = true) {
  return method + " " + target + " HTTP/1.1\r\nHost: x\r\n" + (close ? "Connection: close\r\n" : "") + "\r\n";
}

/// Everything that the node says to it until it closes.
std::string said_to(const node_rig& rig, std::string_view bytes) {
  raw_connection c(at(rig));
  REQUIRE(c.send(bytes));
  std::string said;
  CHECK(c.closed_within(10s, &said));
  return said;
}

std::string get(const node_rig& rig, const std::string& target) {
  return said_to(rig, request(target));
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("http: health, version and metrics") {
  for (const std::size_t loops : {1U, 2U}) {
    node_rig rig(with(loops));
    REQUIRE(served(rig.call(wire::health_request{})));
    const std::string health = get(rig, "/health");
    CHECK(health.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(has(health, "Content-Type: application/json\r\n"));
    CHECK(health.ends_with("\r\n\r\n{\"health\":\"true\",\"reason\":\"\"}"));
    CHECK(get(rig, "/health?serializable=true").ends_with("{\"health\":\"true\",\"reason\":\"\"}"));
    CHECK(get(rig, "/livez").ends_with("\r\n\r\nok"));
    CHECK(get(rig, "/readyz?verbose").ends_with("\r\n\r\nok"));
    CHECK(get(rig, "/version").ends_with("{\"etcdserver\":\"3.5.21\",\"etcdcluster\":\"3.5.0\"}"));
    const std::string metrics = get(rig, "/metrics");
    CHECK(has(metrics, "Content-Type: text/plain; version=0.0.4"));
    CHECK(has(metrics, "\n# TYPE quorumd_put_whole_seconds histogram\n"));
    CHECK(has(metrics, "\nquorumd_put_whole_seconds_bucket{le=\"+Inf\"} "));
    CHECK(has(metrics, "\nquorumd_raft_has_leader 1\n"));
    CHECK(has(metrics, "\n# TYPE quorumd_process_cpu_seconds_total counter\n"));
    CHECK(get(rig, "/nothing").starts_with("HTTP/1.1 404 Not Found\r\n"));
    CHECK(has(said_to(rig, request("/health", "DELETE")), "\r\nAllow: GET\r\n"));
  }
}

TEST_CASE("http: one connection, many requests") {
  node_rig rig(with(2));
  REQUIRE(served(rig.call(wire::health_request{})));
  std::string many;
  for (int i = 0; i < 50; ++i) many += request(i % 2 == 0 ? "/health" : "/version", "GET", false);
  many += request("/metrics", "GET", false);
  const std::string said = said_to(rig, many + request("/readyz"));
  std::size_t answers = 0;
  for (std::size_t at = said.find("HTTP/1.1 200 OK"); at != std::string::npos;
       at = said.find("HTTP/1.1 200 OK", at + 1))
    ++answers;
  CHECK(answers == 52);
  CHECK(has(said, "quorumd_up_seconds"));

  // A request in two halves.
  raw_connection c(at(rig));
  const std::string one = request("/readyz");
  REQUIRE(c.send(std::string_view(one).substr(0, 9)));
  std::this_thread::sleep_for(50ms);
  REQUIRE(c.send(std::string_view(one).substr(9)));
  std::string ready;
  CHECK(c.closed_within(10s, &ready));
  CHECK(ready.ends_with("\r\n\r\nok"));
}

TEST_CASE("http: a node without a leader, and one that is full") {
  node_rig alone(
      {.loops = 2, .clients = {.session = {.timeout_default = std::chrono::milliseconds(300)}}, .members = 3});
  const std::string health = get(alone, "/health");
  CHECK(health.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  CHECK(has(health, "{\"health\":\"false\",\"reason\":\""));
  CHECK(get(alone, "/readyz").starts_with("HTTP/1.1 503 "));
  CHECK(get(alone, "/livez").ends_with("\r\n\r\nok"));
  CHECK(has(get(alone, "/metrics"), "\nquorumd_raft_has_leader 0\n"));

  node_rig full(with(1));
  REQUIRE(full.call(kv::command(kv::configure{.keep_revisions = {},
                                              .history_bytes_max = kv::history_bytes_least,
                                              .quota_bytes = 2 * kv::history_bytes_least}))
              .has_value());
  for (const std::size_t bytes : {300'000U, 1000U, 0U}) {
    const auto put = [&](int i) {
      const std::string key = std::to_string(bytes) + "/" + std::to_string(i);
      return full.call(kv::command(kv::put{.key = key, .value = std::string(bytes, 'v')})).has_value();
    };
    for (int i = 0; put(i); ++i) REQUIRE(i < 10'000);
  }
  CHECK(get(full, "/health").ends_with("{\"health\":\"false\",\"reason\":\"ALARM NOSPACE\"}"));
  CHECK(get(full, "/health?exclude=NOSPACE").ends_with("{\"health\":\"true\",\"reason\":\"\"}"));
}

TEST_CASE("http: what is none") {
  node_rig rig({.loops = 1, .clients = {.session = {.handshake_timeout = std::chrono::milliseconds(500)}}});
  REQUIRE(served(rig.call(wire::health_request{})));
  CHECK(said_to(rig, "GET / HTTP/9.9\r\n\r\n").starts_with("HTTP/1.1 400 Bad Request\r\n"));
  CHECK(said_to(rig, std::string("GET \0\r\n\r\n", 9)).starts_with("HTTP/1.1 400 "));
  CHECK(
      said_to(rig, "GET /health HTTP/1.1\r\nX: " + std::string(40'000, 'x') + "\r\n\r\n").starts_with("HTTP/1.1 413 "));
  CHECK(said_to(rig, "POST /health HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n").starts_with("HTTP/1.1 413 "));
  CHECK(rig.bad_clients() == 4);
  CHECK(said_to(rig, "GET /health HTTP/1.1\r\nX: never ends").empty()); // within its time
  CHECK(rig.bad_clients() == 5);
  CHECK(get(rig, "/health").starts_with("HTTP/1.1 200 "));
}
