#include "tests/daemon/clients/etcd/grpc_client.hpp"
#include "tests/daemon/clients/port_client.hpp"
#include "tests/daemon/fixture/node_rig.hpp"

#include "rpc.pb.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace quorumd;
using namespace quorumd::testing;
namespace pb = etcdserverpb;

// What each field of a request is good for, on the client port of a real node.
namespace {

struct fields_rig {
  fields_rig()
      : rig(with(1))
      , client(at(rig)) {
    REQUIRE(served(rig.call(client::health_request{})));
  }

  template <class Response, class Request>
  Response ask(std::string_view path, const Request& r) {
    const auto a = client.call(path, r);
    CHECK_MESSAGE(a.ok(), a.text);
    return a.template as<Response>();
  }
  pb::RangeResponse range(const pb::RangeRequest& r) { return ask<pb::RangeResponse>("/etcdserverpb.KV/Range", r); }
  pb::PutResponse put(const pb::PutRequest& r) { return ask<pb::PutResponse>("/etcdserverpb.KV/Put", r); }
  pb::TxnResponse txn(const pb::TxnRequest& r) { return ask<pb::TxnResponse>("/etcdserverpb.KV/Txn", r); }
  /// Why the put is refused.
  std::string objection(const pb::PutRequest& r) {
    const auto a = client.call("/etcdserverpb.KV/Put", r);
    return a.code + " " + a.text;
  }
  void grant(std::int64_t id) {
    pb::LeaseGrantRequest r;
    r.set_id(id);
    r.set_ttl(600);
    static_cast<void>(ask<pb::LeaseGrantResponse>("/etcdserverpb.Lease/LeaseGrant", r));
  }
  mvccpb::KeyValue at_key(const std::string& key) {
    pb::RangeRequest r;
    r.set_key(key);
    const auto found = range(r);
    return found.kvs_size() == 1 ? found.kvs(0) : mvccpb::KeyValue();
  }

  node_rig rig;
  grpc_client client;
};

pb::PutRequest a_put(const std::string& key, const std::string& value) {
  pb::PutRequest r;
  r.set_key(key);
  r.set_value(value);
  return r;
}

pb::RangeRequest all_keys() {
  pb::RangeRequest r;
  r.set_key("a");
  r.set_range_end(std::string(1, '\0'));
  return r;
}

/// The keys, how many there are in all, and whether there are more.
std::string keys_of(const pb::RangeResponse& r) {
  std::string all;
  for (const auto& kv : r.kvs()) all += kv.key();
  return all + "/" + std::to_string(r.count()) + (r.more() ? " more" : "");
}

} // namespace

TEST_CASE("fields: a range's order, limit, revision and bounds") {
  fields_rig f;
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
           {"a", "3"}, {"b", "1"}, {"c", "x"}, {"c", "2"}, {"d", "0"}}) // revisions 2 to 6
    f.put(a_put(key, value));
  using range = pb::RangeRequest;
  const auto sorted = [&](range::SortTarget target, range::SortOrder order) {
    auto r = all_keys();
    r.set_sort_target(target);
    r.set_sort_order(order);
    return keys_of(f.range(r));
  };
  CHECK(sorted(range::KEY, range::NONE) == "abcd/4");
  CHECK(sorted(range::KEY, range::DESCEND) == "dcba/4");
  CHECK(sorted(range::VERSION, range::ASCEND) == "abdc/4");
  CHECK(sorted(range::VERSION, range::DESCEND) == "cabd/4");
  CHECK(sorted(range::CREATE, range::DESCEND) == "dcba/4");
  CHECK(sorted(range::MOD, range::DESCEND) == "dcba/4");
  CHECK(sorted(range::VALUE, range::NONE) == "dbca/4");
  CHECK(sorted(range::VALUE, range::ASCEND) == "dbca/4");
  CHECK(sorted(range::VALUE, range::DESCEND) == "acbd/4");
  auto unknown = all_keys();
  unknown.set_sort_target(static_cast<range::SortTarget>(9));
  CHECK(f.client.call("/etcdserverpb.KV/Range", unknown).text == "etcdserver: invalid sort option");

  const auto with = [&](auto set) {
    auto r = all_keys();
    set(r);
    return keys_of(f.range(r));
  };
  CHECK(with([](range& r) { r.clear_range_end(); }) == "a/1");
  CHECK(with([](range& r) { r.set_range_end("c"); }) == "ab/2");
  CHECK(with([](range& r) { r.set_limit(2); }) == "ab/4 more");
  CHECK(with([](range& r) { r.set_revision(3); }) == "ab/2");
  CHECK(with([](range& r) { r.set_min_mod_revision(5); }) == "cd/4");
  CHECK(with([](range& r) { r.set_max_mod_revision(5); }) == "abc/4");
  CHECK(with([](range& r) { r.set_min_create_revision(4); }) == "cd/4");
  CHECK(with([](range& r) { r.set_max_create_revision(4); }) == "abc/4");

  auto keys = all_keys();
  keys.set_keys_only(true);
  const auto no_values = f.range(keys);
  CHECK(keys_of(no_values) == "abcd/4");
  for (const auto& kv : no_values.kvs()) CHECK(kv.value().empty());
  auto count = all_keys();
  count.set_count_only(true);
  CHECK(keys_of(f.range(count)) == "/4");
}

