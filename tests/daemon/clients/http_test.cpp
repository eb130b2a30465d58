#include "daemon/clients/web_rules.hpp"
#include "tests/cluster/raw_client.hpp"
#include "tests/daemon/clients/port_client.hpp"
#include "tests/daemon/fixture/node_rig.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

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

/// Takes no profile: the test says when one is over.
class told_profiler final : public clients::profiler {
 public:
  std::optional<std::string> begin(const void* who, client::profile_request what, coro::loop& back,
                                   receiver done) override {
    const std::lock_guard lock(mutex_);
    if (who_ != nullptr) return "another profile is being taken";
    who_ = who;
    asked_ = what;
    end_ = [&back, done = std::move(done)](const outcome& o) { back.post([done, o] { done(o); }); };
    return std::nullopt;
  }
  void cancel(const void* who) override {
    if (who == who_now()) end({.error = {}, .note = {}, .bytes = "a part"});
  }
  bool taking() { return who_now() != nullptr; }
  client::profile_request asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  void end(const outcome& o) {
    const std::lock_guard lock(mutex_);
    who_ = nullptr;
    if (auto end = std::exchange(end_, {})) end(o);
  }

 private:
  const void* who_now() {
    const std::lock_guard lock(mutex_);
    return who_;
  }
  std::mutex mutex_;
  const void* who_ = nullptr;
  client::profile_request asked_;
  std::function<void(const outcome&)> end_;
};

} // namespace

