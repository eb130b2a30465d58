#pragma once

#include "coro/loop.hpp"
#include "coro/task_group.hpp"

#include <boost/asio/co_spawn.hpp>

#include <exception>
#include <future>
#include <memory>
#include <string>
#include <utility>

namespace quorumd::coro::test {

/// A loop with its thread, as in production.
class running_loop {
 public:
  explicit running_loop(std::string name)
      : loop_(std::move(name), clock_) {
    loop_.start();
  }
  running_loop(const running_loop&) = delete;
  running_loop& operator=(const running_loop&) = delete;

  [[nodiscard]] loop& get() { return loop_; }

  /// Starts t on the loop; the future gives its end.
  std::future<void> start(task<void> t) {
    auto ended = std::make_shared<std::promise<void>>();
    std::future<void> end = ended->get_future();
    loop_.post([this, ended, t = std::move(t)]() mutable {
      boost::asio::co_spawn(loop_.get_executor(), std::move(t), [ended](std::exception_ptr error) {
        if (error)
          ended->set_exception(error);
        else
          ended->set_value();
      });
    });
    return end;
  }
  /// Runs t on the loop to its end, and throws what it throws.
  void run(task<void> t) { start(std::move(t)).get(); }

 private:
  steady_clock clock_;
  loop loop_;
};

} // namespace quorumd::coro::test
