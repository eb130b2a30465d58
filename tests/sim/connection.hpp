#pragma once

#include "coro/loop.hpp"
#include "coro/task.hpp"
#include "tests/sim/sim_network.hpp"

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

namespace quorumd::sim {

/// One coroutine that waits for a stream or a listener; woken through its loop, from anywhere in the simulation.
class waiter {
 public:
  [[nodiscard]] coro::task<void> wait(coro::loop& l);
  void wake() { complete({}); }
  void abort();
  [[nodiscard]] bool waiting() const { return state_->handler.has_value(); }

 private:
  using handler = boost::asio::async_result<coro::use_task_t, void(boost::system::error_code)>::handler_type;
  struct state {
    coro::loop* loop = nullptr;
    std::optional<waiter::handler> handler;
  };
  void complete(boost::system::error_code why) { complete(*state_, why); }
  static void complete(state& s, boost::system::error_code why);

  std::shared_ptr<state> state_ = std::make_shared<state>(); // the cancellation slot looks at it
};

/// One connection: two ends and the bytes between them.
struct connection : std::enable_shared_from_this<connection> {
  /// Bytes on their way to one end, in order.
  struct pipe {
    struct segment {
      std::vector<std::byte> bytes;
      std::size_t taken = 0;
      bool fin = false;
    };
    std::deque<segment> segments;
    std::size_t due = 0;     ///< segments at the front whose time has come
    std::size_t arrived = 0; ///< of those the ones that no partition holds
    std::size_t bytes = 0;   ///< in all segments: what the sender's room is measured by
    coro::time_point last;   ///< the next segment is not earlier
  };
  struct end {
    host_id host = 0;
    coro::loop* owner = nullptr; ///< none before it was accepted
    bool open = true;            ///< its program has not closed it and its host has not crashed
    bool reset = false;
    std::size_t unsent_max = SIZE_MAX;
    waiter reading;
    waiter writing;
    pipe in;
  };

  connection(fabric& n, std::uint64_t id)
      : net(n)
      , number(id) {}

  [[nodiscard]] boost::system::result<std::size_t> read(int side, std::span<std::byte> into);
  [[nodiscard]] boost::system::result<std::size_t> write(int side, std::span<const std::byte> from);
  [[nodiscard]] bool can_read(int side) const;
  [[nodiscard]] bool can_write(int side) const;
  [[nodiscard]] std::size_t room(int side) const;
  /// The program's close.
  void close(int side);
  /// Its abort: a reset, whatever was read.
  void abort(int side);
  /// The end is gone without a word.
  void vanish(int side);
  /// A reset travels to that end, unless a partition swallows it.
  void send_reset(int to);
  void become_reset(int side);
  /// What partitions held may go on.
  void released(int side);
  [[nodiscard]] bool holds(int side) const { return ends[side].in.due != ends[side].in.arrived; }

  fabric& net;
  std::uint64_t number;
  std::array<end, 2> ends; // 0 dialed, 1 accepted

 private:
  void send(int from, pipe::segment s);
  void arrive(int to);
  void take_in(int to);
};

class listener {
 public:
  listener(fabric& n, host_id h, coro::endpoint at);
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;
  ~listener();

  void close();
  [[nodiscard]] host_id host() const { return host_; }
  [[nodiscard]] const coro::endpoint& at() const { return at_; }

  std::deque<std::shared_ptr<connection>> backlog;
  waiter accepting;

 private:
  fabric& net_;
  host_id host_;
  coro::endpoint at_;
  bool open_ = true;
};

} // namespace quorumd::sim
