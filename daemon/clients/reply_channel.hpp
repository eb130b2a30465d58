#pragma once

#include "coro/event.hpp"
#include "coro/loop.hpp"
#include "wire/byte_buffer.hpp"

#include <cstddef>
#include <mutex>
#include <utility>

namespace quorumd::clients {

/// Encoded replies on their way from the group's loop to a connection's: a mailbox of bytes. What is taken is swapped,
/// so that in steady state nothing is copied or allocated.
class reply_channel {
public:
  reply_channel(coro::loop& owner, coro::event& wake) : loop_(owner), wake_(wake) {}

  /// Passes on so many replies and leaves the buffer empty; from any loop.
  void push(wire::byte_buffer& replies, std::size_t count) {
    bool first;
    {
      const std::lock_guard lock(mutex_);
      if (bytes_.empty())
        bytes_.swap(replies);
      else
        bytes_.append(replies.bytes());
      count_ += count;
      first = !std::exchange(notified_, true);
    }
    replies.clear();
    if (!first) return;
    if (loop_.here())
      wake_.set();
    else
      loop_.post([this] { wake_.set(); });
  }

  /// The owner: adds what came to `out` and returns how many replies that was.
  std::size_t take(wire::byte_buffer& out) {
    const std::lock_guard lock(mutex_);
    if (out.empty())
      out.swap(bytes_);
    else
      out.append(bytes_.bytes());
    bytes_.clear();
    notified_ = false;
    return std::exchange(count_, 0);
  }

private:
  coro::loop& loop_;
  coro::event& wake_;
  std::mutex mutex_; // held for an append or a swap
  wire::byte_buffer bytes_;
  std::size_t count_ = 0;
  bool notified_ = false;
};

} // namespace quorumd::clients
