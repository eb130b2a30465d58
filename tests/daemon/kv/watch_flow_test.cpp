#include "tests/daemon/kv/watch_text.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace quorumd::kv::test {
namespace {

/// Puts of values whose events take 100 bytes each, as one revision.
txn puts(const std::string& keys) {
  static const std::string value(35, 'v');
  txn t;
  for (const char& key : keys) t.success.push_back({put{.key = {&key, 1}, .value = value}});
  return t;
}

/// The keys of the events, with what stands for the rest of a delivery: "abc..." or "abc".
std::string short_form(const std::string& line) {
  std::string out;
  for (std::size_t at = 0; at != std::string::npos; at = line.find("; ", at)) out += line[at += at == 0 ? 0 : 2];
  return out + (line.find("...") == std::string::npos ? "" : "...");
}
lines short_forms(const lines& all) {
  lines out;
  for (const std::string& line : all) out.push_back(short_form(line));
  return out;
}

} // namespace

// A watcher whose sink has no room gets nothing and is not asked again; then it gets all that it missed at once.
TEST_CASE("a slow watcher falls out of step and catches up") {
  watched m;
  const watch_id slow = m.add({.key = "a"}, 1);
  m.add({.key = "a"}, 2);
  m(put{.key = "a", .value = "1"});
  m.sink.full.insert(1);
  for (const char* value : {"2", "3", "4"}) m(put{.key = "a", .value = value});
  CHECK(m.sink.take(1) == lines{"a=1 c2 m2 v1 | 2"});
  CHECK(m.sink.take(2).size() == 4);
  CHECK(m.hub.progress(slow) == revision(2));
  CHECK_FALSE(m.hub.in_step(m.sink));
  const int asked = m.sink.asked;
  m.catch_up();
  CHECK(m.sink.asked == asked);
  m.hub.resume(m.sink); // it has none yet
  m.catch_up();
  CHECK(m.sink.asked == asked + 1);
  CHECK(m.sink.take(1).empty());
  m.sink.full.clear();
  m.hub.resume(m.sink);
  m(put{.key = "a", .value = "5"});
  CHECK(m.sink.take(1).empty());
  m.catch_up();
  CHECK(m.sink.take(1) == lines{"a=2 c2 m3 v2; a=3 c2 m4 v3; a=4 c2 m5 v4; a=5 c2 m6 v5 | 6"});
  CHECK(m.hub.in_step(m.sink));
  m(put{.key = "a", .value = "6"});
  CHECK(m.sink.take(1) == lines{"a=6 c2 m7 v6 | 7"});
}

// Whoever does not catch up before a compaction takes what he needs is cancelled, and told where history begins.
TEST_CASE("compaction overtakes a watcher") {
  watched m;
  for (const char* value : {"1", "2", "3"}) m(put{.key = "a", .value = value});
  m.add({.key = "a", .start = revision(2)}, 1);
  m.add({.key = "", .range_end = rest, .start = revision(3)}, 2);
  const watch_id slow = m.add({.key = "a"}, 3);
  m.sink.full.insert(3);
  m(put{.key = "a", .value = "4"});
  m(put{.key = "a", .value = "5"});
  m(compact{revision(3)});
  m.finish_compaction();
  m.catch_up();
  CHECK(m.sink.take(1) == lines{"cancelled 3"});
  CHECK(m.sink.take(2) == lines{"a=2 c2 m3 v2; a=3 c2 m4 v3; a=4 c2 m5 v4; a=5 c2 m6 v5 | 6"});
  m(compact{revision(6)});
  m.finish_compaction();
  m.hub.resume(m.sink);
  m.catch_up();
  CHECK(m.sink.take(3) == lines{"cancelled 6"});
  CHECK_FALSE(m.hub.progress(slow).has_value());
  CHECK(m.hub.size() == 1);
}

