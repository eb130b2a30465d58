#pragma once

#include "coro/clock.hpp"
#include "coro/task.hpp"
#include "coro/timers.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace quorumd::coro {

/// One single-threaded event loop: an object belongs to one loop for life, and its entry points assert that they run
/// there. In production each loop has a thread; in the simulator whoever drives it calls run_one_ready().
class loop {
 public:
  enum class drive {
    thread, ///< start() gives it a thread; timers and sockets are Asio's
    manual, ///< the simulator's: no thread and no Asio I/O object
  };

  loop(std::string name, const clock& c, drive d = drive::thread);
  loop(const loop&) = delete;
  loop& operator=(const loop&) = delete;
  ~loop();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] executor get_executor() { return context_.get_executor(); }
  [[nodiscard]] boost::asio::io_context& context() { return context_; }
  [[nodiscard]] coro::timers& timers() { return timers_; }
  [[nodiscard]] time_point now() const { return timers_.now(); }
  /// See clock::worked.
  void worked(std::size_t visits) const { timers_.the_clock().worked(visits); }

  /// Runs f on this loop, later; from any thread.
  template <class F>
  void post(F&& f) {
    boost::asio::post(context_, std::forward<F>(f));
  }

  /// Lets whatever waits for this loop go first.
  [[nodiscard]] task<void> yield();

  /// Whether the caller runs on this loop.
  [[nodiscard]] bool here() const { return current_ == this; }
  /// Aborts if the caller does not run on this loop.
  void assert_here() const;

  /// Gives the loop its thread. An exception that leaves a handler ends the process.
  void start();
  /// Lets the thread run what is queued until nothing keeps the loop alive, then joins it. Called from elsewhere, after
  /// every task group of the loop was joined.
  void stop();

  /// Manual drive: runs at most one handler that is ready; whether there was one.
  bool run_one_ready();

 private:
  class asio_timer;
  void run_thread();

  static thread_local const loop* current_;

  std::string name_;
  boost::asio::io_context context_;
  coro::timers timers_;
  std::unique_ptr<asio_timer> timer_;
  std::unique_ptr<boost::asio::executor_work_guard<executor>> work_;
  std::thread thread_;
};

} // namespace quorumd::coro
