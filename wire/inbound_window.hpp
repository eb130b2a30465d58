#pragma once

#include "coro/event.hpp"
#include "coro/loop.hpp"
#include "coro/task.hpp"

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace quorumd::wire {

class inbound_window;

/// What was read of a stream and is not yet taken by whoever it was handed to; ends with that. From any thread.
class inbound_hold {
 public:
  inbound_hold() = default;
  inbound_hold(std::shared_ptr<inbound_window> w, std::size_t bytes)
      : window_(std::move(w))
      , bytes_(bytes) {}
  inbound_hold(inbound_hold&&) noexcept = default;
  inbound_hold& operator=(inbound_hold&& other) noexcept {
    inbound_hold gone(std::move(*this));
    window_ = std::move(other.window_);
    bytes_ = other.bytes_;
    return *this;
  }
  ~inbound_hold();

 private:
  std::shared_ptr<inbound_window> window_;
  std::size_t bytes_ = 0;
};

/// How much of a stream may lie with those it is handed to, so that a reader who is faster than they are leaves the
/// rest in the socket, and with its sender. Belongs to the stream's loop, but for the holds.
class inbound_window : public std::enable_shared_from_this<inbound_window> {
 public:
  inbound_window(coro::loop& l, std::size_t bytes_max)
      : loop_(l)
      , max_(bytes_max)
      , room_(l) {}

  [[nodiscard]] inbound_hold hold(std::size_t bytes) {
    held_.fetch_add(bytes);
    return {shared_from_this(), bytes};
  }
  [[nodiscard]] bool full() const { return held_.load() > max_; }
  /// Returns when it may not be full any more. One waiter.
  [[nodiscard]] coro::task<void> wait();
  /// Nobody waits any more.
  void close() { wanted_ = false; }

 private:
  friend class inbound_hold;
  void give(std::size_t bytes);

  coro::loop& loop_;
  const std::size_t max_;
  coro::event room_;
  std::atomic<std::size_t> held_{0};
  std::atomic<bool> wanted_{false};
};

} // namespace quorumd::wire