// Those in step whose delivery was put off until its revision was compacted are cancelled, but not those that need
// nothing of it.
TEST_CASE("compaction overtakes those in step") {
  watched m;
  m.add({.key = "a", .range_end = "z"}, 1);
  m.add({.key = "a"}, 2);
  m.machine::operator()(puts("abcdef"));
  CHECK_FALSE(m.hub.advance(3));
  m.add({.key = "a"}, 3);
  m.machine::operator()(put{.key = "a", .value = "1"});
  m.machine::operator()(compact{revision(3)});
  m.finish_compaction();
  CHECK(m.hub.advance(no_bound));
  CHECK(m.sink.take(1) == lines{"cancelled 3"});
  CHECK(m.sink.take(2) == lines{"cancelled 3"});
  CHECK(m.sink.take(3) == lines{"a=1 c2 m3 v2 | 3"});
}

// A revision is split only where it alone is more than a batch; of all but its last part it is said that more follows.
TEST_CASE("a large revision comes in parts") {
  for (const bool past : {false, true})
    for (const std::size_t visits : {std::size_t{1}, std::size_t{3}, no_bound}) {
      CAPTURE(past);
      CAPTURE(visits);
      watched m({.batch_bytes_max = 300, .turn_visits = visits});
      const auto add = [&](const watch_options& o, std::uint64_t tag) {
        watch_options with_start = o;
        if (past) with_start.start = revision(2);
        m.add(with_start, tag);
      };
      const auto watch = [&] {
        add({.key = "a", .range_end = "z"}, 1);
        add({.key = "c", .range_end = "f"}, 2);
        add({.key = "e", .range_end = "z"}, 3);
        add({.key = "c"}, 4);
      };
      if (!past) watch();
      for (const char* keys : {"ab", "abcdefg", "abc", "d"}) {
        m.machine::operator()(puts(keys));
        while (!m.hub.advance(visits)) {
        }
      }
      if (past) watch();
      while (!m.hub.catch_up(visits)) {
      }
      CHECK(short_forms(m.sink.take(1)) == lines{"ab", "abc...", "def...", "g", "abc", "d"});
      const auto joined = [&](std::uint64_t tag) {
        std::string all;
        for (const std::string& each : m.sink.take(tag)) all += short_form(each);
        return all;
      };
      CHECK(joined(2) == "cdecd");
      CHECK(joined(3) == "efg");
      CHECK(joined(4) == "cc");
    }
}