TEST_CASE("fields: a put's lease, and what it leaves as it was") {
  fields_rig f;
  f.grant(7);
  f.grant(8);
  auto leased = a_put("k", "v");
  leased.set_lease(7);
  CHECK_FALSE(f.put(leased).has_prev_kv());
  CHECK(f.at_key("k").lease() == 7);

  pb::PutRequest same_value;
  same_value.set_key("k");
  same_value.set_lease(8);
  same_value.set_ignore_value(true);
  same_value.set_prev_kv(true);
  CHECK(f.put(same_value).prev_kv().lease() == 7);
  CHECK(f.at_key("k").value() == "v");
  CHECK(f.at_key("k").lease() == 8);
  CHECK(f.at_key("k").version() == 2);
  same_value.set_value("another");
  CHECK(f.objection(same_value) == "3 etcdserver: value is provided");

  auto same_lease = a_put("k", "w");
  same_lease.set_ignore_lease(true);
  f.put(same_lease);
  CHECK(f.at_key("k").value() == "w");
  CHECK(f.at_key("k").lease() == 8);
  same_lease.set_lease(7);
  CHECK(f.objection(same_lease) == "3 etcdserver: lease is provided");
  f.put(a_put("k", "x")); // takes it off
  CHECK(f.at_key("k").lease() == 0);
  same_lease.set_key("none");
  same_lease.clear_lease();
  CHECK(f.objection(same_lease) == "3 etcdserver: key not found");
}

TEST_CASE("fields: a deletion's range and previous versions") {
  fields_rig f;
  for (const char* key : {"a", "b", "c", "d"}) f.put(a_put(key, key));
  pb::DeleteRangeRequest r;
  r.set_key("a");
  r.set_range_end("c");
  const auto erase = [&] { return f.ask<pb::DeleteRangeResponse>("/etcdserverpb.KV/DeleteRange", r); };
  const auto two = erase();
  CHECK(two.deleted() == 2);
  CHECK(two.prev_kvs_size() == 0);
  r.set_range_end(std::string(1, '\0'));
  r.set_prev_kv(true);
  const auto rest = erase();
  REQUIRE(rest.prev_kvs_size() == 2);
  CHECK(rest.prev_kvs(0).key() == "c");
  CHECK(rest.prev_kvs(1).value() == "d");
}

