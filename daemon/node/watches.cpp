#include "daemon/node/watches.hpp"

namespace quorumd::node {

void watches::add(watch_client& c) {
  c.place_ = all_.size();
  all_.push_back(&c);
}

void watches::wake_at(watch_client& c, coro::time_point at) {
  const auto asked = asked_.find(&c);
  if (asked != asked_.end()) {
    if (asked->second.first == at) return;
    due_.erase(asked->second);
    asked_.erase(asked);
  }
  if (at == coro::time_point::max()) return;
  const place p{at, ++times_asked_};
  asked_.emplace(&c, p);
  due_.emplace(p, &c);
}

void watches::forget(watch_client& c) {
  wake_at(c, coro::time_point::max());
  std::erase(need_leader_, &c);
  if (c.place_ == watch_client::nowhere) return;
  all_[c.place_] = all_.back();
  all_[c.place_]->place_ = c.place_;
  all_.pop_back();
  c.place_ = watch_client::nowhere;
}

void watches::keep_time(coro::time_point now) {
  while (due() <= now) {
    watch_client& c = *due_.begin()->second;
    wake_at(c, coro::time_point::max());
    c.time_came(now);
  }
}

void watches::state_lost() {
  for (watch_client* const c : std::vector(all_)) c->state_lost(); // none of them goes before its time comes
}

void watches::leader_lost() {
  for (watch_client* const c : std::exchange(need_leader_, {})) c->leader_lost();
}

} // namespace quorumd::node
