#include "tests/sim/connection.hpp"

#include "consensus/types/invariant.hpp"

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>

namespace quorumd::sim {
namespace {

using boost::system::error_code;
using boost::system::result;
namespace failed = boost::asio::error;

} // namespace

coro::task<void> waiter::wait(coro::loop& l) {
  return boost::asio::async_initiate<const coro::use_task_t, void(error_code)>(
      [s = state_, &l](handler h) {
        l.assert_here();
        QUORUMD_INVARIANT(!s->handler, "two coroutines wait for one direction of a stream");
        auto slot = boost::asio::get_associated_cancellation_slot(h);
        if (slot.is_connected())
          slot.assign([weak = std::weak_ptr<state>(s)](boost::asio::cancellation_type) {
            if (const auto alive = weak.lock()) complete(*alive, failed::operation_aborted);
          });
        s->loop = &l;
        s->handler.emplace(std::move(h));
      },
      coro::use_task);
}

void waiter::abort() {
  complete(failed::operation_aborted);
}

void waiter::complete(state& s, error_code why) {
  if (!s.handler) return;
  handler h = std::move(*s.handler);
  s.handler.reset();
  boost::asio::post(s.loop->get_executor(), [w = std::move(h), why]() mutable { w(why); });
}

bool connection::can_read(int side) const {
  const end& e = ends[side];
  return !e.open || e.reset || e.in.arrived != 0;
}

std::size_t connection::room(int side) const {
  const end& e = ends[side];
  const std::size_t limit = std::min(net.options_.buffer_bytes, e.unsent_max);
  const std::size_t used = ends[1 - side].in.bytes;
  return used >= limit ? 0 : limit - used;
}

bool connection::can_write(int side) const {
  const end& e = ends[side];
  return !e.open || e.reset || room(side) != 0;
}

result<std::size_t> connection::read(int side, std::span<std::byte> into) {
  end& e = ends[side];
  if (!e.open) return error_code(failed::bad_descriptor);
  if (e.reset) return error_code(failed::connection_reset);
  if (into.empty()) return error_code(failed::invalid_argument);
  pipe& p = e.in;
  if (p.arrived == 0) return error_code(failed::would_block);
  if (p.segments.front().fin) return error_code(failed::eof);
  const std::size_t most = net.random_.between(1, std::min(into.size(), net.options_.read_max));
  std::size_t got = 0;
  while (got < most && p.arrived != 0 && !p.segments.front().fin) {
    pipe::segment& s = p.segments.front();
    const std::size_t n = std::min(most - got, s.bytes.size() - s.taken);
    std::copy_n(s.bytes.begin() + static_cast<std::ptrdiff_t>(s.taken), n,
                into.begin() + static_cast<std::ptrdiff_t>(got));
    got += n;
    s.taken += n;
    p.bytes -= n;
    if (s.taken == s.bytes.size()) {
      p.segments.pop_front();
      --p.arrived;
      --p.due;
    }
  }
  if (room(1 - side) != 0) ends[1 - side].writing.wake();
  return got;
}

result<std::size_t> connection::write(int side, std::span<const std::byte> from) {
  end& e = ends[side];
  if (!e.open) return error_code(failed::bad_descriptor);
  if (e.reset) return error_code(failed::connection_reset);
  if (from.empty()) return error_code(failed::invalid_argument);
  const std::size_t free = room(side);
  if (free == 0) return error_code(failed::would_block);
  const std::size_t n = std::min(free, net.random_.between(1, std::min(from.size(), net.options_.write_max)));
  pipe::segment s;
  s.bytes.assign(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(n));
  send(side, std::move(s));
  return n;
}

void connection::send(int from, pipe::segment s) {
  pipe& p = ends[1 - from].in;
  const coro::time_point sent = net.sent(ends[from].host, ends[1 - from].host, s.bytes.size());
  p.bytes += s.bytes.size();
  ++net.counters_.segments;
  net.counters_.bytes += s.bytes.size();
  p.segments.push_back(std::move(s));
  p.last = std::max(p.last, sent + net.delay());
  net.clock_.at(p.last, [self = shared_from_this(), to = 1 - from] { self->arrive(to); });
}

void connection::arrive(int to) {
  end& e = ends[to];
  if (e.in.due == e.in.segments.size()) return; // emptied meanwhile by a reset
  ++e.in.due;
  if (net.blocked(ends[1 - to].host, e.host)) {
    ++net.counters_.held_segments;
    return;
  }
  take_in(to);
}

void connection::take_in(int to) {
  end& e = ends[to];
  const pipe::segment& newest = e.in.segments[e.in.due - 1];
  net.clock_.record("deliver", number, static_cast<std::uint64_t>(to), newest.bytes.size());
  if (!net.up(e.host)) return;
  if (!e.open) {
    if (!newest.fin) send_reset(1 - to);
    return;
  }
  e.in.arrived = e.in.due;
  e.reading.wake();
}

void connection::released(int side) {
  if (!holds(side)) return;
  net.clock_.after(net.delay(), [self = shared_from_this(), side] {
    if (self->holds(side) && !self->net.blocked(self->ends[1 - side].host, self->ends[side].host)) self->take_in(side);
  });
}

void connection::close(int side) {
  end& e = ends[side];
  if (!e.open) return;
  const bool unread = e.in.bytes != 0;
  vanish(side);
  if (e.reset) return;
  if (unread)
    send_reset(1 - side);
  else
    send(side, {{}, 0, true});
}

void connection::abort(int side) {
  end& e = ends[side];
  if (!e.open) return;
  vanish(side);
  if (!e.reset) send_reset(1 - side);
}

void connection::vanish(int side) {
  end& e = ends[side];
  e.open = false;
  e.reading.abort();
  e.writing.abort();
}

void connection::send_reset(int to) {
  net.clock_.after(net.delay(), [self = shared_from_this(), to] {
    if (!self->net.blocked(self->ends[1 - to].host, self->ends[to].host)) self->become_reset(to);
  });
}

void connection::become_reset(int side) {
  end& e = ends[side];
  if (!e.open || e.reset || !net.up(e.host)) return;
  net.clock_.record("reset", number, static_cast<std::uint64_t>(side));
  ++net.counters_.resets;
  e.reset = true;
  e.in.segments.clear();
  e.in.due = e.in.arrived = e.in.bytes = 0;
  e.reading.wake();
  e.writing.wake();
}

listener::listener(fabric& n, host_id h, coro::endpoint at)
    : net_(n)
    , host_(h)
    , at_(std::move(at)) {
  net_.listeners_.emplace(to_string(at_), this);
}

listener::~listener() {
  close();
}

void listener::close() {
  if (!open_) return;
  open_ = false;
  net_.listeners_.erase(to_string(at_));
  accepting.abort();
  for (const auto& c : backlog) {
    c->vanish(1);
    c->send_reset(0);
  }
  backlog.clear();
}

} // namespace quorumd::sim
