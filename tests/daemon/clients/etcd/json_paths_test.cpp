#include "daemon/clients/etcd/json.hpp"
#include "tests/daemon/clients/etcd/grpc_client.hpp"
#include "tests/daemon/clients/port_client.hpp"
#include "tests/daemon/fixture/node_rig.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace quorumd;
using namespace quorumd::testing;
using quorumd::clients::etcd::find_json_method;
using quorumd::clients::etcd::method;

namespace {

/// What the node says to a range with more in it.
grpc_client::answer ranged(grpc_client& c, const std::string& more) {
  return c.wait(c.begin("/v3/kv/range", R"({"key":"YQ==","range_end":"eg==",)" + more + "}",
                        {{"content-type", "application/json"}}));
}

} // namespace

// Each path leads to its call, by what only that one answers, and under all three versions.
TEST_CASE("json: every path") {
  struct row {
    std::string_view path;
    std::string_view body;
    std::string_view status;
    std::string_view part;
  };
  constexpr std::string_view no_auth = "authentication is not enabled, and cannot be yet";
  const row rows[] = {
      {"kv/put", R"({"key":"YQ==","value":"MQ=="})", "200", R"("revision":"2")"},
      {"kv/range", R"({"key":"YQ=="})", "200", R"("kvs":[{"key":"YQ==")"},
      {"kv/txn", R"({"success":[{"request_put":{"key":"YQ=="}}]})", "200", R"("succeeded":true)"},
      {"kv/deleterange", R"({"key":"YQ=="})", "200", R"("deleted":"1")"},
      {"kv/compaction", R"({"revision":99})", "400", "required revision is a future revision"},
      {"watch", R"({"create_request":{"key":"YQ=="}})", "200", R"("created":true)"},
      {"lease/grant", R"({"ID":7,"TTL":60})", "200", R"("ID":"7","TTL":"60"})"},
      {"lease/timetolive", R"({"ID":7})", "200", R"("grantedTTL":"60")"},
      {"kv/lease/timetolive", R"({"ID":7})", "200", R"("grantedTTL":"60")"},
      {"lease/leases", "{}", "200", R"("leases":[{"ID":"7"}])"},
      {"kv/lease/leases", "{}", "200", R"("leases":[{"ID":"7"}])"},
      {"lease/keepalive", R"({"ID":7})", "200", R"("ID":"7","TTL":"60"}})"},
      {"lock/lock", R"({"name":"bg==","lease":7})", "200", R"("key":"bi83")"},
      {"lock/unlock", R"({"key":"bi83"})", "200", R"("revision":"6")"},
      {"election/leader", R"({"name":"ZQ=="})", "500", "election: no leader"},
      {"election/campaign", R"({"name":"ZQ==","lease":7})", "200", R"("leader":{"name":"ZQ==")"},
      {"election/observe", R"({"name":"ZQ=="})", "200", R"("kv":{"key":"ZS83")"},
      {"election/proclaim", R"({"leader":{"key":"eA==","rev":3}})", "500", "election: not leader"},
      {"election/resign", R"({"leader":{"key":"eA=="}})", "200", R"("revision":"7")"},
      {"lease/revoke", R"({"ID":7})", "200", R"("revision":"8")"},
      {"kv/lease/revoke", R"({"ID":7})", "404", "requested lease not found"},
      {"cluster/member/list", "{}", "200", R"("members":[{"ID":"1")"},
      {"cluster/member/add", "{}", "400", "given member URLs are invalid"},
      {"cluster/member/update", R"({"ID":9})", "400", "given member URLs are invalid"},
      {"cluster/member/remove", R"({"ID":9})", "404", "member not found"},
      {"cluster/member/promote", R"({"ID":1})", "400", "can only promote a learner member"},
      {"maintenance/alarm", "{}", "200", R"("header":{)"},
      {"maintenance/status", "{}", "200", R"("raftAppliedIndex")"},
      {"maintenance/defragment", "{}", "200", "{}"},
      {"maintenance/hash", "{}", "200", R"("hash":)"},
      {"maintenance/hashkv", "{}", "200", R"("compact_revision":"-1")"},
      {"maintenance/snapshot", "{}", "200", R"("blob":"cXVvcnVtZF)"},
      {"maintenance/transfer-leadership", R"({"targetID":9})", "400", "bad leader transferee"},
      {"maintenance/downgrade", R"({"action":"CANCEL"})", "400", "no inflight downgrade job"},
      {"auth/status", "{}", "200", R"("header":{)"},
      {"auth/authenticate", "{}", "400", "etcdserver: authentication is not enabled\""},
      {"auth/disable", "{}", "200", R"("header":{)"},
      {"auth/enable", "{}", "501", no_auth},
      {"auth/user/add", "{}", "501", no_auth},
      {"auth/user/get", "{}", "501", no_auth},
      {"auth/user/list", "{}", "501", no_auth},
      {"auth/user/delete", "{}", "501", no_auth},
      {"auth/user/changepw", "{}", "501", no_auth},
      {"auth/user/grant", "{}", "501", no_auth},
      {"auth/user/revoke", "{}", "501", no_auth},
      {"auth/role/add", "{}", "501", no_auth},
      {"auth/role/get", "{}", "501", no_auth},
      {"auth/role/list", "{}", "501", no_auth},
      {"auth/role/delete", "{}", "501", no_auth},
      {"auth/role/grant", "{}", "501", no_auth},
      {"auth/role/revoke", "{}", "501", no_auth},
  };
  node_rig rig(with(1));
  REQUIRE(served(rig.call(client::health_request{})));
  grpc_client c(at(rig));
  for (const row& r : rows) {
    CAPTURE(r.path);
    const std::string path = "/v3/" + std::string(r.path);
    const std::int32_t id = c.begin(path, std::string(r.body), {{"content-type", "application/json"}});
    CHECK(comes_true([&] { return c.turn(5ms) && c.so_far(id).body.find(r.part) != std::string::npos; }));
    CHECK_MESSAGE(c.so_far(id).http == r.status, c.so_far(id).body);
    const method what = find_json_method(path);
    CHECK(find_json_method("/v3beta/" + std::string(r.path)) == what);
    CHECK(find_json_method("/v3alpha/" + std::string(r.path)) == what);
  }
}

