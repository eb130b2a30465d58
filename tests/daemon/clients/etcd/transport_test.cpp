#include "tests/daemon/clients/etcd/grpc_client.hpp"
#include "tests/daemon/clients/port_client.hpp"
#include "tests/daemon/fixture/node_rig.hpp"

#include "rpc.pb.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <string_view>

using namespace quorumd;
using namespace quorumd::testing;
namespace pb = etcdserverpb;

// gRPC itself, below etcd's calls, and what a node can do that knows of no leader.
namespace {

constexpr std::string_view range_call = "/etcdserverpb.KV/Range";

/// One of three members, the others of which never come.
node_rig::options alone_of_three(std::chrono::milliseconds timeout = 300ms) {
  return {.loops = 1, .clients = {.session = {.timeout_default = timeout}}, .members = 3};
}

pb::WatchRequest watch_of(const std::string& key) {
  pb::WatchRequest r;
  r.mutable_create_request()->set_key(key);
  return r;
}

/// What is said to a request in JSON, once that has `part` in it.
std::string said_in_json(const node_rig& rig, std::string_view path, std::string_view body, std::string_view header,
                         std::string_view part) {
  raw_connection c(at(rig));
  REQUIRE(c.send("POST " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + std::string(header) +
                 "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body)));
  std::string said;
  CHECK_MESSAGE(c.says(part, said), said);
  return said;
}

} // namespace

TEST_CASE("transport: an error is in trailers only, and what is behind the type's name does not count") {
  node_rig rig(with(1));
  REQUIRE(served(rig.call(client::health_request{})));
  grpc_client c(at(rig));
  const auto refused = c.call(range_call, pb::RangeRequest());
  CHECK(refused.code == "3");
  CHECK(refused.blocks == 1);
  CHECK(refused.body.empty());
  pb::RangeRequest get;
  get.set_key("k");
  const auto good = c.call(range_call, get, {{"content-type", "application/grpc+proto"}});
  CHECK(good.ok());
  CHECK(good.blocks == 2);
  for (const std::string_view version : {"v1", "v1alpha"}) {
    const std::string service = "grpc.reflection." + std::string(version) + ".ServerReflection";
    const auto none = c.call("/" + service + "/ServerReflectionInfo", pb::AlarmRequest());
    CHECK(none.code == "12");
    CHECK(none.text == "unknown service " + service);
  }
}

// However often they come: etcd says `too_many_pings` to those that come more than once in five seconds.
TEST_CASE("transport: pings are answered") {
  node_rig rig(with(1));
  raw_connection c(at(rig));
  std::string all = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + std::string("\0\0\0\4\0\0\0\0\0", 9);
  const auto ping = [](char ack, int number) {
    return std::string("\0\0\x8\6", 4) + ack + std::string(4, '\0') + "ping " + std::to_string(100 + number);
  };
  for (int i = 0; i < 50; ++i) all += ping(0, i);
  REQUIRE(c.send(all));
  std::string said;
  for (int i = 0; i < 50; ++i) REQUIRE(c.says(ping(1, i), said));
  CHECK_FALSE(c.closed_within(300ms));
}

TEST_CASE("transport: without a leader there is what is serializable") {
  node_rig alone(alone_of_three());
  grpc_client c(at(alone));
  pb::RangeRequest get;
  get.set_key("k");
  const auto late = c.call(range_call, get);
  CHECK(late.code == "14");
  CHECK(late.text == "etcdserver: request timed out");
  get.set_serializable(true);
  CHECK(c.call(range_call, get).ok());
  pb::PutRequest put;
  put.set_key("k");
  CHECK(c.call("/etcdserverpb.KV/Put", put).code == "14");
  const auto status = c.call("/etcdserverpb.Maintenance/Status", pb::AlarmRequest()).as<pb::StatusResponse>();
  CHECK(status.leader() == 0);
  REQUIRE(status.errors_size() == 1);
  CHECK(status.errors(0) == "etcdserver: no leader");
  for (const bool linearizable : {false, true}) {
    pb::MemberListRequest list;
    list.set_linearizable(linearizable);
    CHECK(c.call("/etcdserverpb.Cluster/MemberList", list).as<pb::MemberListResponse>().members_size() == 3);
  }
}

// It is ended once there has been no leader for a while, and then refused at once.
TEST_CASE("transport: a watch that needs a leader") {
  node_rig alone(alone_of_three());
  grpc_client c(at(alone));
  const auto open = [&](const grpc_client::headers& more) {
    const std::int32_t id = c.begin("/etcdserverpb.Watch/Watch", {}, more, false);
    c.say(id, watch_of("k"));
    return id;
  };
  const std::int32_t patient = open({});
  const std::int32_t other = open({{"hasleader", "false"}});
  for (int round = 0; round < 2; ++round) {
    const auto ended = c.wait(open({{"hasleader", "true"}}));
    CHECK(ended.code == "14");
    CHECK(ended.text == "etcdserver: no leader");
  }
  const std::string said = said_in_json(alone, "/v3/watch", R"({"create_request":{"key":"YQ=="}})",
                                        "Grpc-Metadata-Hasleader: true", "etcdserver: no leader");
  CHECK(said.find(R"({"error":{"grpc_code":14,"http_code":503,)") != std::string::npos);
  for (const std::int32_t id : {patient, other}) {
    CHECK(c.next<pb::WatchResponse>(id).created());
    CHECK_FALSE(c.so_far(id).closed);
  }
}

TEST_CASE("transport: a deadline in JSON") {
  node_rig alone(alone_of_three(60s));
  const auto began = std::chrono::steady_clock::now();
  const std::string said =
      said_in_json(alone, "/v3/kv/range", R"({"key":"YQ=="})", "Grpc-Timeout: 200m", "request timed out");
  CHECK(said.starts_with("HTTP/1.1 503 "));
  CHECK(std::chrono::steady_clock::now() - began < 30s);
}
