#include "tests/sim/checkers/lease_checker.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace quorumd;
using namespace quorumd::sim;
using namespace std::chrono_literals;

namespace {

/// Lease 1, asked for at 10 s for 2 s.
lease_checker one_lease() {
  lease_checker c;
  c.asked(1, 2s, coro::time_point(10s));
  CHECK(c.granted(1).empty());
  return c;
}

} // namespace

TEST_CASE("leases: none ends by time before it") {
  CHECK(one_lease().ended(1, true, coro::time_point(12s)).empty());
  CHECK_FALSE(one_lease().ended(1, true, coro::time_point(11999ms)).empty());
  CHECK(one_lease().ended(1, false, coro::time_point(10s)).empty());
  lease_checker renewed = one_lease();
  CHECK(renewed.renewed(1, coro::time_point(11s)).empty());
  CHECK_FALSE(renewed.ended(1, true, coro::time_point(12s)).empty());
}

// The answer to a renewal may come after the lease ended, but is right only if that was late enough.
TEST_CASE("leases: a renewal holds from when it was asked for") {
  lease_checker c = one_lease();
  CHECK(c.ended(1, true, coro::time_point(13s)).empty());
  CHECK(c.renewed(1, coro::time_point(11s)).empty());
  CHECK_FALSE(c.renewed(1, coro::time_point(11500ms)).empty());
  CHECK_FALSE(c.renewed(1, coro::time_point(14s)).empty());
  CHECK_FALSE(c.renewed(2, coro::time_point(14s)).empty());
}

TEST_CASE("leases: what ends stood, and is granted once") {
  lease_checker c = one_lease();
  CHECK_FALSE(c.granted(1).empty());
  CHECK_FALSE(c.granted(2).empty());
  CHECK_FALSE(c.said_to_be_gone(1).empty());
  CHECK(c.first_standing(2s) == 1);
  CHECK(c.first_standing(1s) == 0);
  CHECK(c.ended(1, false, coro::time_point(11s)).empty());
  CHECK(c.said_to_be_gone(1).empty());
  CHECK(c.standing() == 0);
  CHECK_FALSE(c.ended(1, true, coro::time_point(13s)).empty());
}
