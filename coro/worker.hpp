#pragma once

#include "coro/event.hpp"
#include "coro/loop.hpp"

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace quorumd::coro {

/// The seam for work that blocks (the disk). Jobs of one worker run one after the other, in order.
class worker {
 public:
  /// Lives from submit() until done() was called. Made once and submitted again and again on the path of a request.
  class job {
   public:
    virtual ~job() = default;
    /// On the worker's thread.
    virtual void run() = 0;
    /// Afterwards, on the loop.
    virtual void done() = 0;
  };

  virtual ~worker() = default;
  virtual void submit(job& j, loop& back) = 0;
};

/// A thread.
class thread_worker final : public worker {
 public:
  explicit thread_worker(std::string name);
  thread_worker(const thread_worker&) = delete;
  thread_worker& operator=(const thread_worker&) = delete;
  /// Runs what was submitted, then ends the thread.
  ~thread_worker() override;

  void submit(job& j, loop& back) override;

 private:
  struct item {
    job* what;
    loop* back;
  };
  void run_thread(const std::string& name);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<item> items_;
  bool stopping_ = false;
  std::thread thread_;
};

namespace detail {
template <class F, class R>
class function_job final : public worker::job {
 public:
  function_job(F f, event& e)
      : f_(std::move(f))
      , ended_(e) {}
  void run() override {
    try {
      result_.emplace(f_());
    } catch (...) { // leaves take()
      error_ = std::current_exception();
    }
  }
  void done() override {
    has_ended_ = true;
    ended_.set();
  }
  [[nodiscard]] bool has_ended() const { return has_ended_; }
  R take() {
    if (error_) std::rethrow_exception(error_);
    return std::move(*result_);
  }

 private:
  F f_;
  event& ended_;
  bool has_ended_ = false; // the caller's loop
  std::optional<R> result_;
  std::exception_ptr error_;
};
} // namespace detail

/// Runs f on the worker and returns (or throws) what it gives, on the loop of the caller. Not cancelled midway: the job
/// refers to the caller's frame, so cancellation is put off until it has ended, and the result is still returned.
template <class F>
task<std::invoke_result_t<F>> run_on(worker& w, loop& l, F f) {
  using result = std::invoke_result_t<F>;
  const bool throws = co_await boost::asio::this_coro::throw_if_cancelled();
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  event ended(l);
  detail::function_job<F, result> j(std::move(f), ended);
  w.submit(j, l);
  while (!j.has_ended()) {
    try {
      co_await ended.wait();
    } catch (const boost::system::system_error&) {
      continue; // cancelled: the caller's next co_await says so
    }
  }
  co_await boost::asio::this_coro::throw_if_cancelled(throws);
  co_return j.take();
}

} // namespace quorumd::coro
