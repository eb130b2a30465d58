#include "tests/daemon/kv/text.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace quorumd::kv::test {
namespace {

/// Whether a transaction with this one compare succeeds.
bool holds(machine& m, compare c) {
  txn t;
  t.compares.push_back(c);
  return m(std::move(t)).ends_with("yes {}");
}

txn when(compare c, std::vector<operation> success, std::vector<operation> failure) {
  return {{c}, std::move(success), std::move(failure)};
}

txn always(std::vector<operation> success) {
  return {{}, std::move(success), {}};
}

constexpr compare exists(std::string_view key) {
  return {.key = key, .target = compare_target::create, .relation = compare_relation::greater};
}

} // namespace

// Each target and relation, against a key at version 2, made at 2, changed at 3, value "m".
TEST_CASE("compare table") {
  machine m;
  m(put{.key = "k", .value = "a"});
  m(put{.key = "k", .value = "m"});
  using enum compare_relation;
  const auto number = [&](compare_target target, compare_relation relation, std::int64_t n) {
    return holds(m, {.key = "k", .target = target, .relation = relation, .number = n});
  };
  const std::pair<compare_target, std::int64_t> targets[] = {
      {compare_target::version, 2}, {compare_target::create, 2}, {compare_target::mod, 3}, {compare_target::lease, 0}};
  for (const auto& [target, n] : targets) {
    CAPTURE(static_cast<int>(target));
    CHECK(number(target, equal, n));
    CHECK_FALSE(number(target, equal, n + 1));
    CHECK(number(target, not_equal, n - 1));
    CHECK_FALSE(number(target, not_equal, n));
    CHECK(number(target, greater, n - 1));
    CHECK_FALSE(number(target, greater, n));
    CHECK(number(target, less, n + 1));
    CHECK_FALSE(number(target, less, n));
  }
  const auto value = [&](compare_relation relation, std::string_view v) {
    return holds(m, {.key = "k", .target = compare_target::value, .relation = relation, .value = v});
  };
  CHECK(value(equal, "m"));
  CHECK_FALSE(value(equal, "mm"));
  CHECK(value(not_equal, ""));
  CHECK(value(greater, "a"));
  CHECK_FALSE(value(greater, "\xff"));
  CHECK(value(less, "\xff"));
}

// An absent or deleted key compares as zeros, except by value, which is false whatever the relation.
TEST_CASE("compare an absent key") {
  machine m;
  m(put{.key = "gone", .value = "1"});
  m(delete_range{.key = "gone"});
  for (const char* key : {"gone", "never"}) {
    CHECK(holds(m, {.key = key, .target = compare_target::create}));
    CHECK(holds(m, {.key = key, .target = compare_target::version}));
    CHECK(holds(m, {.key = key, .target = compare_target::mod, .relation = compare_relation::less, .number = 1}));
    CHECK_FALSE(holds(m, {.key = key, .target = compare_target::value}));
    CHECK_FALSE(holds(m, {.key = key, .target = compare_target::value, .relation = compare_relation::not_equal}));
  }
}

// A compare over a range must hold for every key in it; over no key it compares zeros.
TEST_CASE("compare a range") {
  machine m;
  m(put{.key = "a", .value = "x"});
  m(put{.key = "b", .value = "x"});
  m(put{.key = "c", .value = "y"});
  const auto all_x = [](std::string_view key, std::string_view end) {
    return compare{.key = key, .range_end = end, .target = compare_target::value, .value = "x"};
  };
  CHECK(holds(m, all_x("a", "c")));
  CHECK_FALSE(holds(m, all_x("a", rest)));
  CHECK_FALSE(holds(m, all_x("d", rest)));
  CHECK(holds(m, {.key = "d", .range_end = rest, .target = compare_target::mod}));
}

// All compares must hold; none at all is true.
TEST_CASE("compares are joined by and") {
  machine m;
  m(put{.key = "a", .value = "1"});
  CHECK(m(txn{}) == "r2: yes {}");
  CHECK(m(txn{{exists("a"), exists("b")}, {}, {}}) == "r2: no {}");
  CHECK(m(txn{{exists("a"), exists("a")}, {}, {}}) == "r2: yes {}");
}

// The operations of one transaction share a revision; a transaction that changes nothing makes none.
TEST_CASE("one revision a transaction") {
  machine m;
  m(put{.key = "old", .value = "1"});
  CHECK(m(always({{put{.key = "a", .value = "1"}},
                  {put{.key = "b", .value = "1", .prev_kv = true}},
                  {delete_range{.key = "old"}},
                  {delete_range{.key = "none"}}})) == "r3: yes {put; put; deleted 1 []; deleted 0 []}");
  CHECK(m.all() == "r3 2/2 [a=1 c3 m3 v1, b=1 c3 m3 v1]");
  CHECK(m(always({{delete_range{.key = "none"}}, {range_request{.key = "a"}}})) ==
        "r3: yes {deleted 0 []; r3 1/1 [a=1 c3 m3 v1]}");
}

