#include "daemon/clients/etcd/grpc_text.hpp"
#include "daemon/clients/etcd/methods.hpp"
#include "daemon/clients/etcd/requests.hpp"
#include "daemon/clients/etcd/responses.hpp"
#include "daemon/clients/etcd/status.hpp"
#include "daemon/kv/codec/command_codec.hpp"
#include "daemon/kv/store.hpp"

#include "rpc.pb.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <string_view>
#include <utility>

// etcd's messages, each way, without a connection.
namespace quorumd::clients::etcd {
namespace {

namespace pb = etcdserverpb;
using namespace std::chrono_literals;

template <class Message, class Reply>
Message encoded(const Reply& r) {
  wire::byte_buffer out;
  response_writer w;
  out.append(std::as_bytes(std::span("before", 6)));
  const std::size_t n = w.append(out, {.cluster = 7, .member = 1ULL << 63, .term = 300}, r);
  REQUIRE(out.size() == 6 + n);
  Message m;
  REQUIRE(m.ParseFromArray(out.bytes().data() + 6, static_cast<int>(n)));
  CHECK(m.header().cluster_id() == 7);
  CHECK(m.header().member_id() == 1ULL << 63);
  CHECK(m.header().raft_term() == 300);
  return m;
}

void same(const mvccpb::KeyValue& m, const kv::key_value_view& v) {
  CHECK(m.key() == v.key);
  CHECK(m.value() == v.value);
  CHECK(m.create_revision() == static_cast<std::int64_t>(v.create_revision.value()));
  CHECK(m.mod_revision() == static_cast<std::int64_t>(v.mod_revision.value()));
  CHECK(m.version() == static_cast<std::int64_t>(v.version));
  CHECK(m.lease() == static_cast<std::int64_t>(v.lease.value()));
}

struct made_by_store {
  kv::store store{kv::options{}};
  log_index index;
  kv::result<kv::reply> operator()(const kv::command& c) {
    index = index.next();
    return store.apply(index, c);
  }
};

} // namespace

// What is written from views is what protobuf reads, with values whose lengths take one, two and three bytes.
TEST_CASE("etcd: a range's answer is read back as it was") {
  std::mt19937_64 random(5);
  for (int run = 0; run < 50; ++run) {
    std::vector<std::string> texts;
    for (int i = 0; i < 20; ++i)
      texts.emplace_back(random() % (i % 5 == 0 ? 40'000 : 200), static_cast<char>(random()));
    kv::range_reply r{.revision = revision(random() >> 1), .count = random() >> 1, .more = run % 2 == 0};
    for (int i = 0; i + 1 < 20; i += 2)
      r.kvs.push_back({texts[static_cast<std::size_t>(i)], texts[static_cast<std::size_t>(i) + 1],
                       revision(random() >> 1), revision(random() >> 40), random() >> 50, lease_id(random())});
    const auto m = encoded<pb::RangeResponse>(r);
    CHECK(m.header().revision() == static_cast<std::int64_t>(r.revision.value()));
    CHECK(m.count() == static_cast<std::int64_t>(r.count));
    CHECK(m.more() == r.more);
    REQUIRE(m.kvs_size() == static_cast<int>(r.kvs.size()));
    for (int i = 0; i < m.kvs_size(); ++i) same(m.kvs(i), r.kvs[static_cast<std::size_t>(i)]);
  }
}

// In a transaction an operation's header has the revision alone: the new one once something was changed before it or by
// it. A nested transaction's is empty.
TEST_CASE("etcd: headers within a transaction") {
  made_by_store s;
  REQUIRE(s(kv::put{.key = "a", .value = "1"}).has_value());
  kv::txn inner;
  inner.success.push_back({kv::range_request{.key = "a"}});
  kv::txn t;
  t.success.push_back({kv::range_request{.key = "a"}});
  t.success.push_back({kv::delete_range{.key = "absent"}});
  t.success.push_back({kv::put{.key = "b", .value = "2", .prev_kv = true}});
  t.success.push_back({inner});
  const auto r = s(t);
  REQUIRE(r.has_value());
  const auto m = encoded<pb::TxnResponse>(*r);
  CHECK(m.header().revision() == 3);
  CHECK(m.succeeded());
  REQUIRE(m.responses_size() == 4);
  CHECK(m.responses(0).response_range().header().revision() == 2);
  CHECK(m.responses(0).response_range().header().cluster_id() == 0);
  CHECK(m.responses(1).response_delete_range().header().revision() == 2);
  CHECK(m.responses(2).response_put().header().revision() == 3);
  CHECK_FALSE(m.responses(2).response_put().has_prev_kv());
  CHECK(m.responses(3).response_txn().has_header());
  CHECK(m.responses(3).response_txn().header().revision() == 0);
  CHECK(m.responses(3).response_txn().responses(0).response_range().header().revision() == 3);
  CHECK(m.responses(3).response_txn().responses(0).response_range().kvs(0).value() == "1");
}

// As deep as may be: the bytes are counted once for each level, not once for each level above it too.
TEST_CASE("etcd: transactions nested as deep as they may be") {
  pb::TxnRequest r;
  pb::TxnRequest* at = &r;
  for (std::size_t depth = 1; depth < kv::txn_depth_max; ++depth) at = at->add_success()->mutable_request_txn();
  at->add_success()->mutable_request_put()->set_key("k");
  const auto t = txn_of(r);
  REQUIRE(t.has_value());
  made_by_store s;
  const auto done = s(*t);
  REQUIRE(done.has_value());
  const auto m = encoded<pb::TxnResponse>(*done);
  const pb::TxnResponse* inner = &m;
  for (std::size_t depth = 1; depth < kv::txn_depth_max; ++depth) inner = &inner->responses(0).response_txn();
  CHECK(inner->responses(0).response_put().header().revision() == 2);

  at->add_success()->mutable_request_txn()->add_success()->mutable_request_put()->set_key("l");
  CHECK(txn_of(r).error().code() == kv::errc::too_many_operations);
}

TEST_CASE("etcd: what is below zero, unknown or absent in a request") {
  pb::RangeRequest range;
  range.set_limit(-1);
  range.set_revision(-5);
  range.set_min_mod_revision(-1);
  range.set_max_mod_revision(-1);
  const auto read = read_of(range);
  CHECK(read.request.limit == 0);
  CHECK(read.request.revision == revision());
  CHECK(read.request.min_mod_revision == revision());
  CHECK(read.request.max_mod_revision == revision(1)); // of which there is no key
  CHECK(read.request.max_create_revision == revision());
  range.set_sort_order(static_cast<pb::RangeRequest::SortOrder>(7));
  CHECK(static_cast<int>(read_of(range).request.order) > 2);
  range.set_sort_order(static_cast<pb::RangeRequest::SortOrder>(1 << 30));
  CHECK(static_cast<int>(read_of(range).request.order) > 2);

  pb::TxnRequest t;
  pb::Compare& c = *t.add_compare();
  CHECK(txn_of(t).error().code() == kv::errc::key_not_provided);
  c.set_key("k");
  c.set_target(pb::Compare::MOD);
  c.set_value("of another kind");
  CHECK(txn_of(t)->compares.at(0).number == 0);
  CHECK(txn_of(t)->compares.at(0).value.data() == c.value().data()); // a view
  c.set_target(static_cast<pb::Compare::CompareTarget>(9));
  CHECK(txn_of(t)->compares.at(0).target == kv::compare_target::version); // one that always holds
  CHECK(txn_of(t)->compares.at(0).relation == kv::compare_relation::greater);
  CHECK(txn_of(t)->compares.at(0).number == -1);
  c.set_result(pb::Compare::NOT_EQUAL);
  CHECK(txn_of(t)->compares.at(0).relation == kv::compare_relation::less); // one that never does
  c.set_target(pb::Compare::VALUE);
  c.set_result(static_cast<pb::Compare::CompareResult>(9));
  CHECK(txn_of(t)->compares.at(0).target == kv::compare_target::version); // one that holds if the key is there
  CHECK(txn_of(t)->compares.at(0).number == 0);
  static_cast<void>(t.add_failure());
  CHECK(txn_of(t).error().code() == kv::errc::key_not_found);
}

// The words of etcd's, by which its clients tell the errors apart.
TEST_CASE("grpc: what is said of leases") {
  const auto said = [](kv::errc code) {
    const grpc_status status = status_of(kv::error(code));
    return std::pair(status.code, status.text);
  };
  CHECK(said(kv::errc::lease_not_found) ==
        std::pair(grpc_code::not_found, std::string("etcdserver: requested lease not found")));
  CHECK(said(kv::errc::lease_exists) ==
        std::pair(grpc_code::failed_precondition, std::string("etcdserver: lease already exists")));
  CHECK(said(kv::errc::ttl_too_large) ==
        std::pair(grpc_code::out_of_range, std::string("etcdserver: too large lease TTL")));
  CHECK(said(kv::errc::too_many_leases).first == grpc_code::resource_exhausted);
}

TEST_CASE("grpc-timeout") {
  CHECK(parse_timeout("1H") == 3'600'000ms);
  CHECK(parse_timeout("2M") == 120'000ms);
  CHECK(parse_timeout("99999999S") == 99'999'999'000ms);
  CHECK(parse_timeout("10m") == 10ms);
  CHECK(parse_timeout("1u") == 1ms);
  CHECK(parse_timeout("1000001n") == 2ms);
  for (const char* bad : {"", "S", "1", "1x", "-1S", "123456789S", "1 S"}) CHECK_FALSE(parse_timeout(bad).has_value());
}

TEST_CASE("grpc: what a path that names no call is told") {
  CHECK(find_method("/etcdserverpb.KV/Put") == method::put);
  CHECK(unknown_call("/etcdserverpb.KV/Pit") == "unknown method Pit for service etcdserverpb.KV");
  CHECK(unknown_call("/nobody.Here/Put") == "unknown service nobody.Here");
  CHECK(unknown_call("nothing") == "malformed method name: \"nothing\"");
  CHECK(percent_encoded("50% \xc3\xa4\n") == "50%25 %C3%A4%0A");
}

} // namespace quorumd::clients::etcd
