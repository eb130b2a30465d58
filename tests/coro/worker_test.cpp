#include "coro/worker.hpp"
#include "tests/coro/pool.hpp"

#include <boost/system/system_error.hpp>
#include <doctest/doctest.h>

#include <future>
#include <memory>
#include <stdexcept>

namespace quorumd::coro::test {
namespace {

task<void> count(worker* w, loop* here, int* shared, int times) {
  int last = 0;
  for (int i = 0; i < times; ++i) {
    auto add_one = [shared] { return ++*shared; };
    auto job = run_on(*w, *here, add_one);
    const int value = co_await std::move(job);
    here->assert_here();
    CHECK(value > last);
    last = value;
  }
}

task<void> run_failing_job(worker* w, loop* here) {
  auto fail = []() -> int { throw std::runtime_error("on the worker"); };
  auto job = run_on(*w, *here, fail);
  co_await std::move(job);
}

/// Runs a job that waits for `release`, tells `result` what came of it, and then waits once more.
task<void> cancelled_midway(worker* w, loop* here, std::shared_future<void> release, std::promise<int>* begun,
                            int* result, bool* went_on) {
  auto block = [release, begun] {
    begun->set_value(0);
    release.wait();
    return 42;
  };
  auto job = run_on(*w, *here, block);
  *result = co_await std::move(job);
  co_await here->timers().sleep_for(duration::zero());
  *went_on = true;
}

task<void> join(task_group* g) {
  co_await g->join();
}

class counting_job final : public worker::job {
 public:
  explicit counting_job(loop& back)
      : back_(back) {}
  void run() override { ++runs; }
  void done() override {
    back_.assert_here();
    ++dones;
  }
  int runs = 0;
  int dones = 0;

 private:
  loop& back_;
};

// Two loops share a worker: its jobs run one after the other, so that what only they touch needs no lock, and each
// result comes back on the loop that asked.
TEST_CASE("a worker serves two loops") {
  int shared = 0; // touched by the worker alone until it has ended
  running_loop a("a");
  running_loop b("b");
  {
    thread_worker w("worker");
    auto end = b.start(count(&w, &b.get(), &shared, 500));
    a.run(count(&w, &a.get(), &shared, 500));
    end.get();
  }
  CHECK(shared == 1000);
}

// What a job throws is thrown to its caller, and the worker goes on.
TEST_CASE("a job that throws") {
  running_loop a("a");
  thread_worker w("worker");
  CHECK_THROWS_WITH_AS(a.run(run_failing_job(&w, &a.get())), "on the worker", std::runtime_error);
  int shared = 0;
  a.run(count(&w, &a.get(), &shared, 1));
}

// The caller is cancelled, twice, while its job runs: it stays until the job has ended, gets the result, and is
// stopped by its next wait.
TEST_CASE("cancellation waits for the job") {
  running_loop a("a");
  thread_worker w("worker");
  task_group g(a.get());
  std::promise<void> release;
  std::promise<int> begun;
  int result = 0;
  bool went_on = false;
  a.get().post(
      [&] { g.spawn(cancelled_midway(&w, &a.get(), release.get_future().share(), &begun, &result, &went_on)); });
  begun.get_future().get();
  std::promise<std::size_t> alive;
  a.get().post([&] {
    g.cancel();
    a.get().post([&] {
      g.cancel();
      a.get().post([&] { alive.set_value(g.alive()); });
    });
  });
  CHECK(alive.get_future().get() == 1);
  release.set_value();
  a.run(join(&g));
  a.get().stop();
  CHECK(result == 42);
  CHECK_FALSE(went_on);
}

// A worker that ends runs what was submitted first, and every done() comes.
TEST_CASE("a worker's end loses no job") {
  running_loop a("a");
  std::vector<std::unique_ptr<counting_job>> jobs;
  for (int i = 0; i < 100; ++i) jobs.push_back(std::make_unique<counting_job>(a.get()));
  {
    thread_worker w("worker");
    for (auto& j : jobs) w.submit(*j, a.get());
  }
  a.get().stop();
  for (auto& j : jobs) {
    CHECK(j->runs == 1);
    CHECK(j->dones == 1);
  }
}

} // namespace
} // namespace quorumd::coro::test
