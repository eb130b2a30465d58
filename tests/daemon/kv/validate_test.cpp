#include "daemon/kv/key_ranges.hpp"
#include "daemon/kv/validate.hpp"
#include "tests/daemon/kv/text.hpp"

#include <doctest/doctest.h>

#include <deque>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace quorumd::kv::test {
namespace {

/// What validate says, which apply must say as well.
std::optional<errc> judged(const command& c) {
  const result<void> ok = validate(c);
  store s{options{}};
  const result<reply> applied = s.apply(log_index(1), c);
  if (ok) return std::nullopt;
  REQUIRE(!applied);
  CHECK(applied.error() == ok.error());
  return ok.error().code();
}

std::optional<errc> judged(const range_request& r) {
  const result<void> ok = validate(r);
  if (ok) return std::nullopt;
  const store s{options{}};
  CHECK(s.range(r).error() == ok.error());
  return ok.error().code();
}

txn list(std::vector<operation> success) {
  return {{}, std::move(success), {}};
}
operation set(std::string_view key) {
  return {put{.key = key}};
}
operation del(std::string_view key, std::string_view end = {}) {
  return {delete_range{.key = key, .range_end = end}};
}
operation either(std::vector<operation> a, std::vector<operation> b) {
  return {txn{{}, std::move(a), std::move(b)}};
}

} // namespace

// An empty key is refused wherever one can stand.
TEST_CASE("empty keys") {
  CHECK(judged(put{}) == errc::key_not_provided);
  CHECK(judged(delete_range{}) == errc::key_not_provided);
  CHECK(judged(range_request{}) == errc::key_not_provided);
  CHECK(judged(txn{{compare{}}, {}, {}}) == errc::key_not_provided);
  CHECK(judged(txn{{}, {}, {set("")}}) == errc::key_not_provided);
  CHECK(judged(list({either({}, {{range_request{}}})})) == errc::key_not_provided);
}

// Enumerators from outside their range are refused.
TEST_CASE("unknown options") {
  CHECK(judged(range_request{.key = "a", .target = static_cast<sort_target>(5)}) == errc::invalid_option);
  CHECK(judged(range_request{.key = "a", .order = static_cast<sort_order>(3)}) == errc::invalid_option);
  CHECK(judged(txn{{compare{.key = "a", .target = static_cast<compare_target>(5)}}, {}, {}}) == errc::invalid_option);
  CHECK(judged(txn{{compare{.key = "a", .relation = static_cast<compare_relation>(4)}}, {}, {}}) ==
        errc::invalid_option);
}

// A list holds up to 128 operations; the longest list of a transaction is taken from what the nested ones may hold.
TEST_CASE("operations budget") {
  std::deque<std::string> keys;
  const auto puts = [&keys](std::size_t n) {
    std::vector<operation> out;
    for (std::size_t i = 0; i < n; ++i) out.push_back(set(keys.emplace_back("k" + std::to_string(keys.size()))));
    return out;
  };
  CHECK(judged(list(puts(operations_max))) == std::nullopt);
  CHECK(judged(list(puts(operations_max + 1))) == errc::too_many_operations);
  CHECK(judged(txn{{}, {}, puts(operations_max + 1)}) == errc::too_many_operations);
  CHECK(judged(txn{std::vector<compare>(operations_max + 1, compare{.key = "a"}), {}, {}}) ==
        errc::too_many_operations);
  CHECK(judged(list({either(puts(operations_max - 1), {})})) == std::nullopt);
  CHECK(judged(list({either(puts(operations_max), {})})) == errc::too_many_operations);
  operation deep = set("deep");
  for (std::size_t i = 1; i < operations_max; ++i) deep = either({deep}, {});
  CHECK(judged(list({deep})) == std::nullopt);
  CHECK(judged(list({either({deep}, {})})) == errc::too_many_operations);
}

// Keys and values together stay below the bound, over all operations.
TEST_CASE("request bytes") {
  const std::string value(request_bytes_max - 1, 'x');
  CHECK(judged(put{.key = "a", .value = value}) == std::nullopt);
  CHECK(judged(put{.key = "ab", .value = value}) == errc::request_too_large);
  CHECK(judged(list({{put{.key = "a", .value = value}}, set("b")})) == errc::request_too_large);
}

// A key may be changed once in a transaction: never put twice, nor put and deleted, in whichever order.
TEST_CASE("duplicate keys in a list") {
  CHECK(judged(list({set("a"), set("b")})) == std::nullopt);
  CHECK(judged(list({set("a"), set("a")})) == errc::duplicate_key);
  CHECK(judged(list({set("a"), del("a")})) == errc::duplicate_key);
  CHECK(judged(list({del("a"), set("a")})) == errc::duplicate_key);
  CHECK(judged(list({set("b"), del("a", "c")})) == errc::duplicate_key);
  CHECK(judged(list({del("a", rest), set("b")})) == errc::duplicate_key);
  CHECK(judged(list({del("a", "b"), set("b")})) == std::nullopt);
  CHECK(judged(list({del("c", "a"), set("b")})) == std::nullopt);
  CHECK(judged(list({del("a"), del("a"), del("a", "z")})) == std::nullopt);
  CHECK(judged(txn{{}, {}, {set("a"), set("a")}}) == errc::duplicate_key);
  CHECK(judged(txn{{}, {set("a")}, {set("a")}}) == std::nullopt);
}

// Nested lists that exclude each other may share keys; with anything else they may not.
TEST_CASE("duplicate keys across nested transactions") {
  CHECK(judged(list({either({set("a")}, {set("a")})})) == std::nullopt);
  CHECK(judged(list({either({set("a")}, {del("a")})})) == std::nullopt);
  CHECK(judged(list({either({set("a"), set("a")}, {})})) == errc::duplicate_key);
  CHECK(judged(list({set("a"), either({}, {set("a")})})) == errc::duplicate_key);
  CHECK(judged(list({either({set("a")}, {}), either({}, {set("a")})})) == errc::duplicate_key);
  CHECK(judged(list({either({del("a", "c")}, {}), either({}, {set("b")})})) == errc::duplicate_key);
  CHECK(judged(list({either({set("b")}, {}), either({}, {del("a", "c")})})) == errc::duplicate_key);
  CHECK(judged(list({either({set("b")}, {}), either({}, {del("b")})})) == errc::duplicate_key);
  CHECK(judged(list({either({either({set("x")}, {set("y")})}, {set("x")}), set("z")})) == std::nullopt);
  CHECK(judged(list({either({either({set("x")}, {set("y")})}, {set("x")}), set("y")})) == errc::duplicate_key);
}

// A set of ranges joins what overlaps, whatever the order of adding, and keeps open ends.
TEST_CASE("key ranges") {
  key_ranges r;
  r.add("m", "p");
  r.add("c", "e");
  r.add("d", "n");
  r.add("x", "w");
  CHECK_FALSE(r.contains("b"));
  CHECK(r.contains("c"));
  CHECK(r.contains("mm"));
  CHECK(r.contains("o"));
  CHECK_FALSE(r.contains("p"));
  CHECK_FALSE(r.contains("x"));
  CHECK(std::distance(r.begin(), r.end()) == 1);
  r.add("q", rest);
  r.add("r", "s");
  CHECK(r.contains("\xff"));
  CHECK_FALSE(r.contains("p"));
  r.add("a", "z");
  CHECK(r.contains("p"));
  CHECK(r.contains("zz"));
  CHECK(std::distance(r.begin(), r.end()) == 1);
}

} // namespace quorumd::kv::test
