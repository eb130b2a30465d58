#pragma once

#include "consensus/types/little_endian.hpp"
#include "daemon/clients/connection.hpp"
#include "daemon/clients/etcd/grpc_text.hpp"
#include "daemon/clients/etcd/http2_session.hpp"
#include "daemon/clients/etcd/methods.hpp"
#include "daemon/clients/etcd/responses.hpp"
#include "daemon/clients/etcd/status.hpp"

#include <google/protobuf/arena.h>

#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace quorumd::clients::etcd {

/// A connection that speaks gRPC with etcd's messages: each HTTP/2 stream is a call. What a read of the socket brought
/// is parsed into one arena and handed to the group as one batch.
class grpc_connection final : public connection, private http2_session::handler {
 public:
  /// `begun` is what was read of it so far.
  grpc_connection(const service::parts& p, std::unique_ptr<coro::stream> s, const session_options& o, observer& watcher,
                  std::span<const std::byte> begun);
  ~grpc_connection() override;

  void stop_reading() override;

 private:
  /// One call, from its headers until its stream is closed.
  struct call {
    std::string path;
    method what = method::none;
    std::chrono::milliseconds timeout{0};
    std::string body; ///< of the request, with gRPC's prefix
    coro::time_point since;
    std::size_t header_bytes = 0;
    bool is_grpc = false;
    bool whole = false; ///< nothing more of the request comes
    bool asked = false; ///< handed on, or answered
    std::string encoding;
  };

  // service::protocol
  void encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::reply>& r) override;
  void encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::range_reply>& r) override;
  void encode(wire::byte_buffer& out, const node::reply_to& to, node::request_errc why, std::string_view text,
              std::string_view leader) override;
  void refuse(std::uint64_t id, node::request_errc why, std::string_view text) override;
  void refuse(std::uint64_t id, const kv::error& why) override;

  // connection
  [[nodiscard]] coro::task<bool> read_once() override;
  std::size_t take_from(service& s) override;
  [[nodiscard]] bool all_made() const override { return broken() || (waiting_.empty() && !http2_.wants_to_send()); }
  void take_left() override;
  // A client's word on how much it takes must be heard while it takes nothing.
  [[nodiscard]] bool reads_always() const override { return true; }
  void make_more() override;
  void sent(std::size_t bytes) override;
  void drop_replies() override;
  void reading_ended() override;
  [[nodiscard]] std::string complaint(coro::time_point now) override;

  // http2_session::handler
  void stream_begun(std::int32_t id) override;
  bool header(std::int32_t id, std::string_view name, std::string_view value) override;
  void data(std::int32_t id, std::span<const std::byte> bytes) override;
  void request_ended(std::int32_t id) override;
  void stream_closed(std::int32_t id) override;

  [[nodiscard]] bool feed(std::span<const std::byte> bytes);
  void take_call(std::int32_t id, call& c);
  void answer_or_ask(std::int32_t id, call& c);
  void dispatch(std::int32_t id, call& c, std::string_view message);
  template <class Message, class Use>
  void parse(std::int32_t id, std::string_view message, Use use);
  void ask_about_members(std::int32_t id);
  void ask_for_status(std::int32_t id);
  void ask_for_alarms(std::int32_t id);
  /// The answer is what `fill` makes of the group, after its header.
  template <class Response>
  void ask_group(std::int32_t id, std::function<void(node::group&, Response&)> fill);
  template <class Encode>
  void stage(wire::byte_buffer& out, std::uint64_t id, Encode encode);
  void stage_status(wire::byte_buffer& out, std::uint64_t id, const grpc_status& s);
  [[nodiscard]] response_header header_now(node::group& g);
  void finish(std::int32_t id, const grpc_status& s);
  void drop_body(call& c);
  /// Puts what can be sent into out().
  void pump();
  /// What is held for this client changed.
  void recount();

  http2_session http2_;
  std::map<std::int32_t, call> calls_;
  std::deque<std::int32_t> waiting_; ///< whole, and not handed on for want of room
  google::protobuf::Arena arena_;
  wire::byte_buffer read_;
  wire::byte_buffer came_;     ///< answers as they were staged
  std::size_t counted_ = 0;    ///< bytes of replies that the service knows of
  std::size_t body_bytes_ = 0; ///< of requests that are not whole
  bool stopping_ = false;      ///< this end closes

  // The group's loop.
  response_writer responses_;
};

/// In front of a staged answer: bytes of what follows, how the call ends, and which it is.
inline constexpr std::size_t staged_bytes = 16;

template <class Encode>
void grpc_connection::stage(wire::byte_buffer& out, std::uint64_t id, Encode encode) {
  const std::size_t before = out.size();
  std::memset(out.prepare(staged_bytes + prefix_bytes), 0, staged_bytes + prefix_bytes);
  out.commit(staged_bytes + prefix_bytes);
  const std::size_t size = encode(out);
  std::byte* const at = out.at(before);
  store_le(at, static_cast<std::uint32_t>(prefix_bytes + size));
  store_le(at + 8, id);
  write_prefix(at + staged_bytes, size);
}

} // namespace quorumd::clients::etcd
