#include "tests/sim/checkers/watch_checker.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace quorumd;
using namespace quorumd::sim;

namespace {

seen_change put(const std::string& key, std::uint64_t revision, std::uint32_t sub, std::uint64_t number = 1) {
  return {.key = key, .is = {.value = revision, .mod = revision, .number = number}, .sub = sub, .prev = {}};
}
seen_change gone(const std::string& key, std::uint64_t revision, std::uint32_t sub) {
  return {.key = key, .is = {.mod = revision}, .sub = sub, .prev = {}};
}

/// Revision 2 puts a, 3 puts b and deletes a, 4 puts a, 5 puts a, b and c.
change_history some_history() {
  change_history h;
  CHECK(h.add(2, {put("a", 2, 0)}).empty());
  CHECK(h.add(3, {put("b", 3, 0), gone("a", 3, 1)}).empty());
  CHECK(h.add(4, {put("a", 4, 0)}).empty());
  CHECK(h.add(5, {put("a", 5, 0, 2), put("b", 5, 1, 2), put("c", 5, 2)}).empty());
  return h;
}

const watch_wish everything{.key = "a", .end = std::string(1, '\0')};

seen_change with_prev(seen_change c, const seen_change& prev) {
  c.prev = prev.is;
  return c;
}

} // namespace

// Revisions follow each other, each changes something, and what is deleted was there.
TEST_CASE("changes: a history that cannot be is found") {
  CHECK(some_history().last() == 5);
  CHECK_FALSE(some_history().add(7, {put("a", 7, 0)}).empty());
  CHECK_FALSE(some_history().add(6, {}).empty());
  CHECK_FALSE(some_history().add(6, {put("a", 6, 1)}).empty());
  CHECK_FALSE(some_history().add(6, {gone("x", 6, 0)}).empty());
}

TEST_CASE("watching: everything in order, once, is right") {
  const change_history h = some_history();
  watch_checker w(everything, {2});
  CHECK(w.delivered(h, std::vector{put("a", 2, 0)}, false, 2, 0).empty());
  CHECK(w.delivered(h, std::vector{put("b", 3, 0), gone("a", 3, 1), put("a", 4, 0)}, false, 4, 0).empty());
  CHECK(w.delivered(h, std::vector{put("a", 5, 0, 2)}, true, 4, 0).empty());
  CHECK(w.next() == history_place{5, 1});
  CHECK_FALSE(w.has_all(h, 5).empty());
  CHECK(w.delivered(h, std::vector{put("b", 5, 1, 2), put("c", 5, 2)}, false, 5, 0).empty());
  CHECK(w.has_all(h, 5).empty());
}

TEST_CASE("watching: what is missing, comes twice, early, or in parts unsaid is found") {
  const change_history h = some_history();
  const auto judged = [&](const std::vector<seen_change>& got, bool more, std::uint64_t through) {
    watch_checker w(everything, {3});
    return w.delivered(h, got, more, through, 0).empty();
  };
  CHECK(judged({put("b", 3, 0), gone("a", 3, 1)}, false, 3));
  CHECK_FALSE(judged({}, false, 3));
  CHECK_FALSE(judged({put("b", 3, 0)}, false, 3));
  CHECK_FALSE(judged({gone("a", 3, 1)}, false, 3));
  CHECK_FALSE(judged({gone("a", 3, 1), put("b", 3, 0)}, false, 3));
  CHECK_FALSE(judged({put("a", 2, 0), put("b", 3, 0), gone("a", 3, 1)}, false, 3));
  CHECK_FALSE(judged({put("b", 3, 0), gone("a", 3, 1), put("a", 4, 0)}, false, 3));
  CHECK_FALSE(judged({put("b", 3, 0, 2), gone("a", 3, 1)}, false, 3));
  CHECK(judged({put("b", 3, 0)}, true, 2));
  CHECK_FALSE(judged({put("b", 3, 0)}, true, 3));
  CHECK_FALSE(judged({put("b", 3, 0), gone("a", 3, 1)}, true, 2)); // there is no more of it
  CHECK_FALSE(judged({put("b", 3, 0), gone("a", 3, 1)}, false, 6));
}

// Filters and ranges; the predecessor is there if it was asked for, and is above what was compacted.
TEST_CASE("watching: wishes count") {
  const change_history h = some_history();
  watch_checker puts({.key = "a", .no_delete = true, .prev_kv = true}, {2});
  CHECK(puts.delivered(h, std::vector{put("a", 2, 0), put("a", 4, 0)}, false, 4, 0).empty());
  watch_checker again = puts;
  const seen_change last = put("a", 5, 0, 2);
  CHECK_FALSE(again.delivered(h, std::vector{last}, false, 5, 0).empty());
  CHECK(again.delivered(h, std::vector{last}, false, 5, 5).empty());
  CHECK(puts.delivered(h, std::vector{with_prev(last, put("a", 4, 0))}, false, 5, 0).empty());
  watch_checker deletions({.key = "a", .end = "b", .no_put = true}, {1});
  CHECK_FALSE(deletions.has_all(h, 4).empty());
  CHECK(deletions.delivered(h, std::vector{gone("a", 3, 1)}, false, 4, 0).empty());
  CHECK(deletions.has_all(h, 5).empty());
}

TEST_CASE("watching: who is cancelled needs what is gone") {
  watch_checker w(everything, {4});
  CHECK_FALSE(w.cancelled(4).empty());
  CHECK(w.cancelled(5).empty());
  CHECK(w.next() == history_place{5, 0});
}