// Each target with each relation, below, at and above what is there.
TEST_CASE("fields: a transaction's compares and operations") {
  fields_rig f;
  f.grant(7);
  f.put(a_put("k", "a"));
  auto leased = a_put("k", "b");
  leased.set_lease(7);
  f.put(leased);
  f.put(a_put("l", "b")); // version 1
  using compare = pb::Compare;
  const auto holds = [&](const compare& c) {
    pb::TxnRequest t;
    *t.add_compare() = c;
    return f.txn(t).succeeded();
  };
  const auto operand = [](compare& c, int by) {
    switch (c.target()) {
    case compare::VERSION:
      return c.set_version(2 + by);
    case compare::CREATE:
      return c.set_create_revision(2 + by);
    case compare::MOD:
      return c.set_mod_revision(3 + by);
    case compare::VALUE:
      return c.set_value(std::string(1, static_cast<char>('b' + by)));
    default:
      return c.set_lease(7 + by);
    }
  };
  for (const auto target : {compare::VERSION, compare::CREATE, compare::MOD, compare::VALUE, compare::LEASE})
    for (const int by : {-1, 0, 1}) {
      CAPTURE(target);
      CAPTURE(by);
      compare c;
      c.set_key("k");
      c.set_target(target);
      operand(c, by);
      const auto is = [&](compare::CompareResult relation) {
        c.set_result(relation);
        return holds(c);
      };
      CHECK(is(compare::EQUAL) == (by == 0));
      CHECK(is(compare::NOT_EQUAL) == (by != 0));
      CHECK(is(compare::GREATER) == (by < 0));
      CHECK(is(compare::LESS) == (by > 0));
    }
  compare both;
  both.set_key("k");
  both.set_target(compare::VERSION);
  both.set_version(2);
  CHECK(holds(both));
  both.set_range_end("m"); // `l` is no such
  CHECK_FALSE(holds(both));

  pb::TxnRequest t;
  *t.add_compare() = both;
  *t.add_success()->mutable_request_put() = a_put("k", "not this");
  pb::TxnRequest& nested = *t.add_failure()->mutable_request_txn();
  *nested.add_success()->mutable_request_put() = a_put("n", "1");
  auto* gone = t.add_failure()->mutable_request_delete_range();
  gone->set_key("l");
  gone->set_prev_kv(true);
  t.add_failure()->mutable_request_range()->set_key("n");
  const auto done = f.txn(t);
  CHECK_FALSE(done.succeeded());
  REQUIRE(done.responses_size() == 3);
  CHECK(done.responses(0).response_txn().responses(0).has_response_put());
  CHECK(done.responses(1).response_delete_range().prev_kvs(0).value() == "b");
  CHECK(done.responses(2).response_range().kvs(0).value() == "1");
  CHECK(f.at_key("k").value() == "b");
}

// What is compacted is gone at once for whoever asks; `physical` makes no difference.
TEST_CASE("fields: a compaction's revision") {
  for (const bool physical : {false, true}) {
    fields_rig f;
    for (int i = 0; i < 3; ++i) f.put(a_put("k", std::to_string(i)));
    pb::CompactionRequest c;
    c.set_physical(physical);
    CHECK(f.client.call("/etcdserverpb.KV/Compact", c).code == "11"); // etcd takes it, once
    c.set_revision(3);
    CHECK(f.ask<pb::CompactionResponse>("/etcdserverpb.KV/Compact", c).header().revision() == 4);
    CHECK(f.client.call("/etcdserverpb.KV/Compact", c).text ==
          "etcdserver: mvcc: required revision has been compacted");
    pb::RangeRequest old;
    old.set_key("k");
    old.set_revision(3);
    CHECK(f.range(old).kvs(0).value() == "1");
    old.set_revision(2);
    CHECK(f.client.call("/etcdserverpb.KV/Range", old).code == "11");
    c.set_revision(9);
    CHECK(f.client.call("/etcdserverpb.KV/Compact", c).text ==
          "etcdserver: mvcc: required revision is a future revision");
  }
}

// Alarms have causes, and last as long as those: none is raised or ended by a client.
TEST_CASE("fields: an alarm is not raised by asking") {
  fields_rig f;
  for (const auto action : {pb::AlarmRequest::ACTIVATE, pb::AlarmRequest::GET, pb::AlarmRequest::DEACTIVATE}) {
    pb::AlarmRequest r;
    r.set_action(action);
    r.set_memberid(1);
    r.set_alarm(pb::NOSPACE);
    CHECK(f.ask<pb::AlarmResponse>("/etcdserverpb.Maintenance/Alarm", r).alarms_size() == 0);
    f.put(a_put("k", "v"));
  }
}

