#include "daemon/clients/http/websocket.hpp"

#include "consensus/types/invariant.hpp"

#include <openssl/evp.h>
#include <wslay/wslay.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace quorumd::clients {

struct websocket::callbacks {
  static websocket& of(void* user) { return *static_cast<websocket*>(user); }

  static ssize_t receive(wslay_event_context* c, std::uint8_t* into, std::size_t most, int, void* user) {
    std::span<const std::byte>& rest = of(user).coming_;
    const std::size_t n = std::min(most, rest.size());
    if (n == 0) {
      wslay_event_set_error(c, WSLAY_ERR_WOULDBLOCK);
      return -1;
    }
    std::memcpy(into, rest.data(), n);
    rest = rest.subspan(n);
    return static_cast<ssize_t>(n);
  }

  static ssize_t send(wslay_event_context*, const std::uint8_t* bytes, std::size_t n, int, void* user) {
    of(user).out_->append(std::as_bytes(std::span(bytes, n)));
    return static_cast<ssize_t>(n);
  }

  static void frame_begins(wslay_event_context*, const wslay_event_on_frame_recv_start_arg* f, void* user) {
    of(user).control_ = wslay_is_ctrl_frame(f->opcode);
  }

  static void piece(wslay_event_context*, const wslay_event_on_frame_recv_chunk_arg* p, void* user) {
    if (!of(user).control_) of(user).heard_({reinterpret_cast<const char*>(p->data), p->data_length});
  }
};

websocket::websocket(std::size_t text_bytes_max, std::function<void(std::string_view)> heard)
    : heard_(std::move(heard)) {
  const wslay_event_callbacks how{.recv_callback = callbacks::receive,
                                  .send_callback = callbacks::send,
                                  .genmask_callback = nullptr,
                                  .on_frame_recv_start_callback = callbacks::frame_begins,
                                  .on_frame_recv_chunk_callback = callbacks::piece,
                                  .on_frame_recv_end_callback = nullptr,
                                  .on_msg_recv_callback = nullptr};
  QUORUMD_INVARIANT(wslay_event_context_server_init(&context_, &how, this) == 0, "there is memory");
  wslay_event_config_set_no_buffering(context_, 1);
  wslay_event_config_set_max_recv_msg_length(context_, text_bytes_max);
}

websocket::~websocket() {
  wslay_event_context_free(context_);
}

bool websocket::receive(std::span<const std::byte> bytes) {
  coming_ = bytes;
  const int received = wslay_event_recv(context_);
  coming_ = {};
  return received == 0 && wslay_event_get_read_enabled(context_) != 0;
}

void websocket::say(std::string_view text) {
  const wslay_event_msg m{
      .opcode = WSLAY_TEXT_FRAME, .msg = reinterpret_cast<const std::uint8_t*>(text.data()), .msg_length = text.size()};
  wslay_event_queue_msg(context_, &m);
}

void websocket::close() {
  wslay_event_queue_close(context_, WSLAY_CODE_NORMAL_CLOSURE, nullptr, 0);
}

void websocket::send(wire::byte_buffer& out) {
  out_ = &out;
  wslay_event_send(context_);
  out_ = nullptr;
}

std::string websocket::accept_of(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455, 1.3
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  std::array<unsigned char, 2 * EVP_MAX_MD_SIZE> coded{};
  const int length = EVP_EncodeBlock(coded.data(), digest.data(), static_cast<int>(size));
  return {reinterpret_cast<const char*>(coded.data()), static_cast<std::size_t>(length)};
}

} // namespace quorumd::clients
