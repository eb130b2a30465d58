#include "coro/mailbox.hpp"
#include "coro/worker.hpp"
#include "tests/coro/sockets.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {
thread_local std::int64_t allocations = 0; // of this thread
} // namespace

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  ++allocations;
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
  ++allocations;
  *out = __libc_memalign(alignment, size);
  return *out == nullptr ? ENOMEM : 0;
}
}

namespace quorumd::coro::test {
namespace {

constexpr int warm_up = 200;
constexpr int rounds = 1000;

/// Allocations of the loop's thread from the end of the warm-up on.
class counter {
 public:
  void round(int i) {
    if (i == warm_up) at_ = allocations;
  }
  [[nodiscard]] std::int64_t since() const { return allocations - at_; }

 private:
  std::int64_t at_ = 0;
};

task<void> answer(event* mine, event* theirs) {
  for (;;) {
    co_await mine->wait();
    theirs->set();
  }
}

task<void> events(loop* l) {
  event here(*l);
  event there(*l);
  task_group g(*l);
  g.spawn(answer(&there, &here));
  counter c;
  for (int i = 0; i < warm_up + rounds; ++i) {
    c.round(i);
    there.set();
    co_await here.wait();
  }
  CHECK(c.since() == 0);
  g.cancel();
  co_await g.join();
}

task<void> sleeps(loop* l) {
  counter c;
  for (int i = 0; i < warm_up + rounds; ++i) {
    c.round(i);
    co_await l->timers().sleep_for(duration::zero());
  }
  CHECK(c.since() == 0);
}

task<void> own_mailbox(loop* l) {
  mailbox<int> box(*l);
  std::vector<int> batch;
  counter c;
  for (int i = 0; i < warm_up + rounds; ++i) {
    c.round(i);
    for (int n = 0; n < 10; ++n) box.push(n);
    co_await box.wait();
    box.take(batch);
    batch.clear();
  }
  CHECK(c.since() == 0);
}

task<void> echo(stream* s) {
  std::byte room[256];
  for (;;) {
    co_await s->readable();
    const auto n = s->read_some(room);
    if (!n) continue;
    (void)s->write_some(std::span(room).first(*n)).value();
  }
}

task<void> sockets(loop* l) {
  stream_ptr a;
  stream_ptr b;
  co_await connect_pair(l, "", &a, &b);
  task_group g(*l);
  g.spawn(echo(b.get()));
  std::byte room[256]{};
  counter c;
  for (int i = 0; i < warm_up + rounds; ++i) {
    c.round(i);
    (void)a->write_some(room).value();
    co_await a->readable();
    (void)a->read_some(room).value();
    co_await b->writable();
  }
  CHECK(c.since() == 0);
  g.cancel();
  co_await g.join();
}

class waking_job final : public worker::job {
 public:
  explicit waking_job(loop& l)
      : ended(l) {}
  void run() override {}
  void done() override { ended.set(); }
  event ended;
};

task<void> jobs(loop* l, worker* w) {
  waking_job j(*l);
  counter c;
  for (int i = 0; i < warm_up + rounds; ++i) {
    c.round(i);
    w->submit(j, *l);
    co_await j.ended.wait();
  }
  CHECK(c.since() == 0);
}

// The count itself counts.
TEST_CASE("an allocation is counted") {
  const std::int64_t before = allocations;
  const auto p = std::make_unique<std::vector<int>>(10);
  CHECK(allocations - before == 2);
  CHECK(p->size() == 10);
}

// Once warm, what a loop does for every request allocates nothing: waking and waiting, sleeping, taking a batch,
// waiting for a socket, handing a standing job to a worker.
TEST_CASE("waits allocate nothing after warm-up") {
  running_loop l("loop");
  SUBCASE("events") {
    l.run(events(&l.get()));
  }
  SUBCASE("sleeps") {
    l.run(sleeps(&l.get()));
  }
  SUBCASE("a mailbox") {
    l.run(own_mailbox(&l.get()));
  }
  SUBCASE("sockets") {
    l.run(sockets(&l.get()));
  }
  SUBCASE("jobs") {
    thread_worker w("worker");
    l.run(jobs(&l.get(), &w));
  }
}

} // namespace
} // namespace quorumd::coro::test
