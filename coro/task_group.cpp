#include "coro/task_group.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace quorumd::coro {
namespace {

bool is_cancellation(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& e) {
    return e.code() == boost::asio::error::operation_aborted;
  } catch (...) { // told apart here, and kept whole for join()
    return false;
  }
}

/// co_spawn takes one more step of its own once a task that never waited has returned, and if that task cancelled its
/// own group meanwhile, what this step throws has nobody to go to but the loop.
task<void> run_member(task<void> t) {
  std::exception_ptr error;
  try {
    co_await std::move(t);
  } catch (...) { // passed on below
    error = std::current_exception();
  }
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  if (error) std::rethrow_exception(error);
}

} // namespace

task_group::~task_group() {
  if (members_.empty()) return;
  std::fprintf(stderr, "quorumd: broken invariant: a task group of loop '%s' ended with %zu tasks alive\n",
               loop_.name().c_str(), members_.size());
  std::abort();
}

void task_group::spawn(task<void> t) {
  loop_.assert_here();
  const member m = members_.emplace(members_.end());
  boost::asio::co_spawn(
      loop_.get_executor(), run_member(std::move(t)),
      boost::asio::bind_cancellation_slot(m->slot(), [this, m](std::exception_ptr error) { ended(m, error); }));
  if (cancelled_) m->emit(boost::asio::cancellation_type::terminal);
}

void task_group::cancel() {
  loop_.assert_here();
  cancelled_ = true;
  for (auto m = members_.begin(); m != members_.end();) (m++)->emit(boost::asio::cancellation_type::terminal);
}

void task_group::ended(member m, std::exception_ptr error) {
  members_.erase(m);
  if (error && !is_cancellation(error)) {
    if (!error_) error_ = error;
    if (!cancelled_) cancel();
  }
  if (members_.empty()) changed_.set();
}

task<void> task_group::join() {
  const bool throws = co_await boost::asio::this_coro::throw_if_cancelled();
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  bool aborted = false;
  while (!members_.empty()) {
    try {
      co_await changed_.wait();
    } catch (const boost::system::system_error&) { // only ever operation_aborted
      aborted = true;
      cancel();
    }
  }
  co_await boost::asio::this_coro::throw_if_cancelled(throws);
  changed_.consume();
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  if (aborted) throw boost::system::system_error(boost::asio::error::operation_aborted);
}

} // namespace quorumd::coro
