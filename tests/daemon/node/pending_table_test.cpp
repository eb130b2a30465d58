#include "daemon/node/pending_table.hpp"

#include <doctest/doctest.h>

#include <utility>
#include <vector>

using namespace quorumd;
using node::pending_table;
using node::request_errc;

namespace {

struct pending_rig {
  std::vector<std::pair<std::uint64_t, request_errc>> failed;
  pending_table pending{
      [this](const pending_table::record& r, request_errc why) { failed.emplace_back(r.to.id, why); }};

  void push(std::uint64_t index, std::uint64_t of_term, std::uint64_t id, int deadline_ms = 1000) {
    pending.push(log_index(index), term(of_term), {.sink = nullptr, .id = id}, at(deadline_ms));
  }
  static coro::time_point at(int ms) { return coro::time_point(std::chrono::milliseconds(ms)); }
};

} // namespace

// A request is found by the entry that carries it, also when entries that nobody waits for lie between.
TEST_CASE("a pending request is taken by its index, over gaps of entries that nobody waits for") {
  pending_rig t;
  t.push(10, 3, 100);
  t.push(14, 3, 101);
  CHECK_FALSE(t.pending.take(log_index(9)));
  const auto first = t.pending.take(log_index(10));
  REQUIRE(first);
  CHECK(first->to.id == 100);
  CHECK(first->term == term(3));
  for (std::uint64_t i = 11; i < 14; ++i) CHECK_FALSE(t.pending.take(log_index(i)));
  CHECK(t.pending.take(log_index(14))->to.id == 101);
  CHECK(t.pending.size() == 0);
  CHECK(t.failed.empty());
}

// This node led in term 3, lost it, and leads again in term 5 with a log that has replaced what it proposed then.
TEST_CASE("what an earlier term proposed at the same indexes fails as unknown when it is proposed over") {
  pending_rig t;
  for (std::uint64_t i = 10; i < 20; ++i) t.push(i, 3, i);
  t.push(12, 5, 500);
  CHECK(t.failed.size() == 8);
  for (const auto& [id, why] : t.failed) {
    CHECK(id >= 12);
    CHECK(why == request_errc::unknown);
  }
  CHECK(t.pending.take(log_index(10))->to.id == 10);
  CHECK(t.pending.take(log_index(11))->to.id == 11);
  CHECK(t.pending.take(log_index(12))->to.id == 500);
}

// A snapshot says nothing of single entries.
TEST_CASE("what a snapshot covers has an unknown outcome") {
  pending_rig t;
  for (std::uint64_t i = 1; i <= 4; ++i) t.push(i, 1, i);
  t.pending.covered(log_index(3));
  CHECK(t.failed == std::vector<std::pair<std::uint64_t, request_errc>>{
                        {1, request_errc::unknown}, {2, request_errc::unknown}, {3, request_errc::unknown}});
  CHECK(t.pending.take(log_index(4))->to.id == 4);
}

// The client hears within its deadline; the entry may still be applied, and then nobody is answered twice.
TEST_CASE("a request past its deadline is answered once, as unknown") {
  pending_rig t;
  t.push(1, 1, 1, 50);
  t.push(2, 1, 2, 500);
  t.pending.expire(pending_rig::at(100));
  CHECK(t.failed == std::vector<std::pair<std::uint64_t, request_errc>>{{1, request_errc::unknown}});
  CHECK(t.pending.size() == 1);
  CHECK_FALSE(t.pending.take(log_index(1)));
  CHECK(t.pending.take(log_index(2))->to.id == 2);
}

// The ring grows while it is wrapped around its end.
TEST_CASE("the pending_rig keeps order through growth and reuse") {
  pending_rig t;
  std::uint64_t next_in = 1;
  std::uint64_t next_out = 1;
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < 60; ++i, ++next_in) t.push(next_in, 1, next_in);
    for (int i = 0; i < 40; ++i, ++next_out) REQUIRE(t.pending.take(log_index(next_out))->to.id == next_out);
  }
  CHECK(t.pending.size() == 200 * 20);
  t.pending.clear();
  CHECK(t.failed.size() == 200 * 20);
  CHECK(t.pending.size() == 0);
}
