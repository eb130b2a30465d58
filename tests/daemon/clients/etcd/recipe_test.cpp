#include "tests/daemon/clients/etcd/grpc_client.hpp"
#include "tests/daemon/clients/port_client.hpp"
#include "tests/daemon/fixture/node_rig.hpp"

#include "election.pb.h"
#include "health.pb.h"
#include "lock.pb.h"
#include "rpc.pb.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

using namespace quorumd;
using namespace quorumd::testing;
namespace pb = etcdserverpb;
namespace election = v3electionpb;

// etcd's Lock and Election on the client port of a real node.
namespace {

constexpr std::string_view lock_path = "/v3lockpb.Lock/Lock";
constexpr std::string_view campaign_path = "/v3electionpb.Election/Campaign";
constexpr auto still = std::chrono::milliseconds(300);

struct recipe_rig {
  explicit recipe_rig(std::size_t loops = 1)
      : rig(with(loops))
      , client(at(rig)) {
    REQUIRE(served(rig.call(client::health_request{})));
    for (const std::int64_t id : {0x4d, 0x4e, 0x4f}) {
      pb::LeaseGrantRequest r;
      r.set_id(id);
      r.set_ttl(600);
      REQUIRE(client.call("/etcdserverpb.Lease/LeaseGrant", r).ok());
    }
  }

  std::int32_t lock(const std::string& name, std::int64_t lease, const grpc_client::headers& more = {}) {
    v3lockpb::LockRequest r;
    r.set_name(name);
    r.set_lease(lease);
    return client.begin(lock_path, grpc_client::framed(r), more);
  }
  grpc_client::answer unlock(const std::string& key) {
    v3lockpb::UnlockRequest r;
    r.set_key(key);
    return client.call("/v3lockpb.Lock/Unlock", r);
  }
  std::int32_t campaign(const std::string& name, std::int64_t lease, const std::string& value) {
    election::CampaignRequest r;
    r.set_name(name);
    r.set_lease(lease);
    r.set_value(value);
    return client.begin(campaign_path, grpc_client::framed(r));
  }
  grpc_client::answer leader(const std::string& name) {
    election::LeaderRequest r;
    r.set_name(name);
    return client.call("/v3electionpb.Election/Leader", r);
  }
  grpc_client::answer proclaim(const election::LeaderKey& k, const std::string& value) {
    election::ProclaimRequest r;
    *r.mutable_leader() = k;
    r.set_value(value);
    return client.call("/v3electionpb.Election/Proclaim", r);
  }
  grpc_client::answer resign(const election::LeaderKey& k) {
    election::ResignRequest r;
    *r.mutable_leader() = k;
    return client.call("/v3electionpb.Election/Resign", r);
  }
  std::int64_t count(const std::string& key, const std::string& end = {}) {
    pb::RangeRequest r;
    r.set_key(key);
    r.set_range_end(end);
    return client.call("/etcdserverpb.KV/Range", r).as<pb::RangeResponse>().count();
  }
  void revoke(std::int64_t lease) {
    pb::LeaseRevokeRequest r;
    r.set_id(lease);
    REQUIRE(client.call("/etcdserverpb.Lease/LeaseRevoke", r).ok());
  }

  node_rig rig;
  grpc_client client;
};

} // namespace

TEST_CASE("etcd lock: one after the other, in the order in which they came") {
  for (const std::size_t loops : {1U, 2U}) {
    recipe_rig r(loops);
    const auto first = r.client.wait(r.lock("n", 0x4d));
    REQUIRE(first.ok());
    CHECK(first.as<v3lockpb::LockResponse>().key() == "n/4d");
    CHECK(first.as<v3lockpb::LockResponse>().header().revision() == 2);
    const auto again = r.client.wait(r.lock("n", 0x4d)); // a retry of what was answered to nobody
    CHECK(again.as<v3lockpb::LockResponse>().key() == "n/4d");
    const auto other = r.client.wait(r.lock("m", 0x4e));
    CHECK(other.as<v3lockpb::LockResponse>().key() == "m/4e");

    const std::int32_t second = r.lock("n", 0x4e);
    CHECK(r.client.silent(second, still));
    const std::int32_t third = r.lock("n", 0x4f);
    CHECK(r.client.silent(third, still));
    REQUIRE(r.unlock("n/4d").ok());
    const auto got = r.client.wait(second);
    CHECK(got.as<v3lockpb::LockResponse>().key() == "n/4e");
    CHECK(r.client.silent(third, still));
    r.revoke(0x4e); // the lease ends, and with it what it holds
    CHECK(r.client.wait(third).as<v3lockpb::LockResponse>().key() == "n/4f");
    CHECK(r.count("n/", "n0") == 1);
  }
}

