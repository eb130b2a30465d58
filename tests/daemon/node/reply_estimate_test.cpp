#include "daemon/node/reply_estimate.hpp"

#include "daemon/node/request.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace quorumd;
using node::estimate_reply;

namespace {

struct store_with_keys {
  kv::store s{kv::options{}};
  store_with_keys() {
    const std::string large(100'000, 'v');
    REQUIRE(s.apply(log_index(1), kv::command(kv::put{.key = "large", .value = large})).has_value());
    REQUIRE(s.apply(log_index(2), kv::command(kv::put{.key = "small", .value = "v"})).has_value());
  }
};

} // namespace

// Single keys answer with what they hold; ranges with up to what an answer may carry; what answers with nothing costs
// nothing.
TEST_CASE("a reply is estimated by what the keys hold now") {
  const store_with_keys k;
  const auto of = [&](const kv::command& c) { return estimate_reply(k.s, c); };
  CHECK(of(kv::put{.key = "large", .value = "x"}) == 0);
  CHECK(of(kv::put{.key = "large", .value = "x", .prev_kv = true}) == 100'005 + kv::reply_item_bytes);
  CHECK(of(kv::put{.key = "absent", .value = "x", .prev_kv = true}) == 0);
  CHECK(of(kv::delete_range{.key = "large"}) == 0);
  CHECK(of(kv::delete_range{.key = "small", .prev_kv = true}) == 6 + kv::reply_item_bytes);
  CHECK(of(kv::delete_range{.key = "a", .range_end = "z", .prev_kv = true}) == kv::reply_bytes_max);
  CHECK(of(kv::compact{revision(1)}) == 0);
}

// Of a transaction the dearer list counts, nested ones too, and never more than an answer may carry.
TEST_CASE("a transaction's reply is estimated by its dearer list") {
  const store_with_keys k;
  const kv::operation large{kv::range_request{.key = "large"}};
  const kv::operation small{kv::range_request{.key = "small"}};
  const kv::operation count{kv::range_request{.key = "a", .range_end = "z", .count_only = true}};
  kv::txn t;
  t.success = {large, count};
  t.failure = {small};
  const std::size_t one = 100'005 + kv::reply_item_bytes;
  CHECK(estimate_reply(k.s, kv::command(t)) == one);
  kv::txn outer;
  outer.success = {kv::operation{t}, large};
  CHECK(estimate_reply(k.s, kv::command(outer)) == 2 * one);
  CHECK(node::answers_much(kv::command(outer)));
  kv::txn many;
  for (int i = 0; i < 100; ++i) many.success.push_back(large);
  CHECK(estimate_reply(k.s, kv::command(many)) == kv::request_bytes_max);
  kv::txn quiet;
  quiet.success = {count, kv::operation{kv::put{.key = "k", .value = "v"}}};
  CHECK_FALSE(node::answers_much(kv::command(quiet)));
}
