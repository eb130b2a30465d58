#include "tests/daemon/kv/text.hpp"

#include "daemon/kv/snapshot.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace quorumd::kv::test {
namespace {

std::string name(std::size_t n) {
  std::string digits = std::to_string(n);
  return "k" + std::string(6 - digits.size(), '0') + digits;
}

/// What can be known of a store.
struct state {
  explicit state(const machine& m)
      : everything(m.all())
      , keys(m.s.keys())
      , bytes(m.s.bytes())
      , held_bytes(m.s.held_bytes())
      , hash(m.s.content_hash())
      , recomputed(m.s.recompute_content_hash()) {}
  friend bool operator==(const state&, const state&) = default;

  std::string everything;
  std::uint64_t keys, bytes, held_bytes, hash, recomputed;
};

std::string in_slices(machine& m, const command& c) {
  m.index = m.index.next();
  m.s.begin(m.index, c);
  while (!m.s.proceed(1)) {
  }
  return text(m.s.finish());
}

} // namespace

// A transaction puts a key, overwrites one, deletes others and asks for more than an answer may hold: it fails, and
// nothing of it remains, however it is sliced; what comes afterwards finds the store as it was.
TEST_CASE("a transaction that answers too much changes nothing") {
  const std::string large(400 * 1024, 'x');
  machine m;
  for (const char* key : {"a", "b", "c"}) m(put{.key = key, .value = large});
  m(put{.key = "gone", .value = "1"});
  m(delete_range{.key = "gone"});
  const state before(m);

  txn t;
  t.success = {{put{.key = "new", .value = "1"}},
               {put{.key = "gone", .value = "2"}},
               {put{.key = "a", .value = "3"}},
               {delete_range{.key = "b", .range_end = "d"}},
               {range_request{.key = "a", .range_end = rest, .revision = revision(4)}}};
  const std::string refused = in_slices(m, t);
  CHECK(refused == error(errc::reply_too_large).message());
  CHECK(state(m) == before);

  CHECK(m(delete_range{.key = "a", .range_end = rest, .prev_kv = true}) == refused);
  CHECK(state(m) == before);
  CHECK(in_slices(m, delete_range{.key = "a", .range_end = rest}) == "r7: deleted 3 []");
  m(compact{revision(7)});
  m.finish_compaction();
  CHECK(m.s.held_bytes() == 3); // the keys that were deleted at this very revision
  CHECK(m.all() == "r7 0/0 []");
}

// One value alone may be larger than what an answer may hold otherwise.
TEST_CASE("one item of a transaction's answer always fits") {
  const std::string large(reply_bytes_max + 1, 'x');
  machine m;
  m(put{.key = "a", .value = large});
  txn t;
  t.success = {{put{.key = "a", .value = "1", .prev_kv = true}}};
  m.index = m.index.next();
  CHECK(m.s.apply(m.index, t).has_value());
  m(put{.key = "a", .value = large});
  t.success.push_back({put{.key = "b", .value = "2"}});
  t.success.push_back({range_request{.key = "b"}});
  CHECK(m(t) == error(errc::reply_too_large).message());
}

