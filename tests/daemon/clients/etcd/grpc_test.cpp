#include "tests/daemon/clients/etcd/grpc_client.hpp"
#include "tests/daemon/clients/port_client.hpp"
#include "tests/daemon/fixture/node_rig.hpp"

#include "rpc.pb.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

using namespace quorumd;
using namespace quorumd::testing;
namespace pb = etcdserverpb;

// etcd's calls on the client port of a real node.
namespace {

pb::PutRequest put_request(const std::string& key, const std::string& value) {
  pb::PutRequest r;
  r.set_key(key);
  r.set_value(value);
  return r;
}

pb::RangeRequest range_request(const std::string& key, const std::string& end = {}) {
  pb::RangeRequest r;
  r.set_key(key);
  r.set_range_end(end);
  return r;
}

constexpr std::string_view kv_put = "/etcdserverpb.KV/Put";
constexpr std::string_view kv_range = "/etcdserverpb.KV/Range";

/// A node that serves, and a client of it.
struct served_rig {
  explicit served_rig(const node_rig::options& o = with(1))
      : rig(o)
      , client(at(rig)) {
    REQUIRE(served(rig.call(client::health_request{})));
  }
  node_rig rig;
  grpc_client client;
};

} // namespace

TEST_CASE("grpc: a put, and what a range, a deletion and a transaction answer") {
  for (const std::size_t loops : {1U, 2U}) {
    served_rig s(with(loops));
    auto put = put_request("a", "1");
    const auto first = s.client.call(kv_put, put);
    REQUIRE(first.ok());
    CHECK(first.http == "200");
    CHECK(first.as<pb::PutResponse>().header().revision() == 2);
    CHECK(first.as<pb::PutResponse>().header().raft_term() > 0);
    put.set_prev_kv(true);
    put.set_value(std::string(500'000, 'v'));
    CHECK(s.client.call(kv_put, put).as<pb::PutResponse>().prev_kv().value() == "1");

    const auto all = s.client.call(kv_range, range_request("a", std::string(1, '\0'))).as<pb::RangeResponse>();
    REQUIRE(all.kvs_size() == 1);
    CHECK(all.kvs(0).value() == put.value());
    CHECK(all.kvs(0).version() == 2);

    pb::TxnRequest t;
    pb::Compare& c = *t.add_compare();
    c.set_key("a");
    c.set_target(pb::Compare::VERSION);
    c.set_version(2);
    *t.add_success()->mutable_request_range() = range_request("a");
    pb::DeleteRangeRequest erase;
    erase.set_key("a");
    erase.set_prev_kv(true);
    *t.add_success()->mutable_request_delete_range() = erase;
    const auto done = s.client.call("/etcdserverpb.KV/Txn", t).as<pb::TxnResponse>();
    CHECK(done.succeeded());
    CHECK(done.responses(0).response_range().kvs(0).value() == put.value());
    CHECK(done.responses(1).response_delete_range().prev_kvs(0).value() == put.value());
    CHECK(s.client.call("/etcdserverpb.KV/DeleteRange", erase).as<pb::DeleteRangeResponse>().deleted() == 0);

    pb::CompactionRequest compact;
    compact.set_revision(3);
    CHECK(s.client.call("/etcdserverpb.KV/Compact", compact).ok());
    auto old = range_request("a");
    old.set_revision(2);
    const auto gone = s.client.call(kv_range, old);
    CHECK(gone.code == "11");
    CHECK(gone.text == "etcdserver: mvcc: required revision has been compacted");
    CHECK(gone.http == "200");
  }
}

TEST_CASE("grpc: the calls about the node and its cluster") {
  served_rig s;
  REQUIRE(s.client.call(kv_put, put_request("a", "1")).ok());
  const auto status = s.client.call("/etcdserverpb.Maintenance/Status", pb::AlarmRequest{}).as<pb::StatusResponse>();
  CHECK(status.version() == "3.5.21");
  CHECK(status.leader() == status.header().member_id());
  CHECK(status.header().revision() == 2);
  CHECK(status.raftappliedindex() > 0);
  CHECK(status.dbsize() > 0);
  CHECK(status.errors_size() == 0);
  const auto members =
      s.client.call("/etcdserverpb.Cluster/MemberList", pb::MemberListRequest{}).as<pb::MemberListResponse>();
  REQUIRE(members.members_size() == 1);
  CHECK(members.members(0).id() == status.leader());
  CHECK(members.members(0).name() == "n1");
  CHECK(s.client.call("/etcdserverpb.Maintenance/Alarm", pb::AlarmRequest{}).as<pb::AlarmResponse>().alarms_size() ==
        0);
  CHECK(s.client.call("/etcdserverpb.Maintenance/Defragment", pb::AlarmRequest{}).ok());
  const auto health = s.client.call("/grpc.health.v1.Health/Check", pb::AlarmRequest{});
  CHECK(health.body.substr(5) == std::string("\x08\x01", 2)); // SERVING
  CHECK_FALSE(
      s.client.call("/etcdserverpb.Auth/AuthStatus", pb::AlarmRequest{}).as<pb::AuthStatusResponse>().enabled());
  const auto off = s.client.call("/etcdserverpb.Auth/Authenticate", pb::AlarmRequest{});
  CHECK(off.code == "9");
  CHECK(off.text == "etcdserver: authentication is not enabled");
}

TEST_CASE("grpc: hashes, and what is asked of the members") {
  served_rig s;
  const auto hash = [&](std::int64_t at) {
    pb::HashKVRequest r;
    r.set_revision(at);
    return s.client.call("/etcdserverpb.Maintenance/HashKV", r);
  };
  const auto empty = hash(0).as<pb::HashKVResponse>();
  CHECK(empty.compact_revision() == -1);
  CHECK(empty.hash_revision() == 1);
  REQUIRE(s.client.call(kv_put, put_request("a", "1")).ok());
  const auto one = hash(2).as<pb::HashKVResponse>();
  CHECK(one.hash() != empty.hash());
  pb::LeaseGrantRequest lease; // is no key
  lease.set_ttl(100);
  REQUIRE(s.client.call("/etcdserverpb.Lease/LeaseGrant", lease).ok());
  CHECK(hash(0).as<pb::HashKVResponse>().hash() == one.hash());
  CHECK(hash(1).code == "11");
  CHECK(hash(9).text == "etcdserver: mvcc: required revision is a future revision");
  CHECK(s.client.call("/etcdserverpb.Maintenance/Hash", pb::AlarmRequest{}).as<pb::HashResponse>().hash() != 0);

  pb::MoveLeaderRequest move;
  move.set_targetid(99);
  const auto bad = s.client.call("/etcdserverpb.Maintenance/MoveLeader", move);
  CHECK(bad.code == "9");
  CHECK(bad.text == "etcdserver: bad leader transferee");
  pb::MemberRemoveRequest gone;
  gone.set_id(99);
  const auto unknown = s.client.call("/etcdserverpb.Cluster/MemberRemove", gone);
  CHECK(unknown.code == "5");
  CHECK(unknown.text == "etcdserver: member not found");
  gone.set_id(1);
  CHECK(s.client.call("/etcdserverpb.Cluster/MemberRemove", gone).code == "9"); // the last one
  pb::MemberUpdateRequest moved;
  moved.set_id(1);
  moved.add_peerurls("nowhere");
  CHECK(s.client.call("/etcdserverpb.Cluster/MemberUpdate", moved).code == "3");
}

// The alarm is there as long as puts are refused.
TEST_CASE("grpc: a store that is full") {
  served_rig s;
  REQUIRE(s.rig
              .call(kv::command(kv::configure{.keep_revisions = {},
                                              .history_bytes_max = kv::history_bytes_least,
                                              .quota_bytes = 2 * kv::history_bytes_least}))
              .has_value());
  const auto alarms = [&] {
    return s.client.call("/etcdserverpb.Maintenance/Alarm", pb::AlarmRequest{}).as<pb::AlarmResponse>().alarms_size();
  };
  const auto errors = [&] {
    return s.client.call("/etcdserverpb.Maintenance/Status", pb::AlarmRequest{}).as<pb::StatusResponse>().errors_size();
  };
  CHECK(alarms() == 0);
  grpc_client::answer last;
  int keys = 0;
  do last = s.client.call(kv_put, put_request("k" + std::to_string(keys++), std::string(1000, 'v')));
  while (last.ok() && keys < 5000);
  CHECK(last.code == "8");
  CHECK(last.text == "etcdserver: mvcc: database space exceeded");
  // What is left is less than one such put, and a smaller one may pass.
  while (s.client.call(kv_put, put_request("k" + std::to_string(keys++), "")).ok()) CHECK(keys < 10'000);
  CHECK(alarms() == 1);
  CHECK(errors() == 1);
  pb::LeaseGrantRequest lease;
  lease.set_ttl(100);
  CHECK(s.client.call("/etcdserverpb.Lease/LeaseGrant", lease).code == "8");
  pb::DeleteRangeRequest erase;
  erase.set_key("k");
  erase.set_range_end("l");
  REQUIRE(s.client.call("/etcdserverpb.KV/DeleteRange", erase).ok());
  CHECK(comes_true([&] { return alarms() == 0; })); // once its history is compacted
  CHECK(errors() == 0);
  CHECK(s.client.call(kv_put, put_request("k", "v")).ok());
}

TEST_CASE("grpc: what is wrong with a call is said, and the connection goes on") {
  served_rig s;
  const std::string put = grpc_client::framed(put_request("a", "1"));
  struct wrong {
    std::string path;
    std::string body;
    grpc_client::headers more;
    std::string code;
    std::string text;
  };
  const std::vector<wrong> all{
      {"/etcdserverpb.KV/Pot", put, {}, "12", "unknown method Pot for service etcdserverpb.KV"},
      {"/etcdserverpb.Nobody/Put", put, {}, "12", "unknown service etcdserverpb.Nobody"},
      {"/etcdserverpb.KV/Put", "", {}, "13", "grpc: the call ended without a message"},
      {"/etcdserverpb.KV/Put", put.substr(0, 7), {}, "13", "grpc: the message is not as long as it says"},
      {"/etcdserverpb.KV/Put", put + "more", {}, "13", "grpc: the message is not as long as it says"},
      {"/etcdserverpb.KV/Put", std::string("\1\0\0\0\0", 5), {}, "13", "compressed flag set"},
      {"/etcdserverpb.KV/Put", std::string("\0\0\0\0\2\x0a\xff", 7), {}, "13", "error unmarshalling"},
      {"/etcdserverpb.KV/Put", put, {{"grpc-encoding", "gzip"}}, "12", "not installed for grpc-encoding \"gzip\""},
      {"/etcdserverpb.KV/Put", grpc_client::framed(put_request("", "1")), {}, "3", "etcdserver: key is not provided"},
      {"/etcdserverpb.KV/Put",
       grpc_client::framed(put_request("k", std::string(3 * 512 * 1024, 'v'))),
       {},
       "3",
       "etcdserver: request is too large"},
      {"/etcdserverpb.KV/Put",
       grpc_client::framed(put_request("k", std::string(3 * 1024 * 1024, 'v'))),
       {},
       "8",
       "grpc: received message larger than max"},
  };
  for (const wrong& w : all) {
    const auto a = s.client.wait(s.client.begin(w.path, w.body, w.more));
    CHECK_MESSAGE(a.code == w.code, w.text);
    CHECK_MESSAGE(a.text.find(w.text) != std::string::npos, a.text << " for " << w.text);
  }
  const auto no_grpc = s.client.wait(s.client.begin(kv_put, put, {{"content-type", "application/json"}}));
  CHECK(no_grpc.http == "415");
  CHECK(s.client.wait(s.client.begin(kv_put, put, {{"grpc-timeout", "soon"}})).reset != 0);
  CHECK(s.client.wait(s.client.begin(kv_put, put, {{"large", std::string(40'000, 'h')}})).reset != 0);
  CHECK(s.client.call(kv_put, put_request("a", "1")).as<pb::PutResponse>().header().revision() == 2);
  CHECK(s.rig.bad_clients() == 0);
}

TEST_CASE("grpc: a request that does not keep to HTTP/2 is reset, and no other") {
  served_rig s;
  const std::string put = grpc_client::framed(put_request("a", "1"));
  for (const std::string_view authority : {"http://127.0.0.1:2379", "#initially=[http://a:1;http://b:2]", ""})
    CHECK(s.client.wait(s.client.begin(kv_put, put, {{":authority", std::string(authority)}})).ok());
  CHECK(s.client.wait(s.client.begin(kv_put, put, {{"content-length", std::to_string(put.size())}})).ok());
  const std::vector<grpc_client::headers> malformed{
      {{"connection", "close"}}, {{"two words", "x"}},        {{":method", ""}}, {{":path", ""}},
      {{":status", "200"}},      {{"content-length", "x"}},   {{"te", "gzip"}},  {{"", "x"}},
      {{"content-length", "1"}}, {{"content-length", "1000"}}};
  constexpr std::uint32_t protocol_error = 1;
  for (const auto& more : malformed) {
    CAPTURE(more.front().first + "=" + more.front().second);
    CHECK(s.client.wait(s.client.begin(kv_put, put, more)).reset == protocol_error);
  }
  CHECK(s.client.call(kv_put, put_request("a", "1")).as<pb::PutResponse>().header().revision() == 6);
  CHECK(s.rig.bad_clients() == 0);
}

// Whoever asks for all gets all or an error, and a part only where a limit was given.
// The group makes a megabyte at a time of it.
TEST_CASE("grpc: a range that is made page by page") {
  for (const std::size_t loops : {1U, 2U}) {
    served_rig s(with(loops));
    for (int i = 0; i < 12; ++i)
      REQUIRE(s.client.call(kv_put, put_request("k" + std::to_string(10 + i), std::string(300'000, 'v'))).ok());
    auto all = range_request("k", "l");
    const auto whole = s.client.call(kv_range, all).as<pb::RangeResponse>();
    REQUIRE(whole.kvs_size() == 12);
    CHECK(whole.count() == 12);
    CHECK(!whole.more());
    CHECK(whole.header().revision() == 13);
    for (int i = 0; i < 12; ++i) {
      CHECK(whole.kvs(i).key() == "k" + std::to_string(10 + i));
      CHECK(whole.kvs(i).value().size() == 300'000);
    }
    for (const int limit : {2, 3, 7, 11, 12, 13}) {
      all.set_limit(limit);
      const auto part = s.client.call(kv_range, all).as<pb::RangeResponse>();
      CHECK(part.kvs_size() == std::min(limit, 12));
      CHECK(part.count() == 12);
      CHECK(part.more() == (limit < 12));
    }
    all.set_limit(0);
    all.set_revision(9);
    CHECK(s.client.call(kv_range, all).as<pb::RangeResponse>().kvs_size() == 8);
    all.set_revision(0);
    all.set_keys_only(true);
    CHECK(s.client.call(kv_range, all).as<pb::RangeResponse>().kvs_size() == 12);
    all.set_keys_only(false);

    // In another order it is made at once, or not at all.
    all.set_sort_order(pb::RangeRequest::DESCEND);
    const auto refused = s.client.call(kv_range, all);
    CHECK(refused.code == "8");
    CHECK(refused.text.find("1024 KiB") != std::string::npos);
    CHECK(refused.text.find("limit") != std::string::npos);
  }
}

TEST_CASE("grpc: a range beyond what a client may hold, and many at a time") {
  served_rig s(with(2));
  for (int i = 0; i < 30; ++i)
    REQUIRE(s.client.call(kv_put, put_request("k" + std::to_string(10 + i), std::string(300'000, 'v'))).ok());
  const auto all = range_request("k", "l");
  const auto refused = s.client.call(kv_range, all);
  CHECK(refused.code == "8");
  CHECK(refused.text.find("6144 KiB") != std::string::npos);
  CHECK(s.rig.held_bytes() < std::size_t{1} << 20); // what was made of it is gone
  auto most = range_request("k", "k25");
  std::vector<std::int32_t> streams;
  for (int i = 0; i < 8; ++i) streams.push_back(s.client.begin(kv_range, grpc_client::framed(most)));
  int whole = 0;
  for (const std::int32_t id : streams) {
    const auto a = s.client.wait(id);
    const bool fits = a.ok() && a.as<pb::RangeResponse>().kvs_size() == 15;
    CHECK((fits || a.code == "8")); // there is not room for all of them at a time
    whole += fits ? 1 : 0;
  }
  CHECK(whole > 0);
  // Whoever goes while the next page is about to be asked for is not missed before that is answered.
  for (int i = 0; i < 150; ++i) {
    grpc_client gone(at(s.rig));
    gone.begin(kv_range, grpc_client::framed(most));
    gone.turn(5ms);
  }
  CHECK(s.client.call(kv_range, most).ok());
  CHECK(comes_true([&] { return s.rig.connections() == 2 && s.rig.held_bytes() < std::size_t{1} << 20; }));
}

// A hundred calls of one write are answered, each on its stream, whatever their order.
TEST_CASE("grpc: many calls at a time") {
  served_rig s;
  std::vector<std::int32_t> streams;
  for (int i = 0; i < 100; ++i)
    streams.push_back(s.client.begin(kv_put, grpc_client::framed(put_request("k", std::to_string(i)))));
  std::uint64_t highest = 0;
  for (const std::int32_t id : streams) {
    const auto a = s.client.wait(id);
    REQUIRE(a.ok());
    highest = std::max(highest, static_cast<std::uint64_t>(a.as<pb::PutResponse>().header().revision()));
  }
  CHECK(highest == 101);
}

// With the disk held a put that gave its time ends then, and its outcome is unknown; one that was given up is answered
// to nobody; released, both are done.
TEST_CASE("grpc: a deadline, and a call that is given up") {
  served_rig s;
  s.rig.hold_disk();
  const auto late = s.client.call(kv_put, put_request("late", "1"), {{"grpc-timeout", "200m"}});
  CHECK(late.code == "14");
  CHECK(late.text == "etcdserver: request timed out, possibly due to previous leader failure");
  const std::int32_t given_up = s.client.begin(kv_put, grpc_client::framed(put_request("given up", "1")));
  for (int i = 0; i < 5; ++i) REQUIRE(s.client.turn(20ms));
  s.client.reset(given_up);
  CHECK(s.client.wait(given_up).reset != 0);
  s.rig.release_disk();
  CHECK(comes_true([&] {
    auto both = range_request("a", std::string(1, '\0'));
    both.set_count_only(true);
    return s.client.call(kv_range, both).as<pb::RangeResponse>().count() == 2;
  }));
}

// A client that asks for a great deal and reads nothing costs no more than its share; another is served meanwhile. Once
// it reads, it gets everything.
TEST_CASE("grpc: a client that does not read") {
  node_rig::options o = with(1, {.queue_bytes_max = 4 << 20});
  served_rig s(o);
  REQUIRE(s.client.call(kv_put, put_request("large", std::string(1 << 20, 'v'))).ok());
  grpc_client slow(at(s.rig), 60'000); // a small window on each stream
  std::vector<std::int32_t> streams;
  for (int i = 0; i < 60; ++i)
    streams.push_back(slow.begin(kv_range, grpc_client::framed(range_request("large")), {{"grpc-timeout", "60S"}}));
  for (int i = 0; i < 50; ++i) REQUIRE(slow.turn(10ms)); // its windows are never made larger while it does not look
  CHECK(s.rig.held_bytes() < 12U << 20);
  CHECK(s.client.call(kv_range, range_request("large")).ok());
  for (const std::int32_t id : streams) CHECK(slow.wait(id, 30s).body.size() > 1 << 20);
}

// It goes away while answers wait for it to read and calls wait for room: nothing of it stays.
TEST_CASE("grpc: a client that goes away in the middle") {
  served_rig s(with(1, {.queue_bytes_max = 4 << 20}));
  REQUIRE(s.client.call(kv_put, put_request("large", std::string(1 << 20, 'v'))).ok());
  const std::size_t before = s.rig.connections();
  {
    grpc_client slow(at(s.rig), 1000);
    for (int i = 0; i < 60; ++i) slow.begin(kv_range, grpc_client::framed(range_request("large")));
    for (int i = 0; i < 20; ++i) REQUIRE(slow.turn(10ms));
    CHECK(s.rig.connections() == before + 1);
  }
  CHECK(comes_true([&] { return s.rig.connections() == before && s.rig.held_bytes() < 1U << 20; }));
}

// Requests that are begun and never whole are bounded, and their streams are ended in time; the others are served.
TEST_CASE("grpc: requests that are never whole") {
  served_rig s(with(1, {.queue_bytes_max = 4 << 20, .handshake_timeout = 2s}));
  grpc_client loris(at(s.rig));
  std::vector<std::int32_t> streams;
  for (int i = 0; i < 100; ++i)
    streams.push_back(loris.begin(kv_put, std::string("\0\0\x0f\0\0", 5) + std::string(100'000, 'x'), {}, false));
  for (int i = 0; i < 300; ++i) REQUIRE(loris.turn(1ms));
  CHECK(s.rig.held_bytes() < 8U << 20);
  CHECK(s.client.call(kv_put, put_request("a", "1")).ok());
  std::size_t refused = 0;
  for (const std::int32_t id : streams) {
    const auto a = loris.wait(id);
    CHECK(a.closed);
    if (a.code == "8") ++refused;
  }
  CHECK(refused > 0);
  CHECK(comes_true([&] { return s.rig.held_bytes() < 1U << 20; }));
}

// Calls that are begun and reset as fast as can be end the connection, not the node.
TEST_CASE("grpc: rapid resets") {
  served_rig s;
  grpc_client hasty(at(s.rig));
  bool open = true;
  for (int round = 0; round < 200 && open; ++round) {
    for (int i = 0; i < 50 && open; ++i) {
      const std::int32_t id = hasty.begin(kv_put, grpc_client::framed(put_request("k", "v")));
      open = hasty.turn(0ms);
      hasty.reset(id);
    }
    if (hasty.told_to_go()) break;
  }
  CHECK((hasty.told_to_go() || !open));
  CHECK(s.client.call(kv_put, put_request("a", "1")).ok());
}

TEST_CASE("grpc: what is not HTTP/2 behind its beginning costs the connection") {
  served_rig s;
  raw_connection c(at(s.rig));
  REQUIRE(
      c.send(std::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n and then something else, long enough to be a frame")));
  CHECK(c.closed_within(10s));
  raw_connection half(at(s.rig));
  REQUIRE(half.send(std::string_view("PRI * HTTP/1")));
  CHECK(half.closed_within(10s));
  CHECK(s.rig.bad_clients() == 2);
  CHECK(s.client.call(kv_put, put_request("a", "1")).ok());
}

// At a stop no new call is taken, and those under way are answered before the connection ends.
TEST_CASE("grpc: a stop says so, and answers what is under way") {
  served_rig s;
  s.rig.hold_disk();
  const std::int32_t id = s.client.begin(kv_put, grpc_client::framed(put_request("a", "1")));
  for (int i = 0; i < 5; ++i) REQUIRE(s.client.turn(20ms));
  s.rig.stop_reading();
  CHECK(comes_true([&] {
    s.client.turn(20ms);
    return s.client.told_to_go();
  }));
  s.rig.release_disk();
  CHECK(s.client.wait(id).ok());
  s.rig.stop_node(5s);
  s.rig.stop_clients(5s);
}

// There is no place for it: it may ask for health and status.
TEST_CASE("grpc: health beyond limits.clients_max") {
  node_rig::options o = with(1);
  o.clients.clients_max = 1;
  o.clients.local_clients_more = 1; // the rig's own
  served_rig s(o);
  REQUIRE(s.client.call(kv_put, put_request("a", "1")).ok());
  grpc_client beyond(at(s.rig));
  CHECK(beyond.call("/grpc.health.v1.Health/Check", pb::AlarmRequest{}).ok());
  CHECK(beyond.call("/etcdserverpb.Maintenance/Status", pb::AlarmRequest{}).ok());
  const auto refused = beyond.call(kv_put, put_request("a", "1"));
  CHECK(refused.code == "14");
  CHECK(refused.text.find("limits.clients_max") != std::string::npos);
}
