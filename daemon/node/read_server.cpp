#include "daemon/node/read_server.hpp"

namespace quorumd::node {

/// Whether there was something to do.
bool read_server::step() {
  for (;;) {
    read_request* const r = queue_.next();
    if (r == nullptr) return false;
    const bool gone = r->to.sink != nullptr && r->to.sink->gone(r->to);
    if (!r->begun && !gone) {
      // A count is a few bytes, and so is what a health check gets: they wait for nobody's room.
      const bool room = r->range.count_only || r->to.sink == nullptr || r->to.sink->has_room(r->to);
      const bool one_key = r->transaction.empty() && r->range.range_end.empty(); // done at once
      if (!room || (!one_key && begun_ >= begun_max)) {
        queue_.block();
        continue;
      }
    }
    if (gone) {
      if (r->begun) --begun_;
      fail_(*r, request_errc::timeout); // to nobody: whoever asked does not hear it
      queue_.spent(0, true);
      continue;
    }
    const slice s = work_(*r);
    const bool was_begun = std::exchange(r->begun, !s.done);
    begun_ = begun_ - was_begun + r->begun;
    queue_.spent(read_cost + s.bytes, s.done);
    if (was_begun && s.done) queue_.unblock(); // another may begin
    return true;
  }
}

void read_server::begin_anew() {
  queue_.for_each([](read_request& r) {
    r.begun = false;
    r.under_way.reset();
  });
  begun_ = 0;
}

void read_server::expire(coro::time_point now) {
  queue_.erase_if([&](const read_request& r) {
    const bool gone = r.to.sink != nullptr && r.to.sink->gone(r.to);
    if (!gone && r.deadline > now) return false;
    if (r.begun) --begun_;
    fail_(r, request_errc::timeout);
    return true;
  });
  queue_.unblock();
}

void read_server::clear(request_errc why) {
  begun_ = 0;
  queue_.erase_if([&](const read_request& r) {
    fail_(r, why);
    return true;
  });
}

} // namespace quorumd::node