TEST_CASE("http: health, version and metrics") {
  for (const std::size_t loops : {1U, 2U}) {
    node_rig rig(with(loops));
    REQUIRE(served(rig.call(client::health_request{})));
    const std::string health = get(rig, "/health");
    CHECK(health.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(has(health, "Content-Type: application/json\r\n"));
    CHECK(health.ends_with("\r\n\r\n{\"health\":\"true\",\"reason\":\"\"}"));
    CHECK(get(rig, "/health?serializable=true").ends_with("{\"health\":\"true\",\"reason\":\"\"}"));
    CHECK(get(rig, "/livez").ends_with("\r\n\r\nok"));
    CHECK(get(rig, "/readyz").ends_with("\r\n\r\nok"));
    CHECK(get(rig, "/readyz?verbose").ends_with("\r\n\r\n[+]data_corruption ok\n[+]linearizable_read ok\nok\n"));
    CHECK(get(rig, "/livez?verbose").ends_with("\r\n\r\n[+]serializable_read ok\nok\n"));
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

// Who has etcd's dashboards asks for its names too; what they say is what quorumd's own say.
TEST_CASE("http: metrics under etcd's names") {
  for (const std::size_t loops : {1U, 2U}) {
    node_rig rig(with(loops));
    for (const char* key : {"a", "b", "a"})
      REQUIRE(served(rig.call(kv::command(kv::put{.key = key, .value = "value"}))));
    REQUIRE(comes_true([&] { return has(get(rig, "/metrics"), "\nquorumd_store_quota_bytes "); }));
    CHECK_FALSE(has(get(rig, "/metrics"), "etcd_"));
    const std::string page = get(rig, "/metrics?compat=etcd");
    const auto value = [&](const std::string& series) {
      const std::size_t at = page.find("\n" + series + " ");
      REQUIRE_MESSAGE(at != std::string::npos, series);
      return std::stod(page.substr(at + series.size() + 2));
    };
    const auto bucket = [](const std::string& name, const std::string& le) {
      return name + "_bucket{le=\"" + le + "\"}";
    };
    CHECK(page.find("\nquorumd_raft_has_leader 1\n") < page.find("# HELP etcd_"));
    CHECK(value("etcd_server_has_leader") == 1);
    CHECK(value("etcd_server_is_leader") == 1);
    CHECK(value("etcd_server_leader_changes_seen_total") == 1);
    CHECK(value("etcd_server_proposals_committed_total") == value("quorumd_raft_commit"));
    CHECK(value("etcd_server_proposals_applied_total") == value("quorumd_raft_applied"));
    CHECK(value("etcd_server_proposals_applied_total") >= 3);
    CHECK(value("etcd_server_proposals_pending") == 0);
    CHECK(value("etcd_server_proposals_failed_total") == 0);
    CHECK(value("etcd_debugging_mvcc_keys_total") == 2);
    CHECK(value("etcd_mvcc_db_total_size_in_bytes") == value("quorumd_store_bytes"));
    CHECK(value("etcd_mvcc_db_total_size_in_use_in_bytes") < value("quorumd_store_bytes"));
    CHECK(value("etcd_server_quota_backend_bytes") == double(std::uint64_t{4} << 30));
    CHECK(value("etcd_server_version{server_version=\"3.5.21\"}") == 1);
    const std::string fsync = "etcd_disk_wal_fsync_duration_seconds";
    CHECK(value(fsync + "_count") == value("quorumd_log_sync_seconds_count"));
    CHECK(value(fsync + "_count") > 0);
    CHECK(value(fsync + "_sum") == value("quorumd_log_sync_seconds_sum"));
    CHECK(value(bucket(fsync, "0.001")) <= value(bucket(fsync, "8.192")));
    CHECK(value(bucket(fsync, "+Inf")) == value(fsync + "_count"));
    CHECK(value("process_resident_memory_bytes") > 1'000'000);
    CHECK(value("process_virtual_memory_bytes") > value("process_resident_memory_bytes"));
    CHECK(value("process_cpu_seconds_total") > 0);
    CHECK(value("process_open_fds") > 3);
    CHECK(value("process_max_fds") >= value("process_open_fds"));
    const auto now = double(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()));
    CHECK(value("process_start_time_seconds") > now - 3600);
    CHECK(value("process_start_time_seconds") <= now + 1);
    CHECK_FALSE(has(page, "round_trip")); // with nobody else

    REQUIRE(rig.call(kv::command(kv::configure{.keep_revisions = {}, .history_bytes_max = {}, .quota_bytes = 0}))
                .has_value());
    CHECK_FALSE(has(get(rig, "/metrics?compat=etcd"), "etcd_server_quota_backend_bytes")); // there is none
  }
}

// A write that comes to nothing is counted, one that is refused is not.
TEST_CASE("http: writes that fail are counted") {
  node_rig alone(
      {.loops = 2, .clients = {.session = {.timeout_default = std::chrono::milliseconds(300)}}, .members = 3});
  CHECK(has(get(alone, "/metrics?compat=etcd"), "\netcd_server_proposals_failed_total 0\n"));
  raw_connection c(at(alone));
  wire::byte_buffer out;
  std::uint64_t id = 0;
  for (const char* key : {"a", "", "b"})
    client::encode_request(out, ++id, 300ms, kv::command(kv::put{.key = key, .value = "1"}));
  REQUIRE(c.send(out));
  for (int i = 0; i < 3; ++i) {
    const auto r = c.receive(10s);
    REQUIRE(r.has_value());
    CHECK(std::holds_alternative<client::client_error>(r->body));
  }
  const std::string page = get(alone, "/metrics?compat=etcd");
  CHECK(has(page, "\netcd_server_proposals_failed_total 2\n"));
  CHECK(has(page, "\nquorumd_client_writes_failed_total 2\n"));
  CHECK(has(page, "\netcd_server_has_leader 0\n"));
  CHECK(has(page, "\netcd_server_leader_changes_seen_total 0\n"));
}

// By call and code, whatever carried them; a call that nobody knows is none.
TEST_CASE("http: calls of etcd's API are counted") {
  node_rig rig(with(2));
  REQUIRE(served(rig.call(client::health_request{})));
  const auto post = [&](const std::string& path, const std::string& body) {
    return said_to(rig, "POST " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " +
                            std::to_string(body.size()) + "\r\n\r\n" + body);
  };
  CHECK_FALSE(has(get(rig, "/metrics?compat=etcd"), "grpc_server_"));
  for (int i = 0; i < 3; ++i) CHECK(has(post("/v3/kv/put", R"({"key": "YQ==", "value": "Yg=="})"), "200 OK"));
  CHECK(has(post("/v3/kv/range", R"({"key": "YQ==", "revision": "99"})"), "future revision"));
  (void)post("/v3/kv/nothing", "{}");
  const std::string page = get(rig, "/metrics?compat=etcd");
  const std::string put = R"(grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"} 3)";
  const std::string range = R"(grpc_method="Range",grpc_service="etcdserverpb.KV",grpc_type="unary"} )";
  CHECK(has(page, "\ngrpc_server_started_total{" + put + "\n"));
  CHECK(has(page, "\ngrpc_server_handled_total{grpc_code=\"OK\"," + put + "\n"));
  CHECK(has(page, "\ngrpc_server_msg_received_total{" + put + "\n"));
  CHECK(has(page, "\ngrpc_server_msg_sent_total{" + put + "\n"));
  CHECK(has(page, "\ngrpc_server_handled_total{grpc_code=\"OutOfRange\"," + range + "1\n"));
  CHECK(has(page, "\ngrpc_server_msg_sent_total{" + range + "0\n"));
  CHECK_FALSE(has(page, "nothing"));
  CHECK(has(page, "\nquorumd_grpc_handled_total{of=\"etcdserverpb.KV/Put OK\"} 3\n"));
}

