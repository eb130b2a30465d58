#include "coro/mailbox.hpp"
#include "tests/coro/death.hpp"
#include "tests/coro/manual.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

namespace quorumd::coro::test {
namespace {

using namespace std::chrono_literals;

task<void> take_all(manual* m, mailbox<int>* box) {
  std::vector<int> batch;
  for (;;) {
    co_await box->wait();
    if (!box->take(batch)) m->said.push_back("nothing");
    std::string line;
    for (const int i : batch) line += std::to_string(i) + " ";
    if (!batch.empty()) m->said.push_back(line);
    batch.clear();
  }
}

// Handlers run one a call, in the order in which they were posted, and what they post comes after.
TEST_CASE("run_one_ready runs one handler") {
  manual m;
  CHECK_FALSE(m.loop.run_one_ready());
  m.loop.post([&] {
    m.said.push_back("a");
    m.loop.post([&] { m.said.push_back("c"); });
  });
  m.loop.post([&] { m.said.push_back("b"); });
  CHECK(m.loop.run_one_ready());
  CHECK(m.heard() == words{"a"});
  CHECK(m.loop.run_one_ready());
  CHECK(m.loop.run_one_ready());
  CHECK(m.heard() == words{"b", "c"});
  CHECK_FALSE(m.loop.run_one_ready());
}

// The caller is on the loop inside a handler and nowhere else, also when a handler throws or drives another loop.
TEST_CASE("here is inside a handler") {
  manual outer;
  manual inner;
  outer.loop.post([&] {
    CHECK(outer.loop.here());
    inner.loop.post([&] {
      CHECK(inner.loop.here());
      CHECK_FALSE(outer.loop.here());
      throw std::runtime_error("out of the handler");
    });
    CHECK_THROWS_AS(inner.loop.run_one_ready(), std::runtime_error);
    CHECK(outer.loop.here());
  });
  outer.drain();
  CHECK_FALSE(outer.loop.here());
  CHECK_FALSE(inner.loop.here());
  outer.on_loop([&] { outer.loop.assert_here(); });
  const std::string words = last_words([&] { outer.loop.assert_here(); });
  CHECK(words.find("an object of loop 'manual' was used from elsewhere") != std::string::npos);
}

// A handler that a loop never ran is destroyed with it, not run.
TEST_CASE("what was not run is destroyed") {
  bool ran = false;
  auto token = std::make_shared<int>(0);
  {
    manual m;
    m.loop.post([&ran, token] { ran = true; });
    CHECK(token.use_count() == 2);
  }
  CHECK_FALSE(ran);
  CHECK(token.use_count() == 1);
}

// Everything that was pushed until the owner takes is one wake and one batch, in order.
TEST_CASE("a mailbox hands over whole batches") {
  manual m;
  mailbox<int> box(m.loop);
  task_group g(m.loop);
  m.on_loop([&] { g.spawn(take_all(&m, &box)); });
  box.push(1);
  box.push(2);
  std::vector<int> more{3, 4};
  box.push_all(more);
  CHECK(more.empty());
  CHECK(more.capacity() >= 2);
  box.push_all(more);
  m.drain();
  CHECK(m.heard() == words{"1 2 3 4 "});
  m.on_loop([&] { // the owner itself may push
    box.push(5);
    box.push(6);
  });
  CHECK(m.heard() == words{"5 6 "});
  m.on_loop([&] { g.cancel(); });
  CHECK(g.alive() == 0);
}

// Items that came while nobody waited are there for the next wait, and a push after a take wakes anew.
TEST_CASE("a mailbox loses no wake") {
  manual m;
  mailbox<int> box(m.loop);
  task_group g(m.loop);
  box.push(1);
  m.drain();
  std::vector<int> batch;
  CHECK(box.take(batch));
  CHECK(batch == std::vector<int>{1});
  batch.clear();
  CHECK_FALSE(box.take(batch));
  box.push(2);
  m.on_loop([&] { g.spawn(take_all(&m, &box)); });
  CHECK(m.heard() == words{"2 "});
  m.on_loop([&] { g.cancel(); });
}

// An owner that waits for several things has the mailbox wake its own event.
TEST_CASE("a mailbox with a waker of its owner's") {
  manual m;
  mailbox<int> box(m.loop);
  event any(m.loop);
  box.set_waker(any);
  box.push(1);
  CHECK_FALSE(any.is_set());
  m.drain();
  CHECK(any.is_set());
}

// A mailbox notes how long the oldest item of each batch waited and how many came at once; an empty look is no batch.
TEST_CASE("a mailbox knows its waits") {
  manual m;
  mailbox<int> box(m.loop);
  std::vector<int> out;
  m.on_loop([&] {
    CHECK_FALSE(box.take(out));
    box.push(1);
    m.time.advance(5ms);
    box.push(2);
    m.time.advance(2ms);
    CHECK(box.take(out));
    out.clear();
    std::vector<int> more{3, 4, 5};
    box.push_all(more);
    CHECK(box.take(out));
  });
  mailbox_metrics seen;
  box.add_to(seen);
  CHECK(seen.waits.count() == 2);
  CHECK(seen.waits.max() == std::uint64_t(std::chrono::nanoseconds(7ms).count()));
  CHECK(seen.waits.quantile(0.5) == 0);
  CHECK(seen.batches.count() == 2);
  CHECK(seen.batches.sum() == 5);
  CHECK(seen.lock_waits.count() == 0);
}

} // namespace
} // namespace quorumd::coro::test
