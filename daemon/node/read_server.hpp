#pragma once

#include "coro/clock.hpp"
#include "daemon/node/fair_queue.hpp"
#include "daemon/node/request.hpp"

#include <cstddef>
#include <functional>
#include <utility>

namespace quorumd::node {

/// Reads that may be served: the state machine has reached their index. Each client's wait in a lane of their own, and
/// the lanes take turns by the bytes of the replies. A reply is made only while its client has room for it; until then
/// the request waits, not the megabyte that it asks for. What a client had asked for that is gone is dropped.
///
/// Belongs to the group's loop.
class read_server {
 public:
  /// What one slice of a read did.
  struct slice {
    std::size_t bytes = 0; ///< of the reply, or what the work is worth
    bool done = true;      ///< it is answered
  };
  /// Does the next slice of the read, and answers it with the last.
  using work = std::function<slice(read_request&)>;
  using fail = std::function<void(const read_request&, request_errc)>;

  /// What a read costs besides the bytes of its reply, in bytes.
  static constexpr std::size_t read_cost = 512;
  /// Reads that are begun and not done at a time: each holds what it has found so far.
  static constexpr std::size_t begun_max = 16;

  read_server(work w, fail f)
      : work_(std::move(w))
      , fail_(std::move(f)) {}

  void add(read_request r) { queue_.add(std::move(r)); }
  /// Serves while goes_on() says so, which is asked after each slice.
  template <class GoesOn>
  void serve(GoesOn goes_on) {
    while (step() && goes_on()) {
    }
  }
  /// Whether serve() would do something now.
  [[nodiscard]] bool has_work() { return queue_.next() != nullptr; }
  /// Some client has room again.
  void room_returned() { queue_.unblock(); }

  /// Every read that is begun begins again: the state that it read is replaced.
  void begin_anew();
  void expire(coro::time_point now);
  void clear(request_errc why);
  [[nodiscard]] std::size_t size() const { return queue_.size(); }

 private:
  bool step();

  work work_;
  fail fail_;
  fair_queue<read_request> queue_;
  std::size_t begun_ = 0;
};

} // namespace quorumd::node