// Ranges that together look at more keys than a replicated transaction may look at: refused, with nothing changed. The
// same asked for by itself, of this node alone, has no such bound.
TEST_CASE("a transaction's compares and ranges look at so many keys at most") {
  machine m;
  constexpr std::size_t keys = 10'000;
  for (std::size_t i = 0; i < keys; ++i) m(put{.key = name(i), .value = "v"});
  const range_request none{.key = "k", .range_end = "l", .min_mod_revision = revision(1'000'000)};
  txn reads;
  for (std::size_t i = 0; i < txn_visits_max / keys; ++i) reads.success.push_back({none});
  txn t = reads;
  t.success.push_back({put{.key = "k", .value = "1"}});
  CHECK(m.s.apply(m.index = m.index.next(), t).has_value());
  t.success.insert(t.success.begin(), {none});
  const state before(m);
  CHECK(m(t) == error(errc::too_many_visits).message());
  CHECK(state(m) == before);

  txn compares;
  compares.compares.assign(txn_visits_max / keys + 1, compare{.key = "k", .range_end = "l", .number = 1});
  compares.success = {{put{.key = "k", .value = "2"}}};
  CHECK(m(compares) == error(errc::too_many_visits).message());

  reads.success.push_back({none});
  reads.success.push_back({none});
  reading r(m.s, reads);
  CHECK_FALSE(r.proceed(1000));
  while (!r.proceed(100'000)) {
  }
  CHECK(r.take_txn().has_value());
}

// What was deleted and compacted is freed when there is time for it, on each member at another: what a transaction may
// look at is counted without it, so that all members judge it alike.
TEST_CASE("what waits to be freed does not count") {
  machine freed;
  machine pinned;
  constexpr std::size_t keys = 12'000;
  const auto both = [&](const command& c) { return std::pair(freed(c), pinned(c)); };
  for (std::size_t i = 0; i < keys; ++i) both(put{.key = name(i), .value = "v"});
  both(delete_range{.key = name(0), .range_end = name(keys / 2)});
  both(compact{freed.s.current()});
  freed.finish_compaction();
  REQUIRE(freed.s.held_bytes() < pinned.s.held_bytes());
  const range_request then{
      .key = "k", .range_end = "l", .revision = freed.s.current(), .min_mod_revision = revision(1'000'000)};
  txn t;
  t.success.push_back({put{.key = "k", .value = "1"}});
  for (std::size_t i = 0; i < 120; ++i)
    t.success.push_back({then}); // 720,000 that can be seen, twice as many in memory
  const auto few = both(t);
  CHECK(few.first == few.second);
  CHECK(few.first.find("yes") != std::string::npos);
  range_request counts = then;
  counts.count_only = true;
  for (operation& o : t.success)
    if (std::holds_alternative<range_request>(o.what)) o.what = counts;
  CHECK(both(t).second.find("yes") != std::string::npos);
  counts.count_only = false;
  counts.target = sort_target::mod;
  for (operation& o : t.success)
    if (std::holds_alternative<range_request>(o.what)) o.what = counts;
  CHECK(both(t).second.find("yes") != std::string::npos);
  CHECK(freed.s.content_hash() == pinned.s.content_hash());
}

// A limit as large as a number can be is none.
TEST_CASE("the largest limit") {
  machine m;
  for (std::size_t i = 0; i < 10; ++i) m(put{.key = name(i), .value = "v"});
  for (const std::uint64_t limit : {UINT64_MAX, UINT64_MAX - 1}) {
    const auto all = m.s.range({.key = "k", .range_end = "l", .limit = limit, .target = sort_target::version});
    REQUIRE(all.has_value());
    CHECK(all->kvs.size() == 10);
    CHECK_FALSE(all->more);
  }
}

// Counts, first pages and the keys around many deleted ones are found without a walk.
TEST_CASE("counting and paging do not walk") {
  machine m;
  for (std::size_t i = 0; i < 5'000; ++i) m(put{.key = name(i), .value = "v"});
  m(delete_range{.key = name(100), .range_end = name(4'900)});
  const auto visits = [&](const range_request& r) {
    reading one(m.s, r);
    std::size_t n = 1;
    while (!one.proceed(1)) ++n;
    REQUIRE(one.take_range().has_value());
    return n;
  };
  CHECK(visits({.key = "k", .range_end = "l", .count_only = true}) == 1);
  CHECK(visits({.key = name(99), .range_end = "l", .limit = 3}) < 8);
  CHECK(visits({.key = "k", .range_end = name(4'901), .limit = 3, .order = sort_order::descend}) < 8);
  CHECK(m.range({.key = name(99), .range_end = "l", .limit = 2, .keys_only = true}) ==
        "r5002 2/101 more [k000099= c101 m101 v1, k004900= c4902 m4902 v1]");
  // In the past they are counted one by one.
  CHECK(visits({.key = "k", .range_end = "l", .revision = revision(5'000), .count_only = true}) > 2'000);
}

// Nobody waits for the answer of a deletion with the versions it deletes: it is not made, and all else is the same.
TEST_CASE("an answer that nobody waits for is not made") {
  machine answered, silent;
  for (machine* m : {&answered, &silent}) {
    (*m)(put{.key = "a", .value = "1"});
    (*m)(put{.key = "b", .value = "2"});
  }
  const command c = delete_range{.key = "a", .range_end = "c", .prev_kv = true};
  silent.s.begin(log_index(3), c, false);
  while (!silent.s.proceed(1)) {
  }
  CHECK(text(silent.s.finish()) == "r4: deleted 2 []");
  CHECK(answered(c) == "r4: deleted 2 [a=1 c2 m2 v1, b=2 c3 m3 v1]");
  CHECK(answered.s.content_hash() == silent.s.content_hash());
}

} // namespace quorumd::kv::test