// Reads see the writes before them in the transaction, unless they ask for an older revision.
TEST_CASE("reads inside a transaction") {
  machine m;
  m(put{.key = "a", .value = "1"});
  CHECK(m(always({{range_request{.key = "a"}},
                  {put{.key = "a", .value = "2"}},
                  {range_request{.key = "a"}},
                  {range_request{.key = "a", .revision = revision(2)}}})) ==
        "r3: yes {r2 1/1 [a=1 c2 m2 v1]; put; r3 1/1 [a=2 c2 m3 v2]; r3 1/1 [a=1 c2 m2 v1]}");
}

// Views of earlier reads of a transaction survive the keys that its later puts add to the map.
TEST_CASE("a transaction's reads stay valid to its end") {
  machine m;
  for (char c = 'a'; c <= 'z'; ++c) m(put{.key = std::string(1, c), .value = "old"});
  std::vector<std::string> keys;
  for (int i = 0; i < 100; ++i) keys.push_back("m" + std::to_string(i));
  std::vector<operation> list{{range_request{.key = "a", .range_end = rest}}};
  for (const std::string& key : keys) list.push_back({put{.key = key, .value = "new"}});
  m.index = m.index.next();
  const auto done = m.s.apply(m.index, always(std::move(list)));
  const auto& seen = std::get<range_reply>(std::get<txn_reply>(done.value().body).responses.front().what);
  REQUIRE(seen.kvs.size() == 26);
  for (std::size_t i = 0; i < 26; ++i) {
    CHECK(seen.kvs[i].key == std::string(1, static_cast<char>('a' + i)));
    CHECK(seen.kvs[i].value == "old");
  }
}

// An operation that cannot run fails the whole transaction before anything is changed; one in the list that is not
// chosen does not.
TEST_CASE("all or nothing") {
  machine m;
  m(put{.key = "a", .value = "1"});
  const auto hash = m.s.content_hash();
  const operation future{range_request{.key = "a", .revision = revision(9)}};
  const operation touch{put{.key = "none", .ignore_value = true}};
  const operation leased{put{.key = "x", .lease = lease_id(1)}};
  const operation good{put{.key = "a", .value = "2"}};
  CHECK(m(always({good, future})) == "the revision has not happened yet (the current one is 2)");
  CHECK(m(always({good, touch})) == "the key whose value or lease is to be kept does not exist");
  CHECK(m(always({good, leased})) == "the lease does not exist");
  CHECK(m(always({good, {always({leased})}})) == "the lease does not exist");
  CHECK(m.s.content_hash() == hash);
  CHECK(m(txn{{}, {good}, {future, touch, leased}}) == "r3: yes {put}");
}

// A read of a compacted revision fails the transaction, one at the floor does not.
TEST_CASE("compacted reads inside a transaction") {
  machine m;
  for (int i = 0; i < 4; ++i) m(put{.key = "a", .value = std::to_string(i)});
  m(compact{.revision = revision(4)});
  CHECK(m(always({{range_request{.key = "a", .revision = revision(3)}}})) ==
        "the revision has been compacted (the compaction floor is 4)");
  CHECK(m(always({{range_request{.key = "a", .revision = revision(4)}}})) == "r5: yes {r5 1/1 [a=2 c2 m4 v3]}");
}

// Nested compares are decided by the state before the transaction, not by what outer operations did meanwhile.
TEST_CASE("nested transactions decide first") {
  machine m;
  CHECK(m(always({{put{.key = "a", .value = "1"}},
                  {when(exists("a"), {{put{.key = "b", .value = "yes"}}}, {{put{.key = "b", .value = "no"}}})},
                  {range_request{.key = "a", .range_end = rest}}})) ==
        "r2: yes {put; no {put}; r2 2/2 [a=1 c2 m2 v1, b=no c2 m2 v1]}");
  CHECK(m(when(exists("a"),
               {{when(exists("b"), {{when(exists("c"), {}, {{delete_range{.key = "b"}}})}}, {})},
                {when(exists("zz"), {}, {{put{.key = "c", .value = "1"}}})}},
               {})) == "r3: yes {yes {no {deleted 1 []}}; no {put}}");
}

} // namespace quorumd::kv::test
