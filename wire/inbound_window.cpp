#include "wire/inbound_window.hpp"

namespace quorumd::wire {

inbound_hold::~inbound_hold() {
  if (window_) window_->give(bytes_);
}

coro::task<void> inbound_window::wait() {
  wanted_ = true;
  if (!full()) co_return; // it was given back just before
  co_await room_.wait();
}

void inbound_window::give(std::size_t bytes) {
  held_.fetch_sub(bytes);
  if (full() || !wanted_.exchange(false)) return;
  loop_.post([self = shared_from_this()] { self->room_.set(); });
}

} // namespace quorumd::wire
