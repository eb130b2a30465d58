#include "coro/mailbox.hpp"
#include "tests/coro/pool.hpp"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <thread>

namespace quorumd::coro::test {
namespace {

constexpr int producers = 4;
constexpr int each = 5000;

struct item {
  int producer;
  int number;
};

task<void> expects_everything(loop* here, mailbox<item>* box) {
  std::array<int, producers> next{};
  std::vector<item> batch;
  for (int seen = 0; seen < producers * each;) {
    co_await box->wait();
    here->assert_here();
    box->take(batch);
    for (const item& i : batch) {
      CHECK(i.number == next[static_cast<std::size_t>(i.producer)]);
      ++next[static_cast<std::size_t>(i.producer)];
    }
    seen += static_cast<int>(batch.size());
    batch.clear();
  }
  CHECK_FALSE(box->take(batch));
}

void produce(mailbox<item>& box, int producer) {
  std::vector<item> batch;
  for (int i = 0; i < each; ++i) {
    if (i % 100 < 50) {
      box.push({producer, i});
      continue;
    }
    batch.push_back({producer, i});
    if (i % 100 == 99) box.push_all(batch);
  }
}

// Four threads push, singly and in batches, to one loop: everything comes, once, and each producer's items in order.
TEST_CASE("several producers, one owner") {
  running_loop owner("owner");
  mailbox<item> box(owner.get());
  auto end = owner.start(expects_everything(&owner.get(), &box));
  std::vector<std::thread> threads;
  for (int p = 0; p < producers; ++p) threads.emplace_back([&box, p] { produce(box, p); });
  for (std::thread& t : threads) t.join();
  end.get();
  owner.get().stop();
  mailbox_metrics seen;
  box.add_to(seen);
  CHECK(seen.batches.sum() == producers * each);
  CHECK(seen.waits.count() == seen.batches.count());
}

// Who finds the lock of a mailbox taken notes how long it waited for it.
TEST_CASE("contention is noted") {
  running_loop owner("owner");
  mailbox<item> box(owner.get());
  std::atomic<bool> enough = false;
  std::vector<std::thread> threads;
  for (int p = 0; p < producers; ++p)
    threads.emplace_back([&, p] {
      while (!enough) box.push({p, 0});
    });
  mailbox_metrics seen;
  while (seen.lock_waits.count() == 0) {
    std::this_thread::yield();
    std::vector<item> out;
    box.take(out);
    box.add_to(seen);
  }
  enough = true;
  for (std::thread& t : threads) t.join();
  CHECK(seen.lock_waits.max() > 0);
}

} // namespace
} // namespace quorumd::coro::test
