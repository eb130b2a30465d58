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

time_point timers::after(duration d) const {
  const time_point t = now();
  return d < time_point::max() - t ? t + d : time_point::max();
}

void timers::add(time_point deadline, handler wake) {
  const key k{deadline, next_number_++};
  auto slot = boost::asio::get_associated_cancellation_slot(wake);
  if (slot.is_connected()) slot.assign([this, k](boost::asio::cancellation_type) { cancel(k); });
  sleepers::iterator at;
  if (spare_.empty()) {
    at = sleepers_.try_emplace(k).first;
  } else {
    spare_.back().key() = k;
    at = sleepers_.insert(std::move(spare_.back())).position;
    spare_.pop_back();
  }
  at->second.emplace(std::move(wake));
  if (driver_ != nullptr && at == sleepers_.begin()) driver_->arm(deadline);
}

void timers::cancel(key k) {
  const auto found = sleepers_.find(k);
  if (found == sleepers_.end()) return;
  complete(found, boost::asio::error::operation_aborted);
  if (driver_ != nullptr && sleepers_.empty()) driver_->idle();
}

void timers::complete(sleepers::iterator sleeper, boost::system::error_code why) {
  auto node = sleepers_.extract(sleeper);
  const time_point deadline = node.key().first;
  handler wake = std::move(*node.mapped());
  node.mapped().reset();
  spare_.push_back(std::move(node));
  boost::asio::post(executor_, [this, deadline, w = std::move(wake), why]() mutable { this->wake(w, deadline, why); });
}

/// The loop's turn to go on with a sleeper.
void timers::wake(handler& w, time_point deadline, boost::system::error_code why) {
  if (!why) lag_.record(now() - deadline);
  w(why);
}

std::optional<time_point> timers::earliest() const {
  if (sleepers_.empty()) return std::nullopt;
  return sleepers_.begin()->first.first;
}

std::size_t timers::fire_due() {
  const time_point t = now();
  std::size_t fired = 0;
  while (!sleepers_.empty() && sleepers_.begin()->first.first <= t) {
    complete(sleepers_.begin(), {});
    ++fired;
  }
  if (driver_ != nullptr && !sleepers_.empty()) driver_->arm(sleepers_.begin()->first.first);
  return fired;
}

} // namespace quorumd::coro