TEST_CASE("http: one connection, many requests") {
  node_rig rig(with(2));
  REQUIRE(served(rig.call(client::health_request{})));
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
  CHECK(get(alone, "/health?serializable=true").starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(get(alone, "/readyz").starts_with("HTTP/1.1 503 "));
  CHECK(has(get(alone, "/readyz?verbose"), "\r\n\r\n[+]data_corruption ok\n[-]linearizable_read failed: "));
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
  const std::string metrics = get(full, "/metrics");
  CHECK(has(metrics, "\nquorumd_store_full 1\n"));
  CHECK(has(metrics, "\nquorumd_client_writes_failed_total 0\n")); // refused in good order
}

TEST_CASE("http: what is none") {
  node_rig rig({.loops = 1, .clients = {.session = {.handshake_timeout = std::chrono::milliseconds(500)}}});
  REQUIRE(served(rig.call(client::health_request{})));
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

TEST_CASE("http: web pages of other origins, and names that are not this node's") {
  const auto asked = [](const node_rig& rig, const std::string& method, const std::string& target,
                        const std::string& headers) {
    return said_to(rig, method + " " + target + " HTTP/1.1\r\n" + headers +
                            "Content-Length: 2\r\nConnection: close\r\n\r\n{}");
  };
  const std::string of_console = "Host: db.example:2379\r\nOrigin: https://console.example\r\n";
  const std::string allowed = "\r\nAccess-Control-Allow-Origin: https://console.example\r\n";
  node_rig open(with(1));
  REQUIRE(served(open.call(client::health_request{})));
  const std::string refused = asked(open, "POST", "/v3/maintenance/status", of_console);
  CHECK(refused.starts_with("HTTP/1.1 403 "));
  CHECK_FALSE(has(refused, "Access-Control"));
  CHECK(asked(open, "OPTIONS", "/v3/kv/range", of_console).starts_with("HTTP/1.1 403 "));
  CHECK(asked(open, "GET", "/v3/watch",
              of_console + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
            .starts_with("HTTP/1.1 403 "));
  CHECK(asked(open, "POST", "/v3/maintenance/status", "Host: a:1\r\nOrigin: http://a:1\r\n")
            .starts_with("HTTP/1.1 200 "));
  CHECK(asked(open, "GET", "/health", of_console).starts_with("HTTP/1.1 200 "));

  const clients::web_rules rules{.origins = {"https://console.example"}, .hosts = {"db.example", "::1"}};
  node_rig rig({.loops = 1, .clients = {.session = {.web = std::make_shared<const clients::web_rules>(rules)}}});
  REQUIRE(served(rig.call(client::health_request{})));
  const std::string status = asked(rig, "POST", "/v3/maintenance/status", of_console);
  CHECK(status.starts_with("HTTP/1.1 200 "));
  CHECK(has(status, allowed));
  CHECK(has(asked(rig, "POST", "/v3/lease/keepalive", of_console), allowed)); // in parts
  CHECK(has(asked(rig, "POST", "/v3/nothing", of_console), allowed));
  CHECK(has(asked(rig, "OPTIONS", "/v3/kv/range", of_console), allowed));
  CHECK(asked(rig, "OPTIONS", "/v3/kv/range", of_console).starts_with("HTTP/1.1 200 "));
  CHECK_FALSE(has(asked(rig, "GET", "/health", "Host: db.example\r\nOrigin: https://other.example\r\n"), "Access-"));
  CHECK(asked(rig, "GET", "/health", "Host: [::1]:2379\r\n").starts_with("HTTP/1.1 200 "));
  for (const char* host : {"Host: evil.example\r\n", "Host: db.example.evil:2379\r\n", "Host: [::2]\r\n", ""})
    for (const char* target : {"/health", "/v3/kv/put", "/metrics"}) {
      const std::string said = asked(rig, "POST", target, host);
      CHECK(said.starts_with("HTTP/1.1 421 Misdirected Request\r\n"));
      CHECK(has(said, "http.host_whitelist"));
    }
}

TEST_CASE("http: a node that answers as etcd 3.4") {
  node_rig rig({.loops = 1, .clients = {.session = {.etcd = &clients::etcd_3_4}}});
  REQUIRE(served(rig.call(client::health_request{})));
  CHECK(get(rig, "/health").ends_with("\r\n\r\n{\"health\":\"true\"}"));
  CHECK(get(rig, "/version").ends_with("{\"etcdserver\":\"3.4.23\",\"etcdcluster\":\"3.4.0\"}"));
  CHECK(has(get(rig, "/metrics?compat=etcd"), "etcd_server_version{server_version=\"3.4.23\"} 1"));
  const auto post = [&](const std::string& path) {
    return said_to(rig, "POST " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  };
  CHECK(has(post("/v3/maintenance/status"), "\"version\":\"3.4.23\""));
  CHECK(post("/v3/maintenance/downgrade").starts_with("HTTP/1.1 404 "));
  CHECK(post("/v3/maintenance/alarm").ends_with("\r\n\r\n{}"));
  CHECK(post("/v3/maintenance/defragment").ends_with("\r\n\r\n{}"));
}

TEST_CASE("http: what stands under /debug/pprof, where it is served") {
  told_profiler profiler;
  node_rig off({.loops = 1, .clients = {}, .profiler = &profiler});
  for (const char* path : {"/debug/pprof/", "/debug/pprof/profile", "/debug/pprof/nothing"}) {
    const std::string said = get(off, path);
    CHECK(said.starts_with("HTTP/1.1 404 "));
    CHECK(has(said, "http.pprof=true"));
    CHECK(has(said, "\r\nX-Go-Pprof: 1\r\n"));
  }
  node_rig on({.loops = 1, .clients = {.session = {.profiles = true}}, .profiler = &profiler});
  for (const char* path : {"/debug/pprof/", "/debug/pprof"}) {
    const std::string index = get(on, path);
    CHECK(index.starts_with("HTTP/1.1 200 "));
    CHECK(has(index, "Content-Type: text/html"));
    for (const char* link : {"profile?seconds=30\"", "heap?seconds=10\"", "cmdline\""})
      CHECK(has(index, std::string("href=\"/debug/pprof/") + link));
  }
  CHECK(has(get(on, "/debug/pprof/cmdline"), "test_clients"));
  CHECK(get(on, "/debug/pprof/symbol").ends_with("\r\n\r\nnum_symbols: 0\n"));
  CHECK(said_to(on, request("/debug/pprof/symbol", "POST")).ends_with("\r\n\r\nnum_symbols: 0\n"));
  CHECK(said_to(on, request("/debug/pprof/profile", "POST")).starts_with("HTTP/1.1 405 "));
  CHECK(has(get(on, "/debug/pprof/goroutine?debug=2"), "quorumd has no goroutines"));
  for (const char* name : {"goroutine", "block", "mutex", "trace", "threadcreate", "allocs", "profile/", "x"})
    CHECK(get(on, std::string("/debug/pprof/") + name).starts_with("HTTP/1.1 404 "));
  CHECK(has(get(on, "/debug/pprofile"), "there is nothing here but"));
  for (const char* seconds : {"", "0", "-1", "301", "1.5", "x", "99999999999"}) {
    const std::string said = get(on, std::string("/debug/pprof/profile?seconds=") + seconds);
    CHECK(said.starts_with("HTTP/1.1 400 "));
    CHECK(has(said, "from 1 to 300"));
  }
  const std::string of_a_page = "GET /debug/pprof/profile HTTP/1.1\r\nHost: x\r\nOrigin: http://y\r\n\r\n";
  raw_connection page(at(on));
  REQUIRE(page.send(of_a_page));
  std::string said;
  CHECK(page.says("may not take profiles", said, 0));
  CHECK_FALSE(profiler.taking());
}

TEST_CASE("http: a profile is one client's, for as long as that is there") {
  for (const std::size_t loops : {1U, 2U}) {
    told_profiler profiler;
    node_rig rig({.loops = loops, .clients = {.session = {.profiles = true}}, .profiler = &profiler});
    REQUIRE(served(rig.call(client::health_request{})));
    const auto begin = [&](const std::string& target) {
      auto c = std::make_unique<raw_connection>(at(rig));
      REQUIRE(c->send(request(target, "GET", false)));
      REQUIRE(comes_true([&] { return profiler.taking(); }));
      return c;
    };
    auto one = begin("/debug/pprof/profile");
    CHECK(profiler.asked().kind == client::profile_kind::cpu);
    CHECK(profiler.asked().length == std::chrono::seconds(30));
    CHECK(get(rig, "/debug/pprof/heap").starts_with("HTTP/1.1 503 ")); // one at a time
    CHECK(get(rig, "/health").starts_with("HTTP/1.1 200 "));           // and nobody else waits
    profiler.end({.error = {}, .note = {}, .bytes = std::string("cpu\0bytes", 9)});
    std::string said;
    CHECK(one->closed_within(10s, &said));
    CHECK(said.starts_with("HTTP/1.1 200 "));
    CHECK(has(said, "Content-Type: application/octet-stream\r\n"));
    CHECK(has(said, "filename=\"quorumd.cpu.prof\"\r\n"));
    CHECK(said.ends_with(std::string("\r\n\r\ncpu\0bytes", 13)));

    one = begin("/debug/pprof/heap?debug=1&seconds=7");
    CHECK(profiler.asked().kind == client::profile_kind::heap);
    CHECK(profiler.asked().length == std::chrono::seconds(7));
    profiler.end({.error = "it failed", .note = {}, .bytes = {}});
    said.clear();
    CHECK(one->closed_within(10s, &said));
    CHECK(said.starts_with("HTTP/1.1 500 "));
    CHECK(said.ends_with("\r\n\r\nit failed\n"));

    one = begin("/debug/pprof/profile");
    one.reset(); // whoever asked leaves
    CHECK(comes_true([&] { return !profiler.taking(); }));
    CHECK(comes_true([&] { return rig.connections() == 1; }));

    one = begin("/debug/pprof/profile?seconds=1");
    REQUIRE(one->send(std::string(40'000, 'x'))); // it goes on and on
    CHECK(comes_true([&] { return !profiler.taking(); }));
    CHECK(rig.bad_clients() == 1);

    one = begin("/debug/pprof/profile?seconds=300");
    rig.stop_reading(); // the node stops: there is what was taken
    said.clear();
    CHECK(one->closed_within(10s, &said));
    CHECK(said.ends_with("\r\n\r\na part"));
    CHECK_FALSE(profiler.taking());
  }
}
