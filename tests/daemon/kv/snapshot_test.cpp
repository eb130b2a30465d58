#include "daemon/kv/snapshot.hpp"
#include "tests/daemon/kv/text.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace quorumd::kv::test {
namespace {

/// A record with its own bytes, as text: "k=v c2 m3 s0 v1".
std::string text_of(const record_view& r) {
  return std::string(r.key) + "=" + std::string(r.value) + " c" + std::to_string(r.create_revision.value()) + " m" +
         std::to_string(r.mod_revision.value()) + " s" + std::to_string(r.sub) + " v" + std::to_string(r.version);
}

/// Everything the cursor has left, in slices of that size.
std::vector<std::string> drain(snapshot_cursor& c, std::size_t bytes_max = 1) {
  std::vector<std::string> out;
  while (!c.done())
    for (const record_view& r : c.next(bytes_max)) out.push_back(text_of(r));
  return out;
}

std::unique_ptr<store> copy(store& s, std::size_t bytes_max) {
  snapshot_cursor c(s);
  store_builder b(options{}, c.header());
  while (!c.done())
    for (const record_view& r : c.next(bytes_max)) REQUIRE(b.add(r).has_value());
  auto built = b.finish();
  REQUIRE(built.has_value());
  return std::move(*built);
}

/// a: made, deleted, made again; b: overwritten; c: untouched; floor at 4.
struct with_history : machine {
  with_history() {
    machine& m = *this;
    m(put{.key = "b", .value = "1"});
    m(put{.key = "c", .value = "1"});
    m(put{.key = "b", .value = "2"});
    m(put{.key = "a", .value = "1"});
    m(txn{{}, {{put{.key = "b", .value = "3"}}, {delete_range{.key = "a"}}}, {}});
    m(put{.key = "a", .value = "2"});
    m(compact{.revision = revision(4)});
  }
};

const std::vector<std::string> history_records{"a=1 c5 m5 s0 v1", "a= c0 m6 s1 v0",  "a=2 c7 m7 s0 v1",
                                               "b=2 c2 m4 s0 v2", "b=3 c2 m6 s0 v3", "c=1 c3 m3 s0 v1"};

} // namespace

// A snapshot yields what can be read: history and tombstones above the floor, nothing that was compacted, whether or
// not it has been freed.
TEST_CASE("records of a snapshot") {
  with_history m;
  for (int pass = 0; pass < 2; ++pass, m.finish_compaction()) {
    snapshot_cursor c(m.s);
    const snapshot_header expected{.applied = log_index(7),
                                   .current = revision(7),
                                   .compacted = revision(4),
                                   .settings = {},
                                   .content_hash = m.s.content_hash()};
    CHECK(c.header() == expected);
    CHECK(drain(c) == history_records);
    CHECK(c.next(1).empty());
    snapshot_cursor whole(m.s);
    CHECK(whole.next(1 << 20).size() == history_records.size());
    CHECK(whole.done());
  }
}

// What is written, deleted and compacted while the snapshot is taken does not show in it.
TEST_CASE("a snapshot while writing") {
  with_history m;
  snapshot_cursor c(m.s);
  std::vector<std::string> got;
  for (int i = 0; !c.done(); ++i) {
    for (const record_view& r : c.next(1)) got.push_back(text_of(r));
    m(put{.key = "a" + std::to_string(i), .value = "new"});
    m(delete_range{.key = "b", .range_end = "d"});
    m(put{.key = "b", .value = "new"});
    m(compact{.revision = m.s.current()});
    m.finish_compaction();
  }
  CHECK(got == history_records);
}

// Physical compaction waits for the oldest of the snapshots being taken and goes on when it is gone; what was
// compacted before the pin is freed meanwhile.
TEST_CASE("pins hold physical compaction") {
  machine m;
  for (int i = 0; i < 5; ++i) m(put{.key = "a", .value = "x"});
  m(compact{.revision = revision(3)});
  auto first = std::make_unique<snapshot_cursor>(m.s);
  m(compact{.revision = revision(5)});
  auto second = std::make_unique<snapshot_cursor>(m.s);
  m(compact{.revision = revision(6)});
  CHECK_FALSE(m.s.compact_step(100));
  CHECK(m.s.held_bytes() == 1 + 4);
  CHECK(drain(*second).size() == 2);
  second.reset();
  CHECK_FALSE(m.s.compact_step(100));
  CHECK(m.s.held_bytes() == 1 + 4);
  CHECK(drain(*first).size() == 4);
  first.reset();
  CHECK_FALSE(m.s.compact_step(100));
  CHECK(m.s.held_bytes() == 1 + 1);
}

// Slices stay near their bound also where the store has only grown keys that the snapshot does not show.
TEST_CASE("slices over new keys are bounded") {
  machine m;
  m(put{.key = "z", .value = "1"});
  snapshot_cursor c(m.s);
  for (int i = 0; i < 1000; ++i) m(put{.key = "k" + std::to_string(i), .value = "1"});
  int slices = 0;
  std::size_t records = 0;
  for (; !c.done(); ++slices) records += c.next(640).size();
  CHECK(slices >= 100);
  CHECK(records == 1);
}

