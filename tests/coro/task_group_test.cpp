#include "coro/task_group.hpp"
#include "tests/coro/death.hpp"
#include "tests/coro/manual.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>

namespace quorumd::coro::test {
namespace {

using namespace std::chrono_literals;

/// Says when it ends, however it ends.
struct farewell {
  manual* m;
  std::string name;
  ~farewell() { m->said.push_back(name + " ended"); }
};

task<void> sleep(manual* m, duration d, std::string name) {
  const farewell f{m, name};
  co_await m->loop.timers().sleep_for(d);
  m->said.push_back(name + " slept");
}

task<void> fail(manual* m, duration d, std::string what) {
  if (d != 0ms) co_await m->loop.timers().sleep_for(d);
  throw std::runtime_error(what);
}

task<void> at_once(manual* m) {
  m->said.push_back("at once");
  co_return;
}

task<void> cancel_own(manual* m, task_group* g) {
  m->said.push_back("cancels");
  g->cancel();
  co_return;
}

task<void> spawner(manual* m, task_group* g) {
  co_await m->loop.timers().sleep_for(1ms);
  g->spawn(sleep(m, 1ms, "child"));
}

task<void> join(manual* m, task_group* g) {
  try {
    co_await g->join();
    m->said.push_back("joined");
  } catch (const boost::system::system_error& error) {
    CHECK(error.code() == boost::asio::error::operation_aborted);
    m->said.push_back("joined and aborted");
  } catch (const std::runtime_error& error) {
    m->said.push_back(std::string("joined: ") + error.what());
  }
}

task<void> sleep_then_join(manual* m, task_group* g) {
  try {
    co_await m->loop.timers().sleep_for(1h);
  } catch (const boost::system::system_error&) {
    m->said.push_back("told to go");
  }
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  g->cancel();
  co_await g->join();
  m->said.push_back("joined");
}

// join() returns once the last task has ended, and at once when there is none.
TEST_CASE("join waits for every task") {
  manual m;
  task_group g(m.loop);
  task_group owner(m.loop);
  m.on_loop([&] {
    owner.spawn(join(&m, &g));
    g.spawn(sleep(&m, 10ms, "a"));
    g.spawn(sleep(&m, 20ms, "b"));
  });
  CHECK(m.heard() == words{"joined"});
  m.on_loop([&] { owner.spawn(join(&m, &g)); });
  m.advance(10ms);
  CHECK(m.heard() == words{"a slept", "a ended"});
  CHECK(g.alive() == 1);
  m.advance(10ms);
  CHECK(m.heard() == words{"b slept", "b ended", "joined"});
}

// A task that never waits, and one that a task spawns, belong to the group like any other.
TEST_CASE("tasks that end at once and tasks of tasks") {
  manual m;
  task_group g(m.loop);
  task_group owner(m.loop);
  m.on_loop([&] {
    g.spawn(at_once(&m));
    g.spawn(spawner(&m, &g));
    CHECK(g.alive() == 2);
    owner.spawn(join(&m, &g));
  });
  CHECK(m.heard() == words{"at once"});
  m.advance(1ms);
  CHECK(g.alive() == 1);
  m.advance(1ms);
  CHECK(m.heard() == words{"child slept", "child ended", "joined"});
}

// Cancellation is how tasks end, not an error: join() returns.
TEST_CASE("cancel then join") {
  manual m;
  task_group g(m.loop);
  task_group owner(m.loop);
  m.on_loop([&] {
    g.spawn(sleep(&m, 1h, "a"));
    g.spawn(sleep(&m, 2h, "b"));
    owner.spawn(join(&m, &g));
    g.cancel();
    g.cancel();
    m.said.push_back("cancel returned");
  });
  CHECK(g.cancelled());
  CHECK(m.heard() == words{"cancel returned", "a ended", "b ended", "joined"});
}

// A task that comes after the cancellation ends where it first waits.
TEST_CASE("spawn after cancel") {
  manual m;
  task_group g(m.loop);
  m.on_loop([&] {
    g.cancel();
    g.spawn(sleep(&m, 1h, "late"));
  });
  CHECK(m.heard() == words{"late ended"});
  CHECK(g.alive() == 0);
}

// One task throws: its siblings are cancelled, and the exception leaves join() once all of them have ended.
TEST_CASE("an exception cancels the siblings and leaves join") {
  manual m;
  task_group g(m.loop);
  task_group owner(m.loop);
  m.on_loop([&] {
    g.spawn(sleep(&m, 1h, "sibling"));
    g.spawn(fail(&m, 10ms, "first"));
    g.spawn(fail(&m, 10ms, "second"));
    owner.spawn(join(&m, &g));
  });
  m.advance(10ms);
  CHECK(m.heard() == words{"sibling ended", "joined: first"});
  CHECK(g.cancelled());
  m.on_loop([&] { owner.spawn(join(&m, &g)); });
  CHECK(m.heard() == words{"joined"});
}

// A task that throws before it ever waits is treated alike.
TEST_CASE("an exception at once") {
  manual m;
  task_group g(m.loop);
  task_group owner(m.loop);
  m.on_loop([&] {
    g.spawn(fail(&m, 0ms, "at once"));
    g.spawn(sleep(&m, 1h, "sibling"));
    owner.spawn(join(&m, &g));
  });
  CHECK(m.heard() == words{"sibling ended", "joined: at once"});
}

// A task that never waits cancels its own group: it ends like any other, and nothing is thrown into the loop.
TEST_CASE("a task cancels its own group before it ever waits") {
  manual m;
  task_group g(m.loop);
  task_group owner(m.loop);
  m.on_loop([&] {
    g.spawn(sleep(&m, 1h, "sibling"));
    g.spawn(cancel_own(&m, &g));
    owner.spawn(join(&m, &g));
  });
  CHECK(m.heard() == words{"cancels", "sibling ended", "joined"});
}

// The joiner itself is cancelled: the tasks are cancelled with it, and it leaves only when they have ended.
TEST_CASE("a cancelled join takes the tasks along") {
  manual m;
  task_group owner(m.loop);
  {
    task_group g(m.loop);
    m.on_loop([&] {
      g.spawn(sleep(&m, 1h, "a"));
      owner.spawn(join(&m, &g));
    });
    m.on_loop([&] { owner.cancel(); });
    CHECK(g.alive() == 0);
  }
  CHECK(m.heard() == words{"a ended", "joined and aborted"});
}

// An owner that was cancelled before it joins puts the throwing off, and then joins as usual.
TEST_CASE("an owner that was cancelled can still join") {
  manual m;
  task_group owner(m.loop);
  task_group g(m.loop);
  m.on_loop([&] {
    g.spawn(sleep(&m, 1h, "a"));
    owner.spawn(sleep_then_join(&m, &g));
  });
  m.on_loop([&] { owner.cancel(); });
  CHECK(m.heard() == words{"told to go", "a ended", "joined"});
  CHECK(owner.alive() == 0);
}

// A group that ends under its tasks would leave them referring to what is gone: it aborts and says how many.
TEST_CASE("a group destroyed with a task alive aborts") {
  manual m;
  const std::string words = last_words([&] {
    auto g = std::make_unique<task_group>(m.loop);
    m.on_loop([&] { g->spawn(sleep(&m, 1h, "a")); });
    g.reset();
  });
  CHECK(words.find("a task group of loop 'manual' ended with 1 tasks alive") != std::string::npos);
}

} // namespace
} // namespace quorumd::coro::test