TEST_CASE("etcd lock: who gives up leaves the line") {
  recipe_rig r;
  REQUIRE(r.client.wait(r.lock("n", 0x4d)).ok());
  const std::int32_t second = r.lock("n", 0x4e);
  CHECK(r.client.silent(second, still));
  CHECK(r.count("n/4e") == 1);
  r.client.reset(second);
  CHECK(comes_true([&] { return r.count("n/4e") == 0; }));

  std::optional<grpc_client> gone(std::in_place, at(r.rig));
  v3lockpb::LockRequest ask;
  ask.set_name("n");
  ask.set_lease(0x4f);
  const std::int32_t third = gone->begin(lock_path, grpc_client::framed(ask));
  CHECK(gone->silent(third, still));
  CHECK(r.count("n/4f") == 1);
  gone.reset();
  CHECK(comes_true([&] { return r.count("n/4f") == 0; }));

  const auto late = r.client.wait(r.lock("n", 0x4e, {{"grpc-timeout", "300m"}}));
  CHECK(late.code == "4");
  CHECK(comes_true([&] { return r.count("n/4e") == 0; }));
  CHECK(r.count("n/4d") == 1);

  // Its own key is deleted while it waits.
  const std::int32_t lost = r.lock("n", 0x4e);
  CHECK(r.client.silent(lost, still));
  REQUIRE(r.unlock("n/4e").ok());
  REQUIRE(r.unlock("n/4d").ok());
  const auto expired = r.client.wait(lost);
  CHECK(expired.code == "2");
  CHECK(expired.text == "mutex: session is expired");
  CHECK(r.count("n/", "n0") == 0);
}

TEST_CASE("etcd lock: a lease of its own, and what is refused") {
  recipe_rig r;
  const auto own = r.client.wait(r.lock("n", 0));
  REQUIRE(own.ok());
  const std::string key = own.as<v3lockpb::LockResponse>().key();
  pb::RangeRequest get;
  get.set_key(key);
  const auto found = r.client.call("/etcdserverpb.KV/Range", get).as<pb::RangeResponse>();
  REQUIRE(found.kvs_size() == 1);
  pb::LeaseTimeToLiveRequest ttl;
  ttl.set_id(found.kvs(0).lease());
  CHECK(r.client.call("/etcdserverpb.Lease/LeaseTimeToLive", ttl).as<pb::LeaseTimeToLiveResponse>().grantedttl() == 60);

  const auto nobodys = r.client.wait(r.lock("n", 99));
  CHECK(nobodys.code == "2");
  CHECK(nobodys.text == "etcdserver: requested lease not found");
  const auto nothing = r.unlock("");
  CHECK(nothing.code == "2");
  CHECK(nothing.text == "etcdserver: key is not provided");
  CHECK(r.unlock("nobody").ok());
  const auto nonsense = r.client.wait(r.client.begin(lock_path, std::string("\0\0\0\0\1\xff", 6)));
  CHECK(nonsense.code == "13");
  CHECK(r.count("n/", "n0") == 1);
}

