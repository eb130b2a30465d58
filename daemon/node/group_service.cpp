#include "daemon/node/group.hpp"

#include <utility>

/// When a group begins to serve, and ends.
namespace quorumd::node {

coro::task<bool> group::catch_up(coro::duration at_most) {
  const coro::time_point until = seams_.loop.now() + at_most;
  while (applier_.applied() < recovered_ && seams_.loop.now() < until)
    co_await seams_.loop.timers().sleep_for(options_.tick);
  co_return applier_.applied() >= recovered_;
}

void group::judged(const std::string& why) {
  const bool was = !corrupt_.empty();
  if (was == !why.empty()) return; // the first reason stays
  corrupt_ = why;
  status_.set_corrupt(why);
  seams_.observer.corrupt(why);
  seams_.corrupt(why);
  if (why.empty()) return;
  // What this node said by itself is not to be relied on, and what it is about to say is not said.
  pending_.clear();
  refuse_all(request_errc::corrupt, corrupt_);
  watching_.state_lost();
}

/// What waits, and certainly was not done.
void group::refuse_all(request_errc why, const std::string& detail) {
  reads_.clear(why);
  ready_reads_.clear(why);
  for (const read_request& r : std::exchange(lease_waits_, {})) sinks_.failed(r.to, why, detail);
  writes_.erase_if([&](const write_request& r) {
    fail_write(r.to, why, detail);
    return true;
  });
}

coro::task<void> group::drain(coro::duration at_most) {
  const coro::time_point until = seams_.loop.now() + at_most;
  draining_ = true;
  while (seams_.loop.now() < until) {
    const bool leads = soft_.role == raft::role::leader;
    if (leads && core_.members().voters.size() > 1) {
      const node_id to = core_.transfer_target();
      if (to) core_.transfer_leadership(to);
      wake_.set();
    } else if (pending_.size() == 0 && forwards_.size() == 0 && reads_.size() == 0 && ready_reads_.size() == 0) {
      break;
    }
    co_await seams_.loop.timers().sleep_for(options_.tick);
  }
}

void group::fail_all() {
  draining_ = true;
  take_inbox(0);
  pending_.clear();
  forwards_.clear();
  reads_.clear(request_errc::shutting_down);
  ready_reads_.clear(request_errc::shutting_down);
  for (const read_request& r : std::exchange(lease_waits_, {})) sinks_.failed(r.to, request_errc::shutting_down);
  writes_.erase_if([this](const write_request& r) {
    fail_write(r.to, request_errc::shutting_down);
    return true;
  });
  status_.end();
  admin_.end();
  relay_.end();
  copies_.end();
  sinks_.flush();
}

} // namespace quorumd::node
