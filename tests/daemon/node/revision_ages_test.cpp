#include "daemon/node/revision_ages.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>

using namespace quorumd;
using namespace std::chrono_literals;

namespace {

coro::time_point moment(std::chrono::milliseconds t) {
  return coro::time_point(t);
}

} // namespace

// What was current so long ago is known within a 64th of the time that is kept, and never a later revision.
TEST_CASE("what was current how long ago is never said too late") {
  node::revision_ages ages;
  constexpr auto keep = 64s;
  for (std::uint64_t s = 1; s <= 1000; ++s) {
    for (int part = 0; part < 10; ++part) // looked at more often than is noted
      ages.note(moment(std::chrono::seconds(s) + part * 100ms), revision(10 * s + std::uint64_t(part)), keep);
    const auto then = std::chrono::seconds(s) - keep;
    const auto found = ages.at(moment(then));
    if (then < 1s) {
      CHECK_FALSE(found.has_value());
      continue;
    }
    REQUIRE(found.has_value());
    const auto exact = 10 * std::uint64_t(then / 1s);
    CHECK(*found <= revision(exact));
    CHECK(*found >= revision(exact - 10));
    REQUIRE(ages.size() <= 67);
  }
}

// A node that has just started knows nothing of the time before, and of a pause no more than what it saw then.
TEST_CASE("what nobody saw is not known") {
  node::revision_ages ages;
  CHECK_FALSE(ages.at(moment(1h)).has_value());
  ages.note(moment(1h), revision(7), 10s);
  CHECK_FALSE(ages.at(moment(1h - 1ms)).has_value());
  CHECK(ages.at(moment(1h)) == revision(7));
  CHECK(ages.at(moment(2h)) == revision(7));
  ages.note(moment(2h), revision(9), 10s);
  CHECK(ages.at(moment(2h - 1ms)) == revision(7));
  CHECK(ages.at(moment(2h)) == revision(9));
}

// A time that is made longer leaves samples closer together than it needs; they stay within a bound, and the oldest of
// them stays too. One of zero forgets them all.
TEST_CASE("the samples are bounded, however the time is changed") {
  node::revision_ages ages;
  std::uint64_t now = 1;
  std::size_t most = 0;
  std::chrono::milliseconds keep = 1s;
  for (int doubled = 0; doubled < 15; ++doubled, keep *= 2)
    for (int i = 0; i < 64; ++i, now += std::uint64_t(keep / 128ms)) { // for half of it: all of before stays within it
      ages.note(moment(std::chrono::milliseconds(now)), revision(now), keep);
      most = std::max(most, ages.size());
      REQUIRE(ages.at(moment(1ms)) == revision(1));
    }
  for (std::uint64_t t = 1; t < now; t += 1 + t / 10)
    CHECK(*ages.at(moment(std::chrono::milliseconds(t))) <= revision(t));
  CHECK(most > 200); // it came near the bound
  CHECK(most <= 256);
  ages.note(moment(std::chrono::milliseconds(now)), revision(now), 0s);
  CHECK(ages.size() == 0);
  CHECK_FALSE(ages.at(moment(std::chrono::milliseconds(now))).has_value());
}
