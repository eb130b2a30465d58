#include "tests/daemon/kv/watch_text.hpp"

#include "daemon/kv/snapshot.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

namespace quorumd::kv::test {
namespace {

std::unique_ptr<store> reloaded(store& s) {
  snapshot_cursor c(s);
  store_builder b(options{}, c.header());
  while (!c.done())
    for (const record_view& r : c.next(1000)) REQUIRE(b.add(r).has_value());
  auto built = b.finish();
  REQUIRE(built.has_value());
  return std::move(*built);
}

txn both(const operation& a, const operation& b) {
  txn t;
  t.success = {a, b};
  return t;
}

} // namespace

// A watcher that names no start sees what comes after it, and nothing before.
TEST_CASE("watch from now on") {
  watched m;
  m(put{.key = "a", .value = "1"});
  m.add({.key = "a"});
  m.catch_up();
  CHECK(m.sink.take().empty());
  m(put{.key = "a", .value = "2"});
  m(put{.key = "b", .value = "2"});
  m(delete_range{.key = "a"});
  m(delete_range{.key = "a"}); // no revision
  m(put{.key = "a", .value = "3"});
  CHECK(m.sink.take() == lines{"a=2 c2 m3 v2 | 3", "-a m5 | 5", "a=3 c6 m6 v1 | 6"});
}

// A watcher that starts in history gets it in one delivery, deletions and all, and then what is new.
TEST_CASE("watch from a revision of the past") {
  for (const bool range : {false, true}) {
    CAPTURE(range);
    watched m;
    m(put{.key = "a", .value = "1"});
    m(put{.key = "a", .value = "2"});
    m(delete_range{.key = "a"});
    m(put{.key = "z", .value = "1"});
    m(put{.key = "a", .value = "3"});
    const watch_id id = m.add({.key = "a", .range_end = range ? "b" : "", .start = revision(3)});
    CHECK(m.hub.progress(id) == revision(2));
    CHECK_FALSE(m.hub.in_step(m.sink));
    CHECK(m.sink.take().empty());
    m.catch_up();
    CHECK(m.sink.take() == lines{"a=2 c2 m3 v2; -a m4; a=3 c6 m6 v1 | 6"});
    CHECK(m.hub.in_step(m.sink));
    m(put{.key = "a", .value = "4"});
    CHECK(m.sink.take() == lines{"a=4 c6 m7 v2 | 7"});
    CHECK(m.hub.progress(id) == revision(7));
  }
}

// A start above the current revision: silent until then, and never anything older.
TEST_CASE("watch from a revision to come") {
  watched m;
  const watch_id id = m.add({.key = "a", .start = revision(4)});
  CHECK_FALSE(m.hub.in_step(m.sink));
  m(put{.key = "a", .value = "1"});
  m(put{.key = "a", .value = "2"});
  CHECK(m.sink.take().empty());
  CHECK(m.hub.progress(id) == revision(3));
  CHECK_FALSE(m.hub.in_step(m.sink));
  m(put{.key = "a", .value = "3"});
  CHECK(m.sink.take() == lines{"a=3 c2 m4 v3 | 4"});
  CHECK(m.hub.in_step(m.sink));
}

// A start in the midst of a revision, past or to come: what that changed before is not told, to watchers of one key
// neither.
TEST_CASE("watch from within a revision") {
  for (const bool past : {false, true})
    for (const std::size_t batch : {reply_bytes_max, std::size_t{1}}) {
      CAPTURE(past);
      CAPTURE(batch);
      watched m({.batch_bytes_max = batch});
      const auto watch = [&] {
        m.add({.key = "a", .range_end = rest, .start = revision(2), .start_sub = 1}, 1);
        m.add({.key = "a", .range_end = rest, .start = revision(2), .start_sub = 3}, 2);
        m.add({.key = "a", .start = revision(2), .start_sub = 1}, 3);
        m.add({.key = "b", .start = revision(2), .start_sub = 1}, 4);
        m.add({.key = "a", .range_end = rest, .start = revision(2)}, 5);
      };
      if (!past) watch();
      m(txn{.success = {{put{.key = "a", .value = "1"}}, {put{.key = "b", .value = "1"}}, {put{.key = "c"}}}});
      if (past) watch();
      m.catch_up();
      m(put{.key = "a", .value = "2"});
      const bool parts = batch == 1;
      CHECK(m.sink.take(1) == (parts ? lines{"b=1 c2 m2 v1 ... | 1", "c= c2 m2 v1 | 2", "a=2 c2 m3 v2 | 3"}
                                     : lines{"b=1 c2 m2 v1; c= c2 m2 v1 | 2", "a=2 c2 m3 v2 | 3"}));
      CHECK(m.sink.take(2) == lines{"a=2 c2 m3 v2 | 3"});
      CHECK(m.sink.take(3) == lines{"a=2 c2 m3 v2 | 3"});
      CHECK(m.sink.take(4) == lines{"b=1 c2 m2 v1 | 2"});
      CHECK(m.sink.take(5).size() == (parts ? 4 : 2));
    }
}

// Ranges are what they are elsewhere; an empty key is the least one; a range without keys is refused.
TEST_CASE("watched ranges") {
  watched m;
  m.add({.key = "b"}, 1);
  m.add({.key = "b", .range_end = "c"}, 2);
  m.add({.key = "b", .range_end = rest}, 3);
  m.add({.key = "", .range_end = rest}, 4);
  m.add({.key = "", .range_end = "b"}, 5);
  m.add({.key = ""}, 6);
  for (const std::string_view key : {std::string_view("\0", 1), std::string_view("a"), std::string_view("b"),
                                     std::string_view("bb"), std::string_view("c")})
    m(put{.key = key, .value = "1"});
  const auto keys = [&](std::uint64_t tag) {
    std::string all;
    for (const std::string& line : m.sink.take(tag)) all += line.substr(0, line.find('=')) + " ";
    return all;
  };
  CHECK(keys(1) == "b ");
  CHECK(keys(2) == "b bb ");
  CHECK(keys(3) == "b bb c ");
  CHECK(keys(4) == std::string("\0 a b bb c ", 11));
  CHECK(keys(5) == std::string("\0 a ", 4));
  CHECK(keys(6) == std::string("\0 ", 2));
  CHECK(m.refused({.key = "b", .range_end = "b"}) == error(errc::range_empty).message());
  CHECK(m.refused({.key = "b", .range_end = "a"}) == error(errc::range_empty).message());
  CHECK(m.refused({.key = "", .range_end = rest, .start = revision(9)}) == "added");
}

// The events of a transaction come together, in the order of its operations; one that fails makes none, nor does one
// that is half done.
TEST_CASE("watch transactions") {
  watched m;
  m.add({.key = "a", .range_end = rest});
  const std::string large(reply_bytes_max / 2 + 1, 'x');
  m(put{.key = "l1", .value = large});
  m(put{.key = "l2", .value = large});
  (void)m.sink.take();
  m.index = m.index.next();
  const command good = both({put{.key = "z", .value = "1"}}, {put{.key = "a", .value = "1"}});
  m.s.begin(m.index, good);
  while (!m.s.proceed(1)) CHECK(m.hub.advance(no_bound));
  CHECK(m.sink.take().empty());
  (void)m.s.finish();
  CHECK(m.hub.advance(no_bound));
  CHECK(m.sink.take() == lines{"z=1 c4 m4 v1; a=1 c4 m4 v1 | 4"});
  const txn bad = both({put{.key = "n", .value = "1"}}, {delete_range{.key = "l", .range_end = "m", .prev_kv = true}});
  CHECK(m(bad) == error(errc::reply_too_large).message());
  m.add({.key = "a", .range_end = rest, .start = revision(4)}, 1);
  m.catch_up();
  m(put{.key = "n", .value = "2"});
  CHECK(m.sink.take() == lines{"n=2 c5 m5 v1 | 5"});
  CHECK(m.sink.take(1) == lines{"z=1 c4 m4 v1; a=1 c4 m4 v1 | 4", "n=2 c5 m5 v1 | 5"});
}

// What is not wanted is not told; what an event took the place of is told to those who asked for it.
TEST_CASE("filters and previous versions") {
  watched m;
  m.add({.key = "a", .no_put = true}, 1);
  m.add({.key = "a", .no_delete = true}, 2);
  m.add({.key = "a", .range_end = "b", .no_put = true, .no_delete = true}, 3);
  m.add({.key = "a", .prev_kv = true}, 4);
  const auto write = [&] {
    m(put{.key = "a", .value = "1"});
    m(put{.key = "a", .value = "2"});
    m(delete_range{.key = "a"});
    m(put{.key = "a", .value = "3"});
  };
  write();
  for (std::uint64_t tag = 1; tag <= 4; ++tag)
    m.add({.key = "a",
           .range_end = tag == 3 ? "b" : "",
           .start = revision(1),
           .no_put = tag == 1 || tag == 3,
           .no_delete = tag == 2 || tag == 3,
           .prev_kv = tag == 4},
          10 + tag);
  m.catch_up();
  CHECK(m.sink.take(1) == lines{"-a m4 | 4"});
  CHECK(m.sink.take(2) == lines{"a=1 c2 m2 v1 | 2", "a=2 c2 m3 v2 | 3", "a=3 c5 m5 v1 | 5"});
  CHECK(m.sink.take(3).empty());
  CHECK(m.sink.take(4) == lines{"a=1 c2 m2 v1 | 2", "a=2 c2 m3 v2 was [a=1 c2 m2 v1] | 3",
                                "-a m4 was [a=2 c2 m3 v2] | 4", "a=3 c5 m5 v1 | 5"});
  CHECK(m.sink.take(11) == lines{"-a m4 | 5"});
  CHECK(m.sink.take(12) == lines{"a=1 c2 m2 v1; a=2 c2 m3 v2; a=3 c5 m5 v1 | 5"});
  CHECK(m.sink.take(13).empty());
  CHECK(m.sink.take(14) ==
        lines{"a=1 c2 m2 v1; a=2 c2 m3 v2 was [a=1 c2 m2 v1]; -a m4 was [a=2 c2 m3 v2]; a=3 c5 m5 v1 | 5"});
}

// History is watched from the compacted revision itself on, with what it deleted, however much was freed; from below
// it is refused. What was replaced at it is no longer known.
TEST_CASE("watch from the compacted revision") {
  watched m;
  m(put{.key = "a", .value = "1"});
  m(put{.key = "b", .value = "1"});
  m(both({delete_range{.key = "a"}}, {put{.key = "b", .value = "2"}}));
  m(delete_range{.key = "b"});
  m(compact{revision(4)});
  CHECK(m.refused({.key = "a", .start = revision(3)}) == error(errc::compacted, revision(4)).message());
  for (std::uint64_t pass = 0; pass < 2; ++pass, m.finish_compaction()) {
    m.add({.key = "", .range_end = rest, .start = revision(4), .prev_kv = true}, pass);
    m.add({.key = "a", .start = revision(4), .prev_kv = true}, 2 + pass);
    m.catch_up();
    CHECK(m.sink.take(pass) == lines{"-a m4; b=2 c3 m4 v2; -b m5 was [b=2 c3 m4 v2] | 5"});
    CHECK(m.sink.take(2 + pass) == lines{"-a m4 | 5"});
  }
}

// A snapshot holds no deletions of the compacted revision: there a watch starts behind it, and who was told so can.
TEST_CASE("watch a store that was reloaded") {
  std::unique_ptr<store> copied; // outlives the hub
  watched m;
  m(put{.key = "a", .value = "1"});
  m(delete_range{.key = "a"});
  m(put{.key = "b", .value = "1"});
  m(both({put{.key = "c", .value = "1"}}, {delete_range{.key = "b"}}));
  m.add({.key = "a", .range_end = rest}, 1);
  m.add({.key = "a", .range_end = rest, .start = revision(2)}, 2);
  m.add({.key = "a", .range_end = rest, .start = revision(4)}, 3);
  m.machine::operator()(put{.key = "d", .value = "1"});
  m.machine::operator()(compact{revision(3)});
  copied = reloaded(m.s);
  CHECK(copied->history_floor() == revision(4));
  m.hub.replace(*copied);
  CHECK(m.refused({.key = "a", .start = revision(3)}) == error(errc::compacted, revision(4)).message());
  CHECK(m.refused({.key = "a", .start = revision(4)}) == "added");
  CHECK(m.hub.advance(no_bound));
  m.catch_up();
  (void)copied->apply(m.index.next(), put{.key = "e", .value = "1"});
  CHECK(m.hub.advance(no_bound));
  CHECK(m.sink.take(1) == lines{"d=1 c6 m6 v1 | 6", "e=1 c7 m7 v1 | 7"});
  CHECK(m.sink.take(2) == lines{"cancelled 4"});
  CHECK(m.sink.take(3) == lines{"b=1 c4 m4 v1; c=1 c5 m5 v1; -b m5; d=1 c6 m6 v1 | 6", "e=1 c7 m7 v1 | 7"});
}

} // namespace quorumd::kv::test
