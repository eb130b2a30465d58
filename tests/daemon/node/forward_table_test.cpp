#include "daemon/node/forward_table.hpp"

#include <doctest/doctest.h>

#include <utility>
#include <vector>

using namespace quorumd;
using node::forward_table;
using node::request_errc;

namespace {

const node_id leader(7);
const node_id second_node(8);

struct forward_rig {
  std::vector<std::pair<std::uint64_t, request_errc>> failed;
  forward_table forwards{
      [this](const forward_table::record& r, request_errc why) { failed.emplace_back(r.to.id, why); }};

  std::uint64_t push(node_id to, std::uint64_t id, int deadline_ms = 1000, std::size_t bytes = 0) {
    return forwards.push(to, {.sink = nullptr, .id = id}, coro::time_point(std::chrono::milliseconds(deadline_ms)),
                         bytes);
  }
};

} // namespace

// Answers come in any order, once, and only from whom was asked.
TEST_CASE("a forwarded request is answered once, by the leader that it went to") {
  forward_rig t;
  const auto a = t.push(leader, 1);
  const auto b = t.push(leader, 2);
  CHECK_FALSE(t.forwards.take(second_node, a));
  CHECK(t.forwards.take(leader, b)->to.id == 2);
  CHECK_FALSE(t.forwards.take(leader, b));
  CHECK(t.forwards.take(leader, a)->to.id == 1);
  CHECK_FALSE(t.forwards.take(leader, 12345));
  CHECK(t.forwards.size() == 0);
}

// It may have been proposed: it is never sent again, and nobody may claim that it was not applied.
TEST_CASE("when the stream to the leader breaks, what was forwarded there is unknown") {
  forward_rig t;
  t.push(leader, 1);
  const auto b = t.push(second_node, 2);
  t.forwards.broken(leader);
  CHECK(t.failed == std::vector<std::pair<std::uint64_t, request_errc>>{{1, request_errc::unknown}});
  CHECK(t.forwards.take(second_node, b)->to.id == 2);
}

// The deadline passes while the leader is silent; a late answer finds nobody.
TEST_CASE("a forwarded request past its deadline is unknown, and its late answer is ignored") {
  forward_rig t;
  const auto a = t.push(leader, 1, 10);
  const auto b = t.push(leader, 2, 1000);
  t.forwards.expire(coro::time_point(std::chrono::milliseconds(20)));
  CHECK(t.failed.size() == 1);
  CHECK_FALSE(t.forwards.take(leader, a));
  CHECK(t.forwards.take(leader, b)->to.id == 2);
}

// The bytes of what waits are counted, however a request leaves.
TEST_CASE("the bytes of what waits are counted") {
  forward_rig t;
  const auto a = t.push(leader, 1, 1000, 10);
  (void)t.push(leader, 2, 100, 20);
  (void)t.push(second_node, 3, 1000, 40);
  CHECK(t.forwards.bytes() == 70);
  REQUIRE(t.forwards.take(leader, a).has_value());
  CHECK(t.forwards.bytes() == 60);
  t.forwards.expire(coro::time_point(std::chrono::milliseconds(100)));
  CHECK(t.forwards.bytes() == 40);
  t.forwards.broken(second_node);
  CHECK(t.forwards.bytes() == 0);
  CHECK(t.forwards.size() == 0);
}
