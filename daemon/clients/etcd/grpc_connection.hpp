#pragma once

#include "daemon/clients/connection.hpp"
#include "daemon/clients/etcd/call_stream.hpp"
#include "daemon/clients/etcd/event_encoder.hpp"
#include "daemon/clients/etcd/grpc_text.hpp"
#include "daemon/clients/etcd/http2_session.hpp"
#include "daemon/clients/etcd/methods.hpp"
#include "daemon/clients/etcd/range_pages.hpp"
#include "daemon/clients/etcd/responses.hpp"
#include "daemon/clients/etcd/staging.hpp"
#include "daemon/clients/etcd/status.hpp"
#include "daemon/clients/etcd/watch_stream.hpp"

#include <google/protobuf/arena.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace quorumd::clients::etcd {

/// A connection that speaks gRPC with etcd's messages: each HTTP/2 stream is a call. What a read of the socket brought
/// is parsed into one arena and handed to the group as one batch.
class grpc_connection final : public connection, private http2_session::handler {
 public:
  /// `begun` is what was read of it so far. The encoder is all connections'.
  grpc_connection(const service::parts& p, std::unique_ptr<coro::stream> s, const session_options& o, observer& watcher,
                  event_encoder& events, std::span<const std::byte> begun);
  ~grpc_connection() override;

  void stop_reading() override;

 private:
  /// One call, from its headers until its stream is closed.
  struct call {
    std::string path;
    method what = method::none;
    std::chrono::milliseconds timeout{0};
    std::string body;       ///< of the request, with gRPC's prefix
    coro::time_point since; ///< when it began; of one that goes on, when its last bytes came
    std::size_t header_bytes = 0;
    bool is_grpc = false;
    bool whole = false; ///< nothing more of the request comes
    bool asked = false; ///< handed on, or answered
    bool over = false;  ///< its end was said
    bool needs_leader = false;
    std::size_t unanswered = 0;            ///< messages of one that goes on and is answered message by message
    bool waits = false;                    ///< among waiting_
    std::shared_ptr<watch_stream> watches; ///< of a call of Watch, once it is begun
    std::string encoding;
    std::unique_ptr<range_pages> pages; ///< of a range
    service::time_limits until{};       ///< of that
  };

  // service::protocol
  void encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::reply>& r) override;
  void encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::range_reply>& r) override;
  void encode(wire::byte_buffer& out, const node::reply_to& to, node::request_errc why, std::string_view text,
              std::string_view leader) override;
  void refuse(std::uint64_t id, node::request_errc why, std::string_view text) override;
  void refuse(std::uint64_t id, const kv::error& why) override;

  void reply_room_came() override;

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
  void body_left(std::int32_t id, std::size_t bytes) override;
  void stream_closed(std::int32_t id) override;

  [[nodiscard]] bool feed(std::span<const std::byte> bytes);
  void take_call(std::int32_t id, call& c);
  void answer_or_ask(std::int32_t id, call& c);
  [[nodiscard]] bool refuse_call(std::int32_t id, const call& c);
  void wait(std::int32_t id, call& c);
  void dispatch(std::int32_t id, call& c, std::string_view message);
  template <class Message, class Use>
  void parse(std::int32_t id, std::string_view message, Use use);
  // Calls about the node and its cluster (group_calls.cpp).
  void ask_group(std::int32_t id, const call& c, service::time_limits until, std::string_view message);
  void move_leader(std::int32_t id, service::time_limits until, std::uint64_t target);
  void change_member(std::int32_t id, service::time_limits until, std::uint64_t member, wire::member_change change);
  template <class Answer>
  void reply_message(node::group& g, const node::reply_to& to, const Answer& r);
  void reply_status(node::group& g, const node::reply_to& to, const grpc_status& s);
  /// The answer is what `make` makes of the group, behind its header, or why there is none.
  template <class Response>
  void report(std::int32_t id, std::function<std::optional<grpc_status>(node::group&, Response&)> make);
  // Ranges that are answered page by page (pages.cpp).
  void ask_for_page(std::int32_t id, call& c);
  void take_page(const staged& page);
  [[nodiscard]] bool finish_pages(const staged& last);
  [[nodiscard]] bool begin_pages_anew(const staged& end);
  void drop_pages(call& c);

  // Calls whose requests go on (streams.cpp).
  void take_messages(std::int32_t id, call& c);
  void begin_stream(std::int32_t id, call& c);
  void begin_watches(std::int32_t id, call& c);
  void take_message(std::int32_t id, call& c, std::string_view message);
  void take_watch_message(std::int32_t id, call& c, std::string_view message);
  void take_renewal(std::int32_t id, call& c, std::string_view message);
  [[nodiscard]] bool last_answer(std::int32_t id);
  template <class Do>
  void ask_watches(std::int32_t id, call& c, std::size_t held, Do act);
  void close_streams();

  void finish(std::int32_t id, const grpc_status& s);
  void drop_body(call& c);
  /// Puts what can be sent into out().
  void pump();
  /// What is held for this client changed.
  void recount();

  event_encoder& events_;
  http2_session http2_;
  std::map<std::int32_t, call> calls_;
  std::deque<std::int32_t> waiting_; ///< whole, and not handed on for want of room
  google::protobuf::Arena arena_;
  wire::byte_buffer read_;
  wire::byte_buffer came_;     ///< answers as they were staged
  std::size_t counted_ = 0;    ///< bytes of replies that the service knows of
  std::size_t page_bytes_ = 0; ///< of ranges that are not whole
  std::size_t body_bytes_ = 0; ///< of requests that are not whole
  bool stopping_ = false;      ///< this end closes

  // The group's loop.
  response_writer responses_;
};

template <class Message, class Use>
void grpc_connection::parse(std::int32_t id, std::string_view message, Use use) {
  auto* const m = google::protobuf::Arena::CreateMessage<Message>(&arena_);
  if (m->ParseFromArray(message.data(), static_cast<int>(message.size()))) return use(*m);
  finish(id, {grpc_code::internal, "grpc: error unmarshalling request"});
}

} // namespace quorumd::clients::etcd