// By its name, or by its number; etcd has the very words for others.
TEST_CASE("json: what is enumerated") {
  node_rig rig(with(1));
  REQUIRE(served(rig.call(client::health_request{})));
  grpc_client c(at(rig));
  const auto ask = [&](std::string_view path, std::string body) {
    return c.wait(c.begin(path, std::move(body), {{"content-type", "application/json"}}));
  };
  for (const char* key : {R"({"key":"YQ=="})", R"({"key":"Yg=="})"}) CHECK(ask("/v3/kv/put", key).http == "200");
  for (const char* down : {R"("sort_order":"DESCEND")", R"("sortOrder":2)", R"("sort_order":"DESCEND","unknown":"X")"})
    CHECK(ranged(c, down).body.find(R"("kvs":[{"key":"Yg==")") != std::string::npos);
  for (const char* none : {R"("sort_order":null)", R"("unknown":{"sort_order":"SIDEWAYS"})"})
    CHECK(ranged(c, none).body.find(R"("kvs":[{"key":"YQ==")") != std::string::npos);
  const auto sideways = ranged(c, R"("sort_order":"SIDEWAYS")");
  CHECK(sideways.http == "400");
  const std::string why = R"("unknown value \"SIDEWAYS\" for enum etcdserverpb.RangeRequest_SortOrder")";
  CHECK(sideways.body == R"({"error":)" + why + R"(,"message":)" + why + R"(,"code":3})");
  for (const char* other : {R"("sortTarget":"SIZE")", R"("sort_order":"")", R"("unknown":1,"sort_order":"UP")"})
    CHECK(ranged(c, other).http == "400");
  const auto nested =
      ask("/v3/kv/txn", R"({"success":[{"request_txn":{"compare":[{"key":"YQ=="},{"key":"YQ==","result":"LIKE"}]}}]})");
  CHECK(nested.http == "400");
  CHECK(nested.body.find(R"(\"LIKE\" for enum etcdserverpb.Compare_CompareResult)") != std::string::npos);
  const auto filtered = ask("/v3/watch", R"({"create_request":{"key":"YQ==","filters":["NOPUT","NOTHING"]}})");
  CHECK(filtered.http == "400");
  CHECK(filtered.body.find("WatchCreateRequest_FilterType") != std::string::npos);
}
