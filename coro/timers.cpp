#include "coro/timers.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

namespace quorumd::coro {

timers::~timers() = default;

task<void> timers::sleep_until(time_point deadline) {
  return boost::asio::async_initiate<const use_task_t, void(boost::system::error_code)>(
      [this, deadline](handler wake) { add(deadline, std::move(wake)); }, use_task);
}

void timers::add(time_point deadline, handler wake) {
  const key k{deadline, next_number_++};
  auto slot = boost::asio::get_associated_cancellation_slot(wake);
  if (slot.is_connected()) slot.assign([this, k](boost::asio::cancellation_type) { cancel(k); });
  const auto at = sleepers_.emplace(k, std::move(wake)).first;
  if (driver_ != nullptr && at == sleepers_.begin()) driver_->arm(deadline);
}

void timers::cancel(key k) {
  auto found = sleepers_.extract(k);
  if (found) complete(std::move(found.mapped()), boost::asio::error::operation_aborted);
}

void timers::complete(handler wake, boost::system::error_code why) {
  boost::asio::post(executor_, [w = std::move(wake), why]() mutable { w(why); });
}

std::optional<time_point> timers::earliest() const {
  if (sleepers_.empty()) return std::nullopt;
  return sleepers_.begin()->first.first;
}

std::size_t timers::fire_due() {
  const time_point now = clock_.now();
  std::size_t fired = 0;
  while (!sleepers_.empty() && sleepers_.begin()->first.first <= now) {
    complete(std::move(sleepers_.extract(sleepers_.begin()).mapped()), {});
    ++fired;
  }
  if (driver_ != nullptr && !sleepers_.empty()) driver_->arm(sleepers_.begin()->first.first);
  return fired;
}

} // namespace quorumd::coro
