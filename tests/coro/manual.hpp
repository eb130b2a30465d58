#pragma once

#include "coro/loop.hpp"
#include "coro/task_group.hpp"

#include <string>
#include <utility>
#include <vector>

namespace quorumd::coro::test {

class virtual_clock final : public clock {
 public:
  [[nodiscard]] time_point now() const override { return now_; }
  void advance(duration d) { now_ += d; }

 private:
  time_point now_{};
};

/// A loop that the test drives, its virtual time, and what its coroutines have said so far.
struct manual {
  virtual_clock time;
  coro::loop loop{"manual", time, coro::loop::drive::manual};
  std::vector<std::string> said;

  void drain() {
    while (loop.run_one_ready()) {
    }
  }
  /// Runs f on the loop, then everything that follows from it.
  template <class F>
  void on_loop(F f) {
    loop.post(std::move(f));
    drain();
  }
  /// Lets time pass and wakes who is due.
  std::size_t advance(duration d) {
    time.advance(d);
    const std::size_t fired = loop.timers().fire_due();
    drain();
    return fired;
  }
  /// What was said since the last time it was asked.
  std::vector<std::string> heard() { return std::exchange(said, {}); }
};

using words = std::vector<std::string>;

} // namespace quorumd::coro::test
