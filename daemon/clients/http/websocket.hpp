#pragma once

#include "wire/byte_buffer.hpp"

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>

struct wslay_event_context;

namespace quorumd::clients {

/// The server's side of a WebSocket (RFC 6455), without I/O: bytes in, text out, and the other way round.
class websocket {
 public:
  /// Texts longer than that end it. `heard` is called from receive() with what came of them, piece by piece.
  websocket(std::size_t text_bytes_max, std::function<void(std::string_view)> heard);
  ~websocket();
  websocket(const websocket&) = delete;
  websocket& operator=(const websocket&) = delete;

  /// False: it is over, by the other end's word or since that does not keep to it. What says so is to be sent.
  [[nodiscard]] bool receive(std::span<const std::byte> bytes);
  /// One text.
  void say(std::string_view text);
  /// There is nothing more to say.
  void close();
  /// Appends what is to be sent.
  void send(wire::byte_buffer& out);

  /// What a request's Sec-WebSocket-Key is answered with.
  [[nodiscard]] static std::string accept_of(std::string_view key);

 private:
  struct callbacks;

  std::function<void(std::string_view)> heard_;
  wslay_event_context* context_ = nullptr;
  std::span<const std::byte> coming_; ///< during receive()
  wire::byte_buffer* out_ = nullptr;  ///< during send()
  bool control_ = false;              ///< the frame that comes carries no text
};

} // namespace quorumd::clients
