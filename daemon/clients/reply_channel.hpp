#pragma once

#include "coro/loop.hpp"
#include "wire/byte_buffer.hpp"

#include <cstddef>
#include <functional>
#include <mutex>
#include <utility>

namespace quorumd::clients {

/// What answers free besides the bytes of their replies.
struct answered {
  std::size_t requests = 0;
  std::size_t request_bytes = 0; ///< that they held
};

/// Encoded replies on their way from the group's loop to a connection's: a mailbox of bytes. What is taken is swapped,
/// so that in steady state nothing is copied or allocated.
///
/// Only the notice may take: for every push there is one still to come, so an owner that has taken as many replies as
/// it waits for may end at once, and no push touches it afterwards.
class reply_channel {
 public:
  /// `notice` runs on the owner's loop whenever something came, and calls take().
  reply_channel(coro::loop& owner, std::function<void()> notice)
      : loop_(owner)
      , notice_(std::move(notice)) {}

  /// Passes on the replies of so many requests and leaves the buffer empty; from any loop.
  void push(wire::byte_buffer& replies, answered which) {
    coro::loop& owner = loop_;
    bool first;
    {
      const std::lock_guard lock(mutex_);
      if (!notified_) since_ = loop_.now();
      if (bytes_.empty())
        bytes_.swap(replies);
      else
        bytes_.append(replies.bytes());
      replies.clear(); // the owner's too, perhaps
      answered_.requests += which.requests;
      answered_.request_bytes += which.request_bytes;
      first = !std::exchange(notified_, true);
    }
    if (!first) return;
    if (owner.here())
      notice_();
    else
      owner.post([this] { notice_(); });
  }

  /// The notice, before it takes: when the oldest of what came was pushed.
  [[nodiscard]] coro::time_point since() {
    const std::lock_guard lock(mutex_);
    return since_;
  }

  /// The notice: adds what came to `out` and returns what that answered.
  answered take(wire::byte_buffer& out) {
    const std::lock_guard lock(mutex_);
    if (out.empty())
      out.swap(bytes_);
    else
      out.append(bytes_.bytes());
    bytes_.clear();
    notified_ = false;
    return std::exchange(answered_, {});
  }

 private:
  coro::loop& loop_;
  const std::function<void()> notice_;
  std::mutex mutex_; // held for an append or a swap
  wire::byte_buffer bytes_;
  answered answered_;
  bool notified_ = false;
  coro::time_point since_;
};

} // namespace quorumd::clients
