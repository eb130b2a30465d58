#include "coro/event.hpp"
#include "coro/mailbox.hpp"
#include "tests/coro/pool.hpp"

#include <boost/system/system_error.hpp>
#include <doctest/doctest.h>

#include <stdexcept>

namespace quorumd::coro::test {
namespace {

using namespace std::chrono_literals;

task<void> returns_the_ball(loop* here, mailbox<int>* mine, mailbox<int>* theirs, int rallies) {
  std::vector<int> balls;
  for (int seen = 0; seen < rallies;) {
    co_await mine->wait();
    here->assert_here();
    mine->take(balls);
    for (const int ball : balls) {
      CHECK(ball == seen);
      ++seen;
      theirs->push(ball);
    }
    balls.clear();
  }
}

task<void> serves(loop* here, mailbox<int>* mine, mailbox<int>* theirs, int rallies) {
  std::vector<int> balls;
  for (int i = 0; i < rallies; ++i) {
    theirs->push(i);
    co_await mine->wait();
    here->assert_here();
    CHECK(mine->take(balls));
    CHECK(balls == std::vector<int>{i});
    balls.clear();
  }
}

task<void> sleep(loop* l, duration d) {
  co_await l->timers().sleep_for(d);
}

task<void> short_sleep_under_a_long_one(loop* l) {
  task_group g(*l);
  g.spawn(sleep(l, 1h));
  co_await l->timers().sleep_for(1ms);
  CHECK(g.alive() == 1);
  g.cancel();
  co_await g.join();
}

task<void> fails() {
  throw std::runtime_error("on the loop");
  co_return;
}

// Two loops pass a ball back and forth, each on its own thread.
TEST_CASE("two loops play ping-pong") {
  running_loop a("a");
  running_loop b("b");
  mailbox<int> at_a(a.get());
  mailbox<int> at_b(b.get());
  auto end = b.start(returns_the_ball(&b.get(), &at_b, &at_a, 2000));
  a.run(serves(&a.get(), &at_a, &at_b, 2000));
  end.get();
  a.get().stop();
  b.get().stop();
}

// What was posted before stop() still runs, on the loop.
TEST_CASE("stop runs what is queued") {
  running_loop a("a");
  int ran = 0;
  for (int i = 0; i < 100; ++i)
    a.get().post([&] {
      a.get().assert_here();
      ++ran;
    });
  CHECK_FALSE(a.get().here());
  a.get().stop();
  CHECK(ran == 100);
  a.get().stop();
}

// A short sleep that comes after a long one is not kept waiting by it; and once the long one is cancelled, the timer
// that was armed for it does not hold up the end of the loop.
TEST_CASE("the end of a loop waits for no cancelled sleep") {
  running_loop a("a");
  a.run(short_sleep_under_a_long_one(&a.get()));
  a.get().stop();
}

// The sleep is cancelled only while the loop is already ending.
TEST_CASE("a sleep that is cancelled while the loop ends") {
  running_loop a("a");
  task_group g(a.get());
  a.get().post([&] {
    g.spawn(sleep(&a.get(), 1h));
    // Behind the first step of stop(), which is queued from outside meanwhile or later: either order must do.
    a.get().post([&] { a.get().post([&] { g.cancel(); }); });
  });
  a.get().stop();
  CHECK(g.alive() == 0);
}

// What a coroutine throws reaches whoever started it.
TEST_CASE("an exception leaves a loop's coroutine") {
  running_loop a("a");
  CHECK_THROWS_WITH_AS(a.run(fails()), "on the loop", std::runtime_error);
}

} // namespace
} // namespace quorumd::coro::test