TEST_CASE("fields: of requests about members") {
  fields_rig f;
  const std::string one = "http://127.0.0.1:2";
  pb::MemberAddRequest add;
  add.add_peerurls(one);
  add.set_islearner(true);
  const auto added = f.ask<pb::MemberAddResponse>("/etcdserverpb.Cluster/MemberAdd", add);
  CHECK(added.members_size() == 2);
  CHECK(added.member().peerurls(0) == one);
  CHECK(added.member().islearner());
  CHECK(added.member().name().empty());
  CHECK(added.header().revision() == 0);
  CHECK(f.client.call("/etcdserverpb.Cluster/MemberAdd", add).text == "etcdserver: Peer URLs already exists");
  add.add_peerurls("http://127.0.0.1:4"); // there is one address here
  CHECK(f.client.call("/etcdserverpb.Cluster/MemberAdd", add).text == "etcdserver: given member URLs are invalid");

  pb::MemberUpdateRequest update;
  update.set_id(added.member().id());
  update.add_peerurls("http://127.0.0.1:3");
  const auto moved = f.ask<pb::MembersResponse>("/etcdserverpb.Cluster/MemberUpdate", update);
  REQUIRE(moved.members_size() == 2);
  for (const pb::Member& m : moved.members()) {
    const bool moves = m.id() == update.id();
    CHECK(m.peerurls(0) == (moves ? "http://127.0.0.1:3" : "http://127.0.0.1:1"));
    CHECK(m.islearner() == moves);
  }

  pb::MemberPromoteRequest promote;
  promote.set_id(added.member().id());
  const auto early = f.client.call("/etcdserverpb.Cluster/MemberPromote", promote);
  CHECK(early.code == "9");
  CHECK(early.text == "etcdserver: can only promote a learner member which is in sync with leader");
  promote.set_id(1);
  CHECK(f.client.call("/etcdserverpb.Cluster/MemberPromote", promote).text ==
        "etcdserver: can only promote a learner member");
  pb::MemberRemoveRequest remove;
  remove.set_id(added.member().id());
  CHECK(f.ask<pb::MembersResponse>("/etcdserverpb.Cluster/MemberRemove", remove).members_size() == 1);
}

TEST_CASE("fields: what a member says of itself") {
  fields_rig f;
  f.put(a_put("k", "v"));
  f.put(a_put("k", "w"));
  const auto s = f.ask<pb::StatusResponse>("/etcdserverpb.Maintenance/Status", pb::AlarmRequest());
  CHECK(s.raftterm() == s.header().raft_term());
  CHECK(s.raftindex() >= s.raftappliedindex());
  CHECK(s.raftappliedindex() >= 3);
  CHECK(s.dbsizeinuse() > 0);
  CHECK(s.dbsizeinuse() < s.dbsize()); // without history
  CHECK_FALSE(s.islearner());
}

TEST_CASE("auth: it is off, and what would turn it on is refused") {
  fields_rig f;
  CHECK(f.client.call("/etcdserverpb.Auth/AuthDisable", pb::AlarmRequest()).ok());
  pb::AuthenticateRequest who;
  who.set_name("root");
  who.set_password("secret");
  const auto nobody = f.client.call("/etcdserverpb.Auth/Authenticate", who);
  CHECK(nobody.code == "9");
  CHECK(nobody.text == "etcdserver: authentication is not enabled");
  for (const std::string_view name : {"AuthEnable", "UserAdd", "UserGet", "UserList", "UserDelete",
                                      "UserChangePassword", "UserGrantRole", "UserRevokeRole", "RoleAdd", "RoleGet",
                                      "RoleList", "RoleDelete", "RoleGrantPermission", "RoleRevokePermission"}) {
    CAPTURE(name);
    const auto a = f.client.call("/etcdserverpb.Auth/" + std::string(name), pb::AlarmRequest());
    CHECK(a.code == "12");
    CHECK(a.text == "etcdserver: authentication is not enabled, and cannot be yet");
  }
}