// An installed store answers, hashes, compacts and goes on like the one it was taken of.
TEST_CASE("install") {
  with_history m;
  auto copied = copy(m.s, 1);
  CHECK(copied->applied() == m.s.applied());
  CHECK(copied->current() == m.s.current());
  CHECK(copied->compacted() == m.s.compacted());
  CHECK(copied->keys() == m.s.keys());
  CHECK(copied->bytes() == m.s.bytes());
  CHECK(copied->content_hash() == m.s.content_hash());
  CHECK(copied->recompute_content_hash() == m.s.content_hash());
  m.finish_compaction();
  CHECK(copied->held_bytes() == m.s.held_bytes());
  for (const command& c :
       std::vector<command>{put{.key = "a", .value = "9", .prev_kv = true}, delete_range{.key = "b", .prev_kv = true},
                            compact{.revision = revision(6)}, compact{.revision = revision(9)}}) {
    m.index = m.index.next();
    CHECK(text(copied->apply(m.index, c)) == text(m.s.apply(m.index, c)));
    CHECK(copied->content_hash() == m.s.content_hash());
    while (copied->compact_step(1)) {
    }
    m.finish_compaction();
    CHECK(copied->held_bytes() == m.s.held_bytes());
    CHECK(copied->recompute_content_hash() == m.s.content_hash());
  }
}

// An empty store has a snapshot too.
TEST_CASE("install an empty store") {
  machine m;
  m.s.skip(log_index(3));
  const auto copied = copy(m.s, 100);
  CHECK(copied->applied() == log_index(3));
  CHECK(copied->current() == revision(1));
  CHECK(copied->content_hash() == m.s.content_hash());
}

// Records that contradict the header, themselves or each other are refused, each with its reason.
TEST_CASE("a builder refuses bad records") {
  struct bad {
    const char* what;
    errc code;
    std::vector<record_view> records; // the last is the bad one
  };
  const record_view live{
      .key = "k", .value = "v", .create_revision = revision(4), .mod_revision = revision(5), .version = 2};
  const auto change = [&](const std::function<void(record_view&)>& f) {
    record_view r = live;
    f(r);
    return r;
  };
  const auto at = [&](std::uint64_t mod, std::uint64_t version) {
    return change([&](record_view& r) { r.mod_revision = revision(mod), r.version = version; });
  };
  const auto made = [&](std::uint64_t mod) {
    return change([&](record_view& r) { r.create_revision = r.mod_revision = revision(mod), r.version = 1; });
  };
  const record_view tombstone{.key = "k", .mod_revision = revision(8)};
  const std::vector<bad> table{
      {"empty key", errc::snapshot_record, {change([](record_view& r) { r.key = {}; })}},
      {"beyond current", errc::snapshot_record, {at(11, 2)}},
      {"revision 1", errc::snapshot_record, {made(1)}},
      {"created later", errc::snapshot_record, {change([](record_view& r) { r.create_revision = revision(6); })}},
      {"version 1 but older creation", errc::snapshot_record, {at(5, 1)}},
      {"more versions than revisions", errc::snapshot_record, {at(5, 3)}},
      {"a lease that there is not",
       errc::snapshot_record,
       {change([](record_view& r) { r.lease = lease_id(1); }), change([](record_view& r) { r.key = "l"; })}},
      {"tombstone with a lease",
       errc::snapshot_record,
       {live, {.key = "k", .mod_revision = revision(8), .lease = lease_id(1)}}},
      {"tombstone with value",
       errc::snapshot_record,
       {live, change([](record_view& r) { r.version = 0, r.create_revision = {}, r.mod_revision = revision(8); })}},
      {"tombstone first", errc::snapshot_record, {tombstone}},
      {"two tombstones", errc::snapshot_record, {live, tombstone, {.key = "k", .mod_revision = revision(9)}}},
      {"no creation above the floor", errc::snapshot_record, {at(8, 4)}},
      {"two at or below the floor", errc::snapshot_record, {live, at(6, 3)}},
      {"a version left out", errc::snapshot_record, {live, at(8, 4)}},
      {"creation of a living key", errc::snapshot_record, {live, made(8)}},
      {"no creation after a tombstone", errc::snapshot_record, {live, tombstone, at(9, 3)}},
      {"revision again", errc::snapshot_order, {live, live}},
      {"key goes back", errc::snapshot_order, {live, change([](record_view& r) { r.key = "j"; })}},
  };
  for (const bad& b : table) {
    CAPTURE(b.what);
    store_builder builder(options{}, {log_index(20), revision(10), revision(7), {}, 0});
    for (std::size_t i = 0; i + 1 < b.records.size(); ++i) REQUIRE(builder.add(b.records[i]).has_value());
    const result<void> last = builder.add(b.records.back());
    REQUIRE_FALSE(last.has_value());
    CHECK(last.error().code() == b.code);
  }
}

// A record that is missing or altered, or a header that does not fit, shows at the end.
TEST_CASE("a builder compares the hash") {
  with_history m;
  snapshot_cursor c(m.s);
  std::vector<record_view> records;
  for (const record_view& r : c.next(1 << 20)) records.push_back(r);
  const auto build = [&](const snapshot_header& h, const std::vector<record_view>& list) {
    store_builder b(options{}, h);
    for (const record_view& r : list) REQUIRE(b.add(r).has_value());
    return b.finish();
  };
  CHECK(build(c.header(), records).has_value());
  auto less = records;
  less.pop_back();
  CHECK(build(c.header(), less).error().code() == errc::snapshot_hash);
  auto other = records;
  other.front().value = "2";
  CHECK(build(c.header(), other).error().code() == errc::snapshot_hash);
  snapshot_header h = c.header();
  h.current = h.current.next();
  CHECK(build(h, records).error().code() == errc::snapshot_hash);
  CHECK(build({log_index(1), revision(0), revision(0), {}, 0}, {}).error().code() == errc::snapshot_record);
  CHECK(build({log_index(1), revision(2), revision(3), {}, 0}, {}).error().code() == errc::snapshot_record);
}

} // namespace quorumd::kv::test
