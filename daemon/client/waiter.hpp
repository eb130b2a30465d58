#pragma once

#include "coro/loop.hpp"
#include "coro/task.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <optional>
#include <utility>

namespace quorumd::client {

/// A coro::event that resumes its coroutine at once, inside fire(), and not by way of the loop's queue: no allocation
/// and no further turn. Whoever fires must be ready for what the coroutine does before it waits again.
class client_waiter {
 public:
  client_waiter() = default;
  client_waiter(const client_waiter&) = delete;
  client_waiter& operator=(const client_waiter&) = delete;

  void fire() {
    if (!waiting_) {
      fired_ = true;
      return;
    }
    handler h = std::move(*waiting_);
    waiting_.reset();
    h(boost::system::error_code{});
  }

  /// Forgets a fire() that nobody waited for.
  void reset() { fired_ = false; }
  [[nodiscard]] bool waiting() const { return waiting_.has_value(); }

  /// Returns once fired. One waiter at a time. Throws operation_aborted when cancelled.
  [[nodiscard]] coro::task<void> wait(coro::loop& l) {
    return boost::asio::async_initiate<const coro::use_task_t, void(boost::system::error_code)>(
        [this, &l](handler h) { begin(std::move(h), l); }, coro::use_task);
  }

 private:
  using handler = boost::asio::async_result<coro::use_task_t, void(boost::system::error_code)>::handler_type;

  void begin(handler h, coro::loop& l) {
    auto slot = boost::asio::get_associated_cancellation_slot(h);
    if (slot.is_connected())
      slot.assign([this, &l](boost::asio::cancellation_type) { complete(l, boost::asio::error::operation_aborted); });
    waiting_.emplace(std::move(h));
    if (std::exchange(fired_, false)) complete(l, {});
  }

  void complete(coro::loop& l, boost::system::error_code why) {
    if (!waiting_) return;
    handler h = std::move(*waiting_);
    waiting_.reset();
    boost::asio::post(l.get_executor(), [w = std::move(h), why]() mutable { w(why); });
  }

  std::optional<handler> waiting_;
  bool fired_ = false;
};

} // namespace quorumd::client
