#pragma once

#include "consensus/types/invariant.hpp"

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

namespace quorumd::kv {

/// What one slice of a long computation may still cost, and where the computation stopped when that was used up.
/// The unit is the visit of one record.
class work {
 public:
  work() = default;
  work(const work&) = delete;
  work& operator=(const work&) = delete;

  /// One visit more; false: the slice is used up, and the computation is to `co_await pause()` before it goes on.
  [[nodiscard]] bool spend() {
    ++visits_;
    if (left_ == 0) return false;
    --left_;
    return true;
  }
  /// Since the computation began.
  [[nodiscard]] std::size_t visits() const { return visits_; }

  [[nodiscard]] auto pause() {
    struct awaiter {
      work& w;
      [[nodiscard]] bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> h) noexcept { w.paused_ = h; }
      void await_resume() const noexcept {}
    };
    return awaiter{*this};
  }

 private:
  template <class T>
  friend class sliced;

  std::size_t left_ = 0;
  std::size_t visits_ = 0;
  std::coroutine_handle<> paused_;
};

/// A computation that its owner runs a slice at a time; it may await others of the same work. Ending it early is
/// destroying it. Whatever it was given by reference outlives it. An exception in it is a broken invariant.
template <class T>
class sliced {
 public:
  struct promise_type {
    std::optional<T> value;
    std::coroutine_handle<> awaiting;

    sliced get_return_object() { return sliced(std::coroutine_handle<promise_type>::from_promise(*this)); }
    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
    auto final_suspend() const noexcept {
      struct awaiter {
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> h) const noexcept {
          const std::coroutine_handle<> next = h.promise().awaiting;
          return next ? next : std::noop_coroutine();
        }
        void await_resume() const noexcept {}
      };
      return awaiter{};
    }
    template <class U>
    void return_value(U&& v) {
      value.emplace(std::forward<U>(v));
    }
    void unhandled_exception() const noexcept { std::terminate(); }
  };

  sliced(sliced&& other) noexcept
      : handle_(std::exchange(other.handle_, nullptr)) {}
  sliced& operator=(sliced&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~sliced() {
    if (handle_) handle_.destroy();
  }

  /// Runs the outermost computation of the work for so many visits at most; whether it has ended.
  [[nodiscard]] bool run(work& w, std::size_t visits_max) {
    QUORUMD_INVARIANT(handle_ && !handle_.done(), "what has ended does not go on");
    w.left_ = visits_max;
    const std::coroutine_handle<> at = std::exchange(w.paused_, nullptr);
    (at ? at : handle_).resume();
    return handle_.done();
  }
  /// What it came to, once it has ended.
  [[nodiscard]] T take() { return std::move(*handle_.promise().value); }

  auto operator co_await() && {
    struct awaiter {
      std::coroutine_handle<promise_type> inner;
      [[nodiscard]] bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> outer) const noexcept {
        inner.promise().awaiting = outer;
        return inner;
      }
      T await_resume() const { return std::move(*inner.promise().value); }
    };
    return awaiter{handle_};
  }

 private:
  explicit sliced(std::coroutine_handle<promise_type> h)
      : handle_(h) {}

  std::coroutine_handle<promise_type> handle_;
};

} // namespace quorumd::kv
