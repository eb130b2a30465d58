#include "daemon/node/lease_keeper.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

using namespace quorumd;
using namespace quorumd::node;
using namespace std::chrono_literals;

// What a leader counts of leases' time, over the state that it applies its own commands to.
namespace {

/// A cluster's state, without the cluster.
struct state {
  kv::store store{kv::options{}};
  std::uint64_t index = 0;

  kv::result<kv::reply> apply(const kv::command& c) { return store.apply(log_index(++index), c); }
  lease_id grant(std::uint64_t id, std::int64_t ttl_s) {
    const auto r = apply(kv::grant_lease{.id = lease_id(id), .ttl_s = ttl_s});
    REQUIRE(r.has_value());
    return std::get<kv::grant_lease_reply>(r->body).id;
  }
};

struct leader {
  leader(state& s, coro::time_point& time, lease_keeper::options o = {})
      : of(s)
      , now(time)
      , keeper(o, [this] { return now; }) {
    keeper.attach(of.store);
    keeper.lead();
    (void)keeper.changed();
  }
  /// Ends what is over; how many those were.
  std::size_t expire() {
    const auto over = keeper.take_expired();
    for (const kv::expire_lease& e : over) REQUIRE(of.apply(e).has_value());
    return over.size();
  }
  /// Tells the log what it is to know; how much that was.
  std::size_t tell() {
    const auto c = keeper.take_checkpoints(60s); // a whole round
    if (!c.list.empty()) REQUIRE(of.apply(c).has_value());
    return c.list.size();
  }
  /// The time that it has after it was renewed; nothing: it is to be asked again.
  std::optional<std::int64_t> renew(lease_id id) { return ask({.what = kv::lease_question::kind::renew, .id = id}); }
  std::optional<std::int64_t> left(lease_id id) { return ask({.what = kv::lease_question::kind::time, .id = id}); }
  std::optional<std::int64_t> ask(const kv::lease_question& q) {
    const auto a = keeper.answer(q);
    if (!a) return std::nullopt;
    REQUIRE(a->has_value());
    return std::get<kv::lease_answer>((*a)->body).ttl_s;
  }

  state& of;
  coro::time_point& now;
  lease_keeper keeper;
};

} // namespace

// A question that was confirmed a moment before is not left until some lease ends.
TEST_CASE("who begins to lead answers what was asked a moment too early") {
  state s;
  coro::time_point now{};
  leader l(s, now);
  l.keeper.stop_leading();
  l.keeper.lead();
  CHECK(l.keeper.changed());
}

TEST_CASE("a lease ends when its time is over, and not while it is renewed") {
  state s;
  coro::time_point now{};
  leader l(s, now);
  CHECK(l.keeper.adopt(1));
  CHECK(l.keeper.due() == coro::time_point::max());
  const lease_id id = s.grant(7, 10);
  REQUIRE(s.apply(kv::put{.key = "k", .value = "v", .lease = id}).has_value());
  CHECK(l.keeper.due() == now + 10s);
  now += 9999ms;
  CHECK(l.expire() == 0);
  CHECK(l.left(id) == 0);
  CHECK(l.renew(id) == 10);
  CHECK(l.left(id) == 10);
  now += 1ms; // its first time is over
  CHECK(l.expire() == 0);
  now += 9998ms;
  CHECK(l.expire() == 0);
  now += 1ms;
  CHECK(l.expire() == 1);
  CHECK(s.store.leases().size() == 0);
  CHECK(s.store.keys() == 0);
  CHECK(l.keeper.size() == 0);
  CHECK(l.renew(id) == -1);
  CHECK(l.left(id) == -1);
}

// Between the proposal and its application nothing is promised any more.
TEST_CASE("a lease that is being ended is not renewed") {
  state s;
  coro::time_point now{};
  leader l(s, now);
  const lease_id id = s.grant(7, 10);
  now += 10s;
  const auto over = l.keeper.take_expired();
  REQUIRE(over.size() == 1);
  CHECK(l.renew(id) == std::nullopt);
  l.keeper.not_proposed(over[0]);
  CHECK(l.renew(id) == 10);
  now += 10s;
  REQUIRE(l.keeper.take_expired().size() == 1);
  CHECK(!l.keeper.changed());
  REQUIRE(s.apply(over[0]).has_value());
  CHECK(l.keeper.changed());
  CHECK(l.renew(id) == -1);
}

TEST_CASE("a lease that takes the name of one that is being ended stays") {
  state s;
  coro::time_point now{};
  leader l(s, now);
  const lease_id id = s.grant(7, 10);
  now += 10s;
  const auto over = l.keeper.take_expired();
  REQUIRE(s.apply(kv::revoke_lease{id}).has_value());
  s.grant(7, 10);
  REQUIRE(s.apply(over[0]).has_value());
  CHECK(s.store.leases().contains(id));
  CHECK(l.keeper.due() == now + 10s);
  CHECK(l.left(id) == 10);
}

TEST_CASE("whoever begins to lead gives leases all of their time, bit by bit") {
  state s;
  coro::time_point now{};
  for (std::uint64_t id = 1; id <= 100; ++id) s.grant(id, 10);
  now += 9s;
  leader l(s, now);
  CHECK(!l.keeper.adopt(10));
  CHECK(l.keeper.size() == 10);
  now += 1s;
  CHECK(l.renew(lease_id(50)) == 10); // before its turn
  while (!l.keeper.adopt(10)) CHECK(l.keeper.size() <= 100);
  CHECK(l.keeper.size() == 100);
  now += 8999ms;
  CHECK(l.expire() == 0);
  now += 1ms;
  CHECK(l.expire() == 10);
  now += 1s;
  CHECK(l.expire() == 90);

  s.grant(1, 10);
  l.keeper.stop_leading();
  CHECK(l.keeper.due() == coro::time_point::max());
  now += 100s;
  l.keeper.lead();
  CHECK(l.keeper.adopt(10));
  CHECK(l.left(lease_id(1)) == 10);
}

