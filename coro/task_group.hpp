#pragma once

#include "coro/event.hpp"
#include "coro/loop.hpp"
#include "coro/task.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <exception>
#include <list>

namespace quorumd::coro {

/// The coroutines that belong to one owner. operation_aborted is how they end and is swallowed; any other exception
/// cancels the others and leaves join(). Destroyed while one is alive, it aborts the process: it would refer to what
/// is gone.
class task_group {
 public:
  explicit task_group(loop& l)
      : loop_(l)
      , changed_(l) {}
  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;
  ~task_group();

  void spawn(task<void> t);
  /// Cancels every task; every later one is cancelled when it first waits.
  void cancel();
  [[nodiscard]] bool cancelled() const { return cancelled_; }
  [[nodiscard]] std::size_t alive() const { return members_.size(); }
  /// Returns when every task has ended; throws what one of them threw. If the caller is cancelled meanwhile, cancels
  /// the tasks, waits for their end all the same, and then throws operation_aborted.
  ///
  /// A caller that was cancelled before cannot get here by co_await, which throws at once: it first says
  /// `co_await boost::asio::this_coro::throw_if_cancelled(false)`.
  [[nodiscard]] task<void> join();

 private:
  using member = std::list<boost::asio::cancellation_signal>::iterator;
  void ended(member m, std::exception_ptr error);

  loop& loop_;
  event changed_;
  std::list<boost::asio::cancellation_signal> members_;
  std::exception_ptr error_;
  bool cancelled_ = false;
};

} // namespace quorumd::coro
