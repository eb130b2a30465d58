#pragma once

#include "coro/loop.hpp"
#include "coro/task.hpp"

#include <boost/asio/async_result.hpp>

#include <optional>
#include <utility>

namespace quorumd::coro {

/// Wakes one waiting coroutine of the same loop. set() stays in force until a wait consumes it, so no wake is lost.
class event {
 public:
  explicit event(loop& l)
      : loop_(l) {}
  event(const event&) = delete;
  event& operator=(const event&) = delete;
  /// Nobody may be waiting any more.
  ~event();

  void set();
  [[nodiscard]] bool is_set() const { return set_; }
  /// Takes the wake, if there is one, without waiting.
  bool consume() { return std::exchange(set_, false); }
  /// Returns once set, and consumes it. One waiter at a time. Throws operation_aborted when cancelled.
  [[nodiscard]] task<void> wait();

 private:
  using handler = boost::asio::async_result<use_task_t, void(boost::system::error_code)>::handler_type;
  void begin(handler h);
  void complete(boost::system::error_code why);

  loop& loop_;
  bool set_ = false;
  std::optional<handler> waiter_;
};

} // namespace quorumd::coro
