#include "tests/daemon/clients/etcd/grpc_client.hpp"
#include "tests/daemon/clients/port_client.hpp"
#include "tests/daemon/fixture/node_rig.hpp"

#include "rpc.pb.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>

using namespace quorumd;
using namespace quorumd::testing;
namespace pb = etcdserverpb;

// What members speak only rises: etcd's own errors say so, and as etcd 3.4 the call is unknown.
TEST_CASE("grpc: nothing is downgraded") {
  const std::string path = "/etcdserverpb.Maintenance/Downgrade";
  const auto request = [](int action, const std::string& version) {
    pb::DowngradeRequest r;
    r.set_action(static_cast<pb::DowngradeRequest::DowngradeAction>(action));
    r.set_version(version);
    return r;
  };
  node_rig rig(with(2));
  REQUIRE(served(rig.call(client::health_request{})));
  grpc_client caller(at(rig));
  for (const int action : {pb::DowngradeRequest::VALIDATE, pb::DowngradeRequest::ENABLE}) {
    for (const char* version : {"3.4", "3.4.0", "3.5.0", "3.6.0-rc.1+x.2", "99.99", "3.4.9223372036854775807"}) {
      const auto a = caller.call(path, request(action, version));
      CHECK(a.code == "3");
      CHECK_MESSAGE(a.text == "etcdserver: invalid downgrade target version", version);
    }
    for (const char* version :
         {"", "3", "3.", "3.4.0.0", "v3.4.0", "3.x", "3.4-rc", " 3.4", "3.4.0-_", "3.4.99999999999999999999"}) {
      const auto a = caller.call(path, request(action, version));
      CHECK(a.code == "3");
      CHECK_MESSAGE(a.text == "etcdserver: wrong downgrade target version format", version);
    }
  }
  const auto cancel = caller.call(path, request(pb::DowngradeRequest::CANCEL, {}));
  CHECK(cancel.code == "9");
  CHECK(cancel.text == "etcdserver: no inflight downgrade job");
  const auto other = caller.call(path, request(7, "3.4"));
  CHECK(other.code == "2");
  CHECK(other.text == "etcdserver: unknown method");

  node_rig old({.loops = 1, .clients = {.session = {.etcd = &clients::etcd_3_4}}});
  grpc_client client(at(old));
  for (const auto& [unknown, service] : {std::pair("Downgrade", "Maintenance"), std::pair("AuthStatus", "Auth")}) {
    const std::string of = std::string("etcdserverpb.") + service;
    const auto a = client.call("/" + of + "/" + unknown, pb::DowngradeRequest());
    CHECK(a.code == "12");
    CHECK(a.text == std::string("unknown method ") + unknown + " for service " + of);
  }
}
