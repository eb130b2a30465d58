#include "daemon/node/membership.hpp"

#include <doctest/doctest.h>

using namespace quorumd;
using node::membership;

// Two entries race to record one member: the log's order decides, the same on every node.
TEST_CASE("the first incarnation on record stays") {
  membership m;
  CHECK(m.apply(membership::encode(node_id(1), incarnation(10))));
  CHECK(m.apply(membership::encode(node_id(1), incarnation(11))));
  CHECK(m.apply(membership::encode(node_id(2), incarnation(20))));
  CHECK(m.recorded(node_id(1)) == incarnation(10));
  CHECK(m.recorded(node_id(2)) == incarnation(20));
  CHECK_FALSE(m.recorded(node_id(3)));
}

// What a snapshot carries is what was on record.
TEST_CASE("the record survives its encoding") {
  membership m;
  CHECK(m.apply(membership::encode(node_id(1), incarnation(10))));
  CHECK(m.apply(membership::encode(node_id(9), incarnation(90))));
  membership copy;
  CHECK(copy.apply(m.encode()));
  CHECK(copy == m);
}

// Bytes of another form change nothing.
TEST_CASE("a record that is cut short, too long or of another version is refused") {
  const auto good = membership::encode(node_id(1), incarnation(10));
  for (std::size_t n = 0; n < good.size(); ++n) {
    membership m;
    CHECK_FALSE(m.apply(std::span(good).first(n)));
    CHECK(m == membership());
  }
  auto longer = good;
  longer.push_back(std::byte{0});
  auto later = good;
  later[0] = std::byte{2};
  membership m;
  CHECK_FALSE(m.apply(longer));
  CHECK_FALSE(m.apply(later));
  CHECK(m == membership());
}
