#pragma once

#include "coro/loop.hpp"
#include "coro/net.hpp"
#include "coro/task.hpp"
#include "wire/byte_buffer.hpp"
#include "wire/frame.hpp"
#include "wire/peer_codec.hpp"

#include <boost/system/result.hpp>

#include <list>
#include <memory>
#include <string>
#include <variant>

namespace quorumd::wire {

/// A stream that has not been greeted yet, and until when it may take. Whoever sweeps the list closes those that are
/// late.
class greeting {
 public:
  using list = std::list<greeting*>;

  greeting(list& all, coro::time_point deadline, std::unique_ptr<coro::stream> s, std::size_t read_bytes);
  greeting(const greeting&) = delete;
  greeting& operator=(const greeting&) = delete;
  ~greeting();

  /// What the other end said first, or why nothing came of it.
  struct heard {
    std::variant<std::monostate, hello, goodbye> first;
    std::string error;
    bool bad_frame = false; ///< the error is about what came, not about the stream
  };
  [[nodiscard]] coro::task<heard> listen();
  /// Writes the buffer whole; an empty text, or why it could not.
  [[nodiscard]] coro::task<std::string> say(byte_buffer words);

  /// Closes it if it is late; its coroutine then hears so.
  void expire(coro::time_point now);

  [[nodiscard]] const std::string& remote() const { return stream_->remote(); }
  [[nodiscard]] coro::stream& stream() { return *stream_; }
  /// Hands the stream on, with what was read behind the greeting.
  [[nodiscard]] std::unique_ptr<coro::stream> take_stream() { return std::move(stream_); }
  [[nodiscard]] frame_reader take_reader() { return std::move(reader_); }

 private:
  [[nodiscard]] coro::task<heard> listen_unguarded();
  [[nodiscard]] coro::task<std::string> say_unguarded(byte_buffer words);

  list& all_;
  list::iterator place_;
  coro::time_point deadline_;
  bool expired_ = false;
  std::unique_ptr<coro::stream> stream_;
  frame_reader reader_;
};

} // namespace quorumd::wire
