#include "tests/daemon/kv/text.hpp"

#include <doctest/doctest.h>

#include <string>

namespace quorumd::kv::test {
namespace {

/// a=3 made at 2, b=1 at 3, c=2 at 4 and changed at 5, d=0 at 6.
struct four_keys : machine {
  four_keys() {
    machine& m = *this;
    m(put{.key = "a", .value = "3"});
    m(put{.key = "b", .value = "1"});
    m(put{.key = "c", .value = "9"});
    m(put{.key = "c", .value = "2"});
    m(put{.key = "d", .value = "0"});
  }
};

} // namespace

// The three forms of range_end: one key, a half-open range, everything from a key on; an inverted range is empty.
TEST_CASE("range ends") {
  const four_keys m;
  CHECK(m.range({.key = "b"}) == "r6 1/1 [b=1 c3 m3 v1]");
  CHECK(m.range({.key = "bb"}) == "r6 0/0 []");
  CHECK(m.range({.key = "b", .range_end = "d"}) == "r6 2/2 [b=1 c3 m3 v1, c=2 c4 m5 v2]");
  CHECK(m.range({.key = "c", .range_end = rest}) == "r6 2/2 [c=2 c4 m5 v2, d=0 c6 m6 v1]");
  CHECK(m.range({.key = "d", .range_end = "b"}) == "r6 0/0 []");
  CHECK(m.range({.key = "b", .range_end = "b"}) == "r6 0/0 []");
}

// The end of a prefix is its successor; of bytes that have none, everything.
TEST_CASE("prefix_end") {
  CHECK(prefix_end("a") == "b");
  CHECK(prefix_end("ab") == "ac");
  CHECK(prefix_end("a\xff") == "b");
  CHECK(prefix_end("\xff\xff") == rest);
  CHECK(prefix_end("") == rest);
  machine m;
  for (const char* key : {"a", "a\xff", "a\xff\x01", "b"}) m(put{.key = key, .value = "1"});
  CHECK(m.range({.key = "a\xff", .range_end = prefix_end("a\xff"), .count_only = true}) == "r5 0/2 []");
}

// A limit cuts the keys but not the count, and says whether it cut any.
TEST_CASE("limit, count and more") {
  const four_keys m;
  CHECK(m.range({.key = "a", .range_end = rest, .limit = 2}) == "r6 2/4 more [a=3 c2 m2 v1, b=1 c3 m3 v1]");
  CHECK(m.range({.key = "c", .range_end = rest, .limit = 2}) == "r6 2/2 [c=2 c4 m5 v2, d=0 c6 m6 v1]");
  CHECK(m.range({.key = "a", .range_end = rest, .limit = 1, .count_only = true}) == "r6 0/4 []");
  CHECK(m.range({.key = "c", .keys_only = true}) == "r6 1/1 [c= c4 m5 v2]");
}

// A page holds at least one key and ends before its bound; whoever pages may do without the count.
TEST_CASE("pages") {
  const four_keys m;
  CHECK(m.range({.key = "a", .range_end = rest, .page_bytes_max = 132}) == "r6 2/4 more [a=3 c2 m2 v1, b=1 c3 m3 v1]");
  CHECK(m.range({.key = "a", .range_end = rest, .page_bytes_max = 133}) == "r6 2/4 more [a=3 c2 m2 v1, b=1 c3 m3 v1]");
  CHECK(m.range({.key = "a", .range_end = rest, .page_bytes_max = 1, .skip_count = true}) ==
        "r6 1/1 more [a=3 c2 m2 v1]");
  CHECK(m.range({.key = "d", .range_end = rest, .page_bytes_max = 1, .skip_count = true}) == "r6 1/1 [d=0 c6 m6 v1]");
  CHECK(m.range({.key = "a", .range_end = rest, .order = sort_order::descend, .page_bytes_max = 2}) ==
        "r6 1/4 more [d=0 c6 m6 v1]");
}

// Reading at each older revision finds the store as it was, deleted keys included; the header says the current one.
TEST_CASE("reads in the past") {
  four_keys m;
  m(delete_range{.key = "a", .range_end = "d"});
  m(put{.key = "a", .value = "new"});
  CHECK(m.all(1) == "r8 0/0 []");
  CHECK(m.all(2) == "r8 1/1 [a=3 c2 m2 v1]");
  CHECK(m.all(4) == "r8 3/3 [a=3 c2 m2 v1, b=1 c3 m3 v1, c=9 c4 m4 v1]");
  CHECK(m.all(5) == "r8 3/3 [a=3 c2 m2 v1, b=1 c3 m3 v1, c=2 c4 m5 v2]");
  CHECK(m.all(7) == "r8 1/1 [d=0 c6 m6 v1]");
  CHECK(m.all(8) == "r8 2/2 [a=new c8 m8 v1, d=0 c6 m6 v1]");
  CHECK(m.all(9) == "the revision has not happened yet (the current one is 8)");
}

// Sorting by each target, both ways; another target than the key without an order sorts ascending.
TEST_CASE("sort targets and orders") {
  const four_keys m;
  const auto keys = [&](sort_target target, sort_order order, std::uint64_t limit = 0) {
    const auto r = m.s.range({.key = "a", .range_end = rest, .limit = limit, .target = target, .order = order});
    std::string out;
    for (const key_value_view& kv : r.value().kvs) out += kv.key;
    return out;
  };
  CHECK(keys(sort_target::key, sort_order::none) == "abcd");
  CHECK(keys(sort_target::key, sort_order::ascend) == "abcd");
  CHECK(keys(sort_target::key, sort_order::descend) == "dcba");
  CHECK(keys(sort_target::key, sort_order::descend, 1) == "d");
  CHECK(keys(sort_target::value, sort_order::none) == "dbca");
  CHECK(keys(sort_target::value, sort_order::ascend) == "dbca");
  CHECK(keys(sort_target::value, sort_order::descend) == "acbd");
  CHECK(keys(sort_target::value, sort_order::descend, 2) == "ac");
  CHECK(keys(sort_target::version, sort_order::descend) == "cabd");
  CHECK(keys(sort_target::version, sort_order::ascend) == "abdc");
  CHECK(keys(sort_target::create, sort_order::descend) == "dcba");
  CHECK(keys(sort_target::mod, sort_order::descend, 3) == "dcb");
}

// Sorting by value looks at values even if only keys are asked for.
TEST_CASE("sort by value with keys only") {
  const four_keys m;
  CHECK(m.range({.key = "a", .range_end = rest, .limit = 1, .keys_only = true, .target = sort_target::value}) ==
        "r6 1/4 more [d= c6 m6 v1]");
}

// Revision filters cut keys, not the count, and the limit applies after them.
TEST_CASE("revision filters") {
  const four_keys m;
  CHECK(m.range({.key = "a", .range_end = rest, .min_mod_revision = revision(5)}) ==
        "r6 2/4 [c=2 c4 m5 v2, d=0 c6 m6 v1]");
  CHECK(m.range({.key = "a", .range_end = rest, .limit = 1, .min_mod_revision = revision(5)}) ==
        "r6 1/4 more [c=2 c4 m5 v2]");
  CHECK(m.range({.key = "a", .range_end = rest, .max_mod_revision = revision(3)}) ==
        "r6 2/4 [a=3 c2 m2 v1, b=1 c3 m3 v1]");
  CHECK(m.range({.key = "a", .range_end = rest, .limit = 2, .max_mod_revision = revision(3)}) ==
        "r6 2/4 [a=3 c2 m2 v1, b=1 c3 m3 v1]");
  CHECK(m.range(
            {.key = "a", .range_end = rest, .min_create_revision = revision(3), .max_create_revision = revision(4)}) ==
        "r6 2/4 [b=1 c3 m3 v1, c=2 c4 m5 v2]");
}

} // namespace quorumd::kv::test