TEST_CASE("many that end at once do so a few at a time") {
  state s;
  coro::time_point now{};
  leader l(s, now, {.expiring_max = 5});
  for (std::uint64_t id = 1; id <= 12; ++id) s.grant(id, 10);
  now += 10s;
  CHECK(l.expire() == 5);
  const auto under_way = l.keeper.take_expired();
  CHECK(under_way.size() == 5);
  CHECK(l.keeper.due() == coro::time_point::max());
  CHECK(l.keeper.take_expired().empty());
  for (const auto& e : under_way) REQUIRE(s.apply(e).has_value());
  CHECK(l.expire() == 2);
}

TEST_CASE("what remains of a long lease is told, and outlives the leader") {
  state s;
  coro::time_point now{};
  leader first(s, now);
  REQUIRE(first.keeper.adopt(1));
  const lease_id idle = s.grant(1, 1000);
  const lease_id renewed = s.grant(2, 1000);
  s.grant(3, 50); // over before anybody would look again
  now += 400s;
  CHECK(first.expire() == 1);
  CHECK(first.renew(renewed) == 1000);
  CHECK(first.tell() == 0); // not half of it is gone
  now += 200s;
  CHECK(first.tell() == 1);
  CHECK(s.store.leases().find(idle)->remaining_ms == 400'000U);
  CHECK(!s.store.leases().find(renewed)->remaining_ms);
  now += 59s;
  CHECK(first.tell() == 0);
  now += 1s;
  CHECK(first.tell() == 1);
  first.keeper.detach();

  leader second(s, now);
  while (!second.keeper.adopt(10)) {
  }
  CHECK(second.left(idle) == 340);
  CHECK(second.left(renewed) == 1000);
  now += 340s;
  CHECK(second.expire() == 1);
}

// A renewal counts for whoever leads next: what was told before is taken back first.
TEST_CASE("a lease of which something was told is renewed once that is void") {
  state s;
  coro::time_point now{};
  leader l(s, now);
  REQUIRE(l.keeper.adopt(1));
  const lease_id id = s.grant(1, 1000);
  now += 600s;
  REQUIRE(l.tell() == 1);
  CHECK(l.renew(id) == std::nullopt);
  CHECK(l.renew(id) == std::nullopt);
  const auto urgent = l.keeper.take_urgent();
  REQUIRE(urgent.list.size() == 1); // for both
  CHECK(!urgent.list[0].remaining_ms);
  l.keeper.not_proposed(urgent); // and again
  REQUIRE(l.keeper.take_urgent().list.size() == 1);
  (void)l.keeper.changed();
  REQUIRE(s.apply(urgent).has_value());
  CHECK(l.keeper.changed());
  CHECK(l.renew(id) == 1000);
  CHECK(!s.store.leases().find(id)->remaining_ms);

  // Likewise where it is on its way to the log.
  now += 600s;
  const auto told = l.keeper.take_checkpoints(60s);
  REQUIRE(told.list.size() == 1);
  CHECK(l.renew(id) == std::nullopt);
  REQUIRE(s.apply(told).has_value());
  CHECK(l.renew(id) == std::nullopt);
  REQUIRE(s.apply(l.keeper.take_urgent()).has_value());
  CHECK(l.renew(id) == 1000);

  now += 600s;
  l.keeper.not_proposed(l.keeper.take_checkpoints(60s)); // nothing was told
  CHECK(l.renew(id) == 1000);
}

TEST_CASE("what is asked about leases") {
  state s;
  coro::time_point now{};
  leader l(s, now);
  for (std::uint64_t id = 1; id <= 5; ++id) s.grant(id, 10);
  for (int i = 0; i < 3000; ++i) {
    const std::string key = "k" + std::to_string(10'000 + i);
    REQUIRE(s.apply(kv::put{.key = key, .value = "v", .lease = lease_id(3)}).has_value());
  }
  const auto about = [&](const kv::lease_question& q) {
    return std::get<kv::lease_answer>((*l.keeper.answer(q))->body);
  };
  const auto all = about({.what = kv::lease_question::kind::list, .id = lease_id(2)});
  CHECK(all.leases == std::vector<lease_id>{lease_id(3), lease_id(4), lease_id(5)});
  CHECK(!all.more);
  const auto keys = about({.what = kv::lease_question::kind::time, .id = lease_id(3), .keys = true});
  CHECK(keys.granted_ttl_s == 10);
  CHECK(keys.keys.size() == 3000);
  CHECK(keys.keys.front() == "k10000");
  CHECK(!keys.more);
  const auto last = about({.what = kv::lease_question::kind::time, .id = lease_id(3), .keys = true, .after = "k12998"});
  CHECK(last.keys.size() == 1);
  CHECK(about({.what = kv::lease_question::kind::time, .id = lease_id(3)}).keys.empty());

  // No more than an answer holds.
  const std::string long_name(1000, 'x');
  for (int i = 0; i < 2000; ++i) {
    const std::string key = long_name + std::to_string(i);
    REQUIRE(s.apply(kv::put{.key = key, .value = "v", .lease = lease_id(4)}).has_value());
  }
  const auto some = about({.what = kv::lease_question::kind::time, .id = lease_id(4), .keys = true});
  CHECK(some.more);
  CHECK(some.keys.size() > 900);
  CHECK(some.keys.size() < 1000);
}
