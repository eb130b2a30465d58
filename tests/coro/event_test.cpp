#include "coro/event.hpp"
#include "tests/coro/death.hpp"
#include "tests/coro/manual.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/system/system_error.hpp>
#include <doctest/doctest.h>

#include <optional>

namespace quorumd::coro::test {
namespace {

task<void> wait_and_say(manual* m, event* e, std::string name) {
  try {
    co_await e->wait();
    m->said.push_back(name + " woke");
  } catch (const boost::system::system_error& error) {
    CHECK(error.code() == boost::asio::error::operation_aborted);
    m->said.push_back(name + " was cancelled");
  }
}

task<void> wait_twice(manual* m, event* e) {
  co_await e->wait();
  m->said.push_back("once");
  co_await e->wait();
  m->said.push_back("twice");
}

task<void> wait_then_use_as_tuple(manual* m, event* e) {
  co_await e->wait();
  m->said.push_back("woke");
  auto turn = boost::asio::post(m->loop.get_executor(), boost::asio::as_tuple(use_task));
  co_await std::move(turn);
  m->said.push_back("went on");
}

// An event set before anybody waits wakes the next wait, and that one alone.
TEST_CASE("an early set is kept for one wait") {
  manual m;
  event e(m.loop);
  task_group g(m.loop);
  m.on_loop([&] {
    e.set();
    e.set();
    CHECK(e.is_set());
    g.spawn(wait_twice(&m, &e));
  });
  CHECK(m.heard() == words{"once"});
  CHECK_FALSE(e.is_set());
  m.on_loop([&] { e.set(); });
  CHECK(m.heard() == words{"twice"});
  CHECK(g.alive() == 0);
}

// The waiter goes on through the loop, not inside set(): whoever sets finishes its own step first.
TEST_CASE("set does not run the waiter") {
  manual m;
  event e(m.loop);
  task_group g(m.loop);
  m.on_loop([&] { g.spawn(wait_and_say(&m, &e, "a")); });
  m.on_loop([&] {
    e.set();
    m.said.push_back("set returned");
  });
  CHECK(m.heard() == words{"set returned", "a woke"});
  CHECK_FALSE(e.is_set());
}

// A wake that somebody takes without waiting is gone.
TEST_CASE("consume takes the wake") {
  manual m;
  event e(m.loop);
  CHECK_FALSE(e.consume());
  m.on_loop([&] { e.set(); });
  CHECK(e.consume());
  CHECK_FALSE(e.is_set());
}

// A cancelled wait ends with operation_aborted; a set that comes afterwards is kept for the next one.
TEST_CASE("a cancelled wait loses no wake") {
  manual m;
  event e(m.loop);
  task_group first(m.loop);
  task_group second(m.loop);
  m.on_loop([&] { first.spawn(wait_and_say(&m, &e, "first")); });
  m.on_loop([&] {
    first.cancel();
    e.set();
  });
  CHECK(m.heard() == words{"first was cancelled"});
  CHECK(e.is_set());
  m.on_loop([&] { second.spawn(wait_and_say(&m, &e, "second")); });
  CHECK(m.heard() == words{"second woke"});
}

// The first waiter is woken but has not run yet, a second already waits, and only then the first is cancelled: the
// first keeps its wake and the second is left alone.
TEST_CASE("a late cancellation does not reach the next waiter") {
  manual m;
  event e(m.loop);
  task_group first(m.loop);
  task_group second(m.loop);
  m.on_loop([&] { first.spawn(wait_and_say(&m, &e, "first")); });
  m.on_loop([&] {
    e.set();
    second.spawn(wait_and_say(&m, &e, "second"));
    first.cancel();
  });
  CHECK(m.heard() == words{"first woke"});
  CHECK(second.alive() == 1);
  m.on_loop([&] { e.set(); });
  CHECK(m.heard() == words{"second woke"});
}

// An event may end as soon as its waiter is woken, even if that waiter is cancelled before it runs.
TEST_CASE("a late cancellation does not touch an event that is gone") {
  manual m;
  std::optional<event> e(std::in_place, m.loop);
  task_group g(m.loop);
  m.on_loop([&] { g.spawn(wait_and_say(&m, &*e, "a")); });
  m.on_loop([&] {
    e->set();
    e.reset();
    g.cancel();
  });
  CHECK(m.heard() == words{"a woke"});
}

// A coroutine that was cancelled is stopped by its next co_await, whatever token that uses.
TEST_CASE("after a cancellation the next co_await throws, as_tuple or not") {
  manual m;
  event e(m.loop);
  task_group g(m.loop);
  m.on_loop([&] { g.spawn(wait_then_use_as_tuple(&m, &e)); });
  m.on_loop([&] {
    e.set();
    g.cancel();
  });
  CHECK(m.heard() == words{"woke"});
  CHECK(g.alive() == 0);
}

// The three ways to misuse an event abort and say which loop it belongs to.
TEST_CASE("misuse aborts") {
  manual m;
  const std::string two = last_words([&] {
    event e(m.loop);
    task_group g(m.loop);
    m.on_loop([&] {
      g.spawn(wait_and_say(&m, &e, "a"));
      g.spawn(wait_and_say(&m, &e, "b"));
    });
  });
  CHECK(two.find("two coroutines wait for one event of loop 'manual'") != std::string::npos);
  const std::string under = last_words([&] {
    std::optional<event> e(std::in_place, m.loop);
    task_group g(m.loop);
    m.on_loop([&] { g.spawn(wait_and_say(&m, &*e, "a")); });
    e.reset();
  });
  CHECK(under.find("an event of loop 'manual' ended under its waiter") != std::string::npos);
  const std::string elsewhere = last_words([&] {
    event e(m.loop);
    e.set();
  });
  CHECK(elsewhere.find("an object of loop 'manual' was used from elsewhere") != std::string::npos);
}

} // namespace
} // namespace quorumd::coro::test