// Watchers of equal options share one delivery, whichever sinks they have.
TEST_CASE("what is the same is made once") {
  watched m;
  recorder other;
  for (std::uint64_t tag = 0; tag < 10'000; ++tag)
    REQUIRE(m.hub.add({.key = "a"}, tag % 1000 == 0 ? other : m.sink, tag).has_value());
  REQUIRE(m.hub.add({.key = "a", .no_delete = true}, m.sink, 10'000).has_value());
  m(put{.key = "a", .value = "1"});
  CHECK(m.sink.numbers.size() == 2);
  CHECK(other.numbers.size() == 1);
  CHECK(m.sink.numbers.contains(*other.numbers.begin()));
  CHECK(m.sink.calls < 200);
  for (std::uint64_t tag = 0; tag <= 10'000; ++tag)
    REQUIRE((tag % 1000 == 0 && tag != 10'000 ? other : m.sink).take(tag) == lines{"a=1 c2 m2 v1 | 2"});
  for (std::uint64_t tag = 0; tag < 10'000; ++tag)
    REQUIRE(m.hub.add({.key = "a", .start = revision(2)}, m.sink, tag).has_value());
  m.sink.numbers.clear();
  m.catch_up();
  CHECK(m.sink.numbers.size() <= 10'000 / 256 + 1);
}

// Many watchers of other keys cost a change nothing.
TEST_CASE("a change visits those that it concerns") {
  watched m;
  std::vector<std::string> keys;
  for (int i = 0; i < 100'000; ++i) {
    keys.push_back("k" + std::to_string(i));
    m.add({.key = keys.back()});
    if (i % 10 == 0) m.add({.key = keys.back(), .range_end = keys.back() + "0"});
  }
  m.machine::operator()(put{.key = "k777", .value = "1"});
  CHECK(m.hub.advance(8));
  CHECK(m.sink.take().size() == 1);
  m.machine::operator()(put{.key = "k770", .value = "1"});
  CHECK(m.hub.advance(8));
  CHECK(m.sink.take().size() == 2);
  CHECK(m.sink.asked == 3);
}

// A delivery to many goes on in slices, while watchers come, go and run out of room: each gets it once.
TEST_CASE("a delivery in slices") {
  for (const std::size_t visits : {1, 2, 3, 7}) {
    CAPTURE(visits);
    watched m;
    std::vector<watch_id> ids;
    for (std::uint64_t tag = 0; tag < 100; ++tag) ids.push_back(m.add({.key = "a"}, tag));
    m.sink.full = {5, 50, 99};
    m.machine::operator()(put{.key = "a", .value = "1"});
    std::uint64_t late = 100;
    for (; !m.hub.advance(visits); ++late) {
      m.add({.key = "a"}, late);
      if (late % 3 == 0) m.hub.cancel(ids[late % 100]); // mostly one that was served
    }
    for (std::uint64_t tag = 0; tag < 100; ++tag) {
      CAPTURE(tag);
      const lines got = m.sink.take(tag);
      const lines want = m.sink.full.contains(tag) ? lines{} : lines{"a=1 c2 m2 v1 | 2"};
      CHECK((got == want || (got.empty() && !m.hub.progress(ids[tag]))));
    }
    m.sink.full.clear();
    m.hub.resume(m.sink);
    m.catch_up();
    CHECK(m.hub.in_step(m.sink));
    m(put{.key = "a", .value = "2"});
    CHECK(late > 110);
    while (late-- > 100) CHECK(m.sink.take(late) == lines{"a=2 c2 m3 v2 | 3"});
  }
}

// A cancelled watcher gets no more, wherever it was.
TEST_CASE("cancel") {
  watched m;
  m(put{.key = "a", .value = "1"});
  const watch_id in_step = m.add({.key = "a"}, 1);
  const watch_id catching_up = m.add({.key = "a", .start = revision(1)}, 2);
  const watch_id slow = m.add({.key = "a"}, 3);
  const watch_id later = m.add({.key = "a", .start = revision(9)}, 4);
  m.sink.full.insert(3);
  m(put{.key = "a", .value = "2"});
  (void)m.sink.take(1);
  m.sink.full.clear();
  for (const watch_id id : {in_step, catching_up, slow, later, watch_id(77)}) m.hub.cancel(id);
  for (const watch_id id : {in_step, catching_up, slow, later}) m.hub.cancel(id);
  CHECK(m.hub.size() == 0);
  CHECK_FALSE(m.hub.progress(in_step).has_value());
  m.hub.resume(m.sink);
  m(put{.key = "a", .value = "3"});
  m.catch_up();
  for (std::uint64_t tag = 1; tag <= 4; ++tag) CHECK(m.sink.take(tag).empty());
}

// One that reads all of history does not hold up one that reads a little.
TEST_CASE("catching up goes in turns") {
  watched m({.turn_visits = 10});
  for (int i = 0; i < 1000; ++i) m(put{.key = "a", .value = "1"});
  m.add({.key = "a", .range_end = "b", .start = revision(2)}, 1);
  m.add({.key = "a", .range_end = "c", .start = revision(995)}, 2);
  m.add({.key = "b", .start = revision(2)}, 3);
  CHECK_FALSE(m.hub.catch_up(20));
  CHECK(m.sink.take(1).size() == 1);
  CHECK(m.sink.take(2).size() == 1);
  m(put{.key = "b", .value = "1"});
  CHECK(m.sink.take(1).empty());
  CHECK(m.sink.take(2).size() == 1);
  CHECK(m.sink.take(3).size() == 1);
}

} // namespace quorumd::kv::test
