#include "tests/daemon/clients/etcd/grpc_client.hpp"
#include "tests/daemon/clients/port_client.hpp"
#include "tests/daemon/fixture/node_rig.hpp"

#include "rpc.pb.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

using namespace quorumd;
using namespace quorumd::testing;
namespace pb = etcdserverpb;

// etcd's Lease on the client port of a real node.
namespace {

struct lease_rig {
  explicit lease_rig(const node_rig::options& o = with(1))
      : rig(o)
      , client(at(rig)) {
    REQUIRE(served(rig.call(client::health_request{})));
  }
  grpc_client::answer grant(std::int64_t id, std::int64_t ttl) {
    pb::LeaseGrantRequest r;
    r.set_id(id);
    r.set_ttl(ttl);
    return client.call("/etcdserverpb.Lease/LeaseGrant", r);
  }
  grpc_client::answer revoke(std::int64_t id) {
    pb::LeaseRevokeRequest r;
    r.set_id(id);
    return client.call("/etcdserverpb.Lease/LeaseRevoke", r);
  }
  pb::LeaseTimeToLiveResponse time(std::int64_t id, bool keys = false) {
    pb::LeaseTimeToLiveRequest r;
    r.set_id(id);
    r.set_keys(keys);
    return client.call("/etcdserverpb.Lease/LeaseTimeToLive", r).as<pb::LeaseTimeToLiveResponse>();
  }
  grpc_client::answer put(const std::string& key, std::int64_t lease) {
    pb::PutRequest r;
    r.set_key(key);
    r.set_lease(lease);
    return client.call("/etcdserverpb.KV/Put", r);
  }
  std::int64_t count() {
    pb::RangeRequest r;
    r.set_key(std::string(1, '\0'));
    r.set_range_end(std::string(1, '\0'));
    return client.call("/etcdserverpb.KV/Range", r).as<pb::RangeResponse>().count();
  }
  std::int32_t keep_alive() { return client.begin("/etcdserverpb.Lease/LeaseKeepAlive", {}, {}, false); }
  pb::LeaseKeepAliveResponse renew(std::int32_t stream, std::int64_t id) {
    pb::LeaseKeepAliveRequest r;
    r.set_id(id);
    client.say(stream, r);
    return client.next<pb::LeaseKeepAliveResponse>(stream);
  }

  node_rig rig;
  grpc_client client;
};

} // namespace

TEST_CASE("lease: granted, attached, asked about, listed, revoked") {
  for (const std::size_t loops : {1U, 2U}) {
    lease_rig l(with(loops));
    const auto granted = l.grant(77, 100).as<pb::LeaseGrantResponse>();
    CHECK(granted.id() == 77);
    CHECK(granted.ttl() == 100);
    CHECK(granted.header().revision() == 1);
    const auto named = l.grant(0, -5).as<pb::LeaseGrantResponse>();
    CHECK(named.id() > 0);
    CHECK(named.ttl() == 2); // the least
    CHECK(l.grant(-9, 100).as<pb::LeaseGrantResponse>().id() == -9);
    const auto twice = l.grant(77, 100);
    CHECK(twice.code == "9");
    CHECK(twice.text == "etcdserver: lease already exists");
    const auto endless = l.grant(78, 9'000'000'001);
    CHECK(endless.code == "11");
    CHECK(endless.text == "etcdserver: too large lease TTL");
    CHECK(l.grant(78, 9'000'000'000).ok());

    CHECK(l.put("b", 77).ok());
    CHECK(l.put("a", 77).ok());
    const auto missing = l.put("a", 5);
    CHECK(missing.code == "5");
    CHECK(missing.text == "etcdserver: requested lease not found");
    const auto t = l.time(77, true);
    CHECK(t.id() == 77);
    CHECK(t.grantedttl() == 100);
    CHECK(t.ttl() > 60);
    CHECK(t.ttl() <= 100);
    REQUIRE(t.keys_size() == 2);
    CHECK(t.keys(0) == "a");
    CHECK(l.time(77).keys_size() == 0);
    CHECK(l.time(78).ttl() == 9'000'000'000);
    CHECK(l.time(5).ttl() == -1);
    const auto all =
        l.client.call("/etcdserverpb.Lease/LeaseLeases", pb::LeaseKeepAliveRequest()).as<pb::LeaseLeasesResponse>();
    CHECK(all.leases_size() == 4);

    const auto revoked = l.revoke(77);
    CHECK(revoked.as<pb::LeaseRevokeResponse>().header().revision() == 4);
    CHECK(l.count() == 0);
    CHECK(l.revoke(77).code == "5");
  }
}

TEST_CASE("lease: it ends by itself, with its keys, unless it is kept alive") {
  lease_rig l(with(2));
  REQUIRE(l.grant(1, 2).ok());
  REQUIRE(l.grant(2, 2).ok());
  REQUIRE(l.put("ends", 1).ok());
  REQUIRE(l.put("stays", 2).ok());
  const auto s = l.keep_alive();
  CHECK(comes_true([&] {
    CHECK(l.renew(s, 2).ttl() == 2);
    return l.count() == 1;
  }));
  const auto gone = l.renew(s, 1);
  CHECK(gone.id() == 1);
  CHECK(gone.ttl() == 0);
  CHECK(l.time(2).ttl() >= 0);
  l.client.half_close(s);
  CHECK(l.client.wait(s).ok());
}

TEST_CASE("lease: many renewals, and bad ones") {
  lease_rig l(with(2));
  REQUIRE(l.grant(1, 1000).ok());
  const auto s = l.keep_alive();
  pb::LeaseKeepAliveRequest r;
  r.set_id(1);
  std::string all;
  for (int i = 0; i < 1000; ++i) all += grpc_client::framed(r);
  l.client.say_bytes(s, all);
  l.client.half_close(s); // those that came are answered
  int answers = 0;
  while (l.client.next<pb::LeaseKeepAliveResponse>(s).ttl() == 1000) ++answers;
  CHECK(answers == 1000);
  CHECK(l.client.wait(s).ok());

  const auto empty = l.keep_alive();
  l.client.half_close(empty);
  CHECK(l.client.wait(empty).ok());
  const auto garbage = l.keep_alive();
  l.client.say_bytes(garbage, std::string("\0\0\0\0\1\xff", 6));
  CHECK(l.client.wait(garbage).code == "13");
  const auto given_up = l.keep_alive();
  l.client.say(given_up, r);
  l.client.reset(given_up);
  CHECK(l.grant(2, 10).ok());
}