TEST_CASE("etcd election: campaign, proclaim, observe, resign") {
  for (const std::size_t loops : {1U, 2U}) {
    recipe_rig r(loops);
    const auto none = r.leader("e");
    CHECK(none.code == "2");
    CHECK(none.text == "election: no leader");
    election::LeaderRequest whose;
    whose.set_name("e");
    const std::int32_t observer = r.client.begin("/v3electionpb.Election/Observe", grpc_client::framed(whose));
    CHECK(r.client.silent(observer, still));
    const auto sees = [&] { return r.client.next<election::LeaderResponse>(observer).kv(); };

    const auto won = r.client.wait(r.campaign("e", 0x4d, "one"));
    REQUIRE(won.ok());
    const election::LeaderKey key = won.as<election::CampaignResponse>().leader();
    CHECK(key.name() == "e");
    CHECK(key.key() == "e/4d");
    CHECK(key.lease() == 0x4d);
    CHECK(sees().value() == "one");
    const auto again = r.client.wait(r.campaign("e", 0x4d, "changed"));
    CHECK(again.as<election::CampaignResponse>().leader().rev() == key.rev());
    CHECK(sees().value() == "changed");
    const std::int32_t second = r.campaign("e", 0x4e, "two");
    CHECK(r.client.silent(second, still));
    CHECK(r.leader("e").as<election::LeaderResponse>().kv().value() == "changed");
    REQUIRE(r.proclaim(key, "anew").ok());
    const auto anew = sees();
    CHECK(anew.value() == "anew");
    CHECK(anew.lease() == 0x4d);

    election::LeaderKey stale = key;
    stale.set_rev(1);
    const auto refused = r.proclaim(stale, "x");
    CHECK(refused.code == "2");
    CHECK(refused.text == "election: not leader");
    CHECK(r.resign(stale).ok()); // of no effect
    CHECK(r.leader("e").as<election::LeaderResponse>().kv().key() == "e/4d");
    REQUIRE(r.resign(key).ok());
    CHECK(r.client.wait(second).as<election::CampaignResponse>().leader().key() == "e/4e");
    CHECK(sees().key() == "e/4e");
    CHECK(r.client.call("/v3electionpb.Election/Proclaim", election::ProclaimRequest()).text ==
          "\"leader\" field must be provided");
  }
}

TEST_CASE("etcd snapshot: taken, sent with its digest, and as long as it says") {
  for (const std::size_t loops : {1U, 2U}) {
    recipe_rig r(loops);
    for (int i = 0; i < 3; ++i) {
      pb::PutRequest put;
      put.set_key("k" + std::to_string(i));
      put.set_value(std::string(700'000, 'v'));
      REQUIRE(r.client.call("/etcdserverpb.KV/Put", put).ok());
    }
    const std::int32_t stream =
        r.client.begin("/etcdserverpb.Maintenance/Snapshot", grpc_client::framed(pb::SnapshotRequest()));
    std::string all;
    std::uint64_t remaining = 1;
    while (remaining != 0) {
      const auto part = r.client.next<pb::SnapshotResponse>(stream);
      REQUIRE(!part.blob().empty());
      if (!all.empty()) CHECK(part.remaining_bytes() + part.blob().size() == remaining);
      remaining = part.remaining_bytes();
      all += part.blob();
    }
    CHECK(r.client.wait(stream).ok());
    CHECK(all.size() % 512 == 32);
    CHECK(all.starts_with("quorumdS"));
    CHECK(all.find(std::string(700'000, 'v')) != std::string::npos);
  }
}

TEST_CASE("grpc health: checked and watched") {
  namespace health = grpc::health::v1;
  recipe_rig r;
  health::HealthCheckRequest of_all;
  const auto now = r.client.call("/grpc.health.v1.Health/Check", of_all);
  CHECK(now.as<health::HealthCheckResponse>().status() == health::HealthCheckResponse::SERVING);
  health::HealthCheckRequest other;
  other.set_service("other");
  const auto none = r.client.call("/grpc.health.v1.Health/Check", other);
  CHECK(none.code == "5");
  CHECK(none.text == "unknown service");

  const auto watch = [](grpc_client& c, const health::HealthCheckRequest& what) {
    return c.begin("/grpc.health.v1.Health/Watch", grpc_client::framed(what));
  };
  const std::int32_t all = watch(r.client, of_all);
  CHECK(r.client.next<health::HealthCheckResponse>(all).status() == health::HealthCheckResponse::SERVING);
  const std::int32_t unknown = watch(r.client, other);
  CHECK(r.client.next<health::HealthCheckResponse>(unknown).status() == health::HealthCheckResponse::SERVICE_UNKNOWN);
  CHECK(r.client.silent(all, 1500ms));

  node_rig alone({.loops = 2, .members = 3}); // there is no quorum
  grpc_client c(at(alone));
  const std::int32_t there = watch(c, of_all);
  CHECK(c.next<health::HealthCheckResponse>(there).status() == health::HealthCheckResponse::NOT_SERVING);
}
