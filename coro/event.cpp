#include "coro/event.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <cstdio>
#include <cstdlib>

namespace quorumd::coro {

event::~event() {
  if (!waiter_) return;
  std::fprintf(stderr, "quorumd: broken invariant: an event of loop '%s' ended under its waiter\n",
               loop_.name().c_str());
  std::abort();
}

void event::set() {
  loop_.assert_here();
  if (waiter_)
    complete({});
  else
    set_ = true;
}

task<void> event::wait() {
  return boost::asio::async_initiate<const use_task_t, void(boost::system::error_code)>(
      [this](handler h) { begin(std::move(h)); }, use_task);
}

void event::begin(handler h) {
  loop_.assert_here();
  if (waiter_) {
    std::fprintf(stderr, "quorumd: broken invariant: two coroutines wait for one event of loop '%s'\n",
                 loop_.name().c_str());
    std::abort();
  }
  auto slot = boost::asio::get_associated_cancellation_slot(h);
  if (slot.is_connected())
    slot.assign([this](boost::asio::cancellation_type) {
      if (waiter_) complete(boost::asio::error::operation_aborted);
    });
  waiter_.emplace(std::move(h));
  if (consume()) complete({});
}

void event::complete(boost::system::error_code why) {
  handler h = std::move(*waiter_);
  waiter_.reset();
  // A later cancellation of this coroutine must reach neither the next waiter nor an event that is gone.
  boost::asio::get_associated_cancellation_slot(h).clear();
  boost::asio::post(loop_.get_executor(), [w = std::move(h), why]() mutable { w(why); });
}

} // namespace quorumd::coro
