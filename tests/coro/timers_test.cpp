#include "coro/timers.hpp"
#include "tests/coro/manual.hpp"

#include <boost/system/system_error.hpp>
#include <doctest/doctest.h>

namespace quorumd::coro::test {
namespace {

using namespace std::chrono_literals;

task<void> sleep_and_say(manual* m, duration d, std::string name) {
  try {
    co_await m->loop.timers().sleep_for(d);
    m->said.push_back(name);
  } catch (const boost::system::system_error& error) {
    CHECK(error.code() == boost::asio::error::operation_aborted);
    m->said.push_back(name + " was cancelled");
  }
}

task<void> tick(manual* m, duration every, int times) {
  for (int i = 0; i < times; ++i) {
    co_await m->loop.timers().sleep_for(every);
    m->said.push_back("tick");
  }
}

// Sleepers wake in the order of their deadlines, equal ones in the order in which they came, nobody before its time.
TEST_CASE("sleepers wake in order") {
  manual m;
  task_group g(m.loop);
  m.on_loop([&] {
    g.spawn(sleep_and_say(&m, 30ms, "30"));
    g.spawn(sleep_and_say(&m, 10ms, "10 first"));
    g.spawn(sleep_and_say(&m, 10ms, "10 second"));
    g.spawn(sleep_and_say(&m, 20ms, "20"));
  });
  CHECK(m.loop.timers().earliest() == m.time.now() + 10ms);
  CHECK(m.advance(9ms) == 0);
  CHECK(m.heard().empty());
  CHECK(m.advance(1ms) == 2);
  CHECK(m.heard() == words{"10 first", "10 second"});
  CHECK(m.advance(1h) == 2);
  CHECK(m.heard() == words{"20", "30"});
  CHECK_FALSE(m.loop.timers().earliest());
}

// A deadline that is past is due at once, but still goes through the loop.
TEST_CASE("a deadline in the past") {
  manual m;
  task_group g(m.loop);
  m.on_loop([&] {
    g.spawn(sleep_and_say(&m, -5s, "late"));
    m.said.push_back("spawned");
  });
  CHECK(m.advance(0ms) == 1);
  CHECK(m.heard() == words{"spawned", "late"});
}

// A sleeper that sleeps again is due once a turn, however far time has leapt.
TEST_CASE("a periodic sleeper fires once a turn") {
  manual m;
  task_group g(m.loop);
  m.on_loop([&] { g.spawn(tick(&m, 10ms, 3)); });
  CHECK(m.advance(1s) == 1);
  CHECK(m.heard() == words{"tick"});
  CHECK(m.loop.timers().earliest() == m.time.now() + 10ms);
  m.advance(10ms);
  m.advance(10ms);
  CHECK(m.heard() == words{"tick", "tick"});
  CHECK(g.alive() == 0);
}

// A cancelled sleeper leaves the queue at once; the others keep their places.
TEST_CASE("a cancelled sleep") {
  manual m;
  task_group leaving(m.loop);
  task_group staying(m.loop);
  m.on_loop([&] {
    leaving.spawn(sleep_and_say(&m, 10ms, "leaving"));
    staying.spawn(sleep_and_say(&m, 20ms, "staying"));
  });
  m.on_loop([&] { leaving.cancel(); });
  CHECK(m.heard() == words{"leaving was cancelled"});
  CHECK(m.loop.timers().earliest() == m.time.now() + 20ms);
  CHECK(m.advance(20ms) == 1);
  CHECK(m.heard() == words{"staying"});
}

// A sleeper that was fired and is cancelled before it runs keeps its wake, and the cancellation does not reach the
// newcomer that was given its recycled node.
TEST_CASE("a cancellation that comes too late") {
  manual m;
  task_group old(m.loop);
  task_group newcomer(m.loop);
  m.on_loop([&] { old.spawn(sleep_and_say(&m, 10ms, "old")); });
  m.time.advance(10ms);
  m.on_loop([&] {
    CHECK(m.loop.timers().fire_due() == 1);
    newcomer.spawn(sleep_and_say(&m, 10ms, "newcomer"));
    old.cancel();
  });
  CHECK(m.heard() == words{"old"});
  CHECK(newcomer.alive() == 1);
  m.advance(10ms);
  CHECK(m.heard() == words{"newcomer"});
}

// The longest sleep there is does not wrap round into the past.
TEST_CASE("a sleep for ever") {
  manual m;
  task_group g(m.loop);
  m.time.advance(1h);
  m.on_loop([&] { g.spawn(sleep_and_say(&m, duration::max(), "for ever")); });
  CHECK(m.advance(24h * 365) == 0);
  m.on_loop([&] { g.cancel(); });
  CHECK(m.heard() == words{"for ever was cancelled"});
}

// How late a sleeper goes on is noted when it does: behind its deadline, and behind what the loop did first.
TEST_CASE("a loop knows its lag") {
  manual m;
  task_group g(m.loop);
  m.on_loop([&] {
    g.spawn(sleep_and_say(&m, 10ms, "in time"));
    g.spawn(sleep_and_say(&m, 20ms, "late"));
    g.spawn(sleep_and_say(&m, 1h, "cancelled"));
  });
  m.advance(10ms);
  CHECK(m.loop.timers().lag().count() == 1);
  CHECK(m.loop.timers().lag().max() == 0);
  m.time.advance(13ms);
  m.loop.post([&] { m.time.advance(4ms); });
  CHECK(m.loop.timers().fire_due() == 1);
  m.drain();
  CHECK(m.loop.timers().lag().count() == 2);
  CHECK(m.loop.timers().lag().max() == std::uint64_t(std::chrono::nanoseconds(7ms).count()));
  m.on_loop([&] { g.cancel(); });
  CHECK(m.loop.timers().lag().count() == 2);
}

} // namespace
} // namespace quorumd::coro::test
