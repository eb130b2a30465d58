#pragma once

#include "daemon/clients/etcd/call_counts.hpp"
#include "daemon/clients/etcd/carrier.hpp"
#include "daemon/clients/etcd/event_encoder.hpp"
#include "daemon/clients/etcd/grpc_text.hpp"
#include "daemon/clients/etcd/methods.hpp"
#include "daemon/clients/etcd/range_pages.hpp"
#include "daemon/clients/etcd/recipe.hpp"
#include "daemon/clients/etcd/responses.hpp"
#include "daemon/clients/etcd/staging.hpp"
#include "daemon/clients/etcd/status.hpp"
#include "daemon/clients/etcd/watch_stream.hpp"
#include "daemon/clients/service.hpp"

#include <google/protobuf/arena.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quorumd::clients::etcd {

/// A protobuf message at most, of a request.
[[nodiscard]] std::size_t message_bytes_max(const session_options& o);

/// What is known of a call before its messages come.
struct call_head {
  std::string path;
  method what = method::none;
  std::chrono::milliseconds timeout{0}; ///< 0: it gave none
  std::string encoding;                 ///< its messages are compressed
  bool needs_leader = false;            ///< if it goes on: it ends when there is none for long
  // What its carrier notes of it.
  std::size_t header_bytes = 0;
  bool is_grpc = false;
  bool is_post = false;
};

/// The calls of etcd's API that one connection has under way, whatever carries them there: what each means, and what it
/// is answered. Messages have gRPC's prefix in front, both ways. What a read of the socket brought is parsed into one
/// arena and handed to the group as one batch.
class calls {
 public:
  /// The encoder is all connections'.
  calls(service& asks, carrier& by, event_encoder& events)
      : asks_(asks)
      , carrier_(*this, by)
      , events_(events) {}
  ~calls();
  calls(const calls&) = delete;
  calls& operator=(const calls&) = delete;

  // --- on the connection's loop ---
  /// One begins; its head may be filled until its first bytes come.
  call_head& begin(std::int32_t id);
  /// Nothing: there is none of that number.
  [[nodiscard]] call_head* find(std::int32_t id);
  /// Bytes of its messages. It may be answered from within, here as below.
  void data(std::int32_t id, std::span<const std::byte> bytes);
  /// Nothing more of its messages comes.
  void whole(std::int32_t id);
  /// It is given up, or its answer was delivered.
  void closed(std::int32_t id);
  /// So many bytes of its answer left.
  void left(std::int32_t id, std::size_t bytes);
  /// What is parsed was handed on.
  void end_of_read() { arena_.Reset(); }
  /// Those that wait for room go on as far as there is some.
  void take_left();
  /// The replies that came, of calls alone; how many requests they answer.
  std::size_t take_from(service& s, std::size_t& bytes);
  /// Whether none waits for room.
  [[nodiscard]] bool settled() const { return waiting_.empty(); }
  /// What has_room() denied may be made.
  void reply_room_came();
  /// This end stops: what goes on is ended.
  void stop();
  /// Nobody reads any more.
  void close_streams();
  /// Nothing is answered any more.
  void drop();
  /// Every now and then.
  void look(coro::time_point now);
  /// What ranges that are not whole hold.
  [[nodiscard]] std::size_t page_bytes() const { return page_bytes_; }
  /// Those that began and do not go on for so long.
  [[nodiscard]] std::vector<std::int32_t> late(coro::time_point now, coro::duration patience) const;
  // As of service::protocol.
  void refuse(std::uint64_t id, node::request_errc why, std::string_view text);
  void refuse(std::uint64_t id, const kv::error& why);

  // --- on the group's loop: as of service::protocol ---
  void encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::reply>& r);
  void encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::range_reply>& r);
  void encode(wire::byte_buffer& out, const node::reply_to& to, node::request_errc why, std::string_view text);

 private:
  /// One call, until it is closed.
  struct call {
    call_head head;
    std::string body;                      ///< messages that came, as far as they are not taken
    coro::time_point since;                ///< when it began; of one that goes on, when its last bytes came
    bool whole = false;                    ///< nothing more of the request comes
    bool asked = false;                    ///< handed on, or answered
    bool over = false;                     ///< its end was said
    bool counted = false;                  ///< as started, and not as ended
    std::size_t unanswered = 0;            ///< messages of one that goes on and is answered message by message
    bool waits = false;                    ///< among waiting_
    std::shared_ptr<watch_stream> watches; ///< of a call of Watch, once it is begun
    std::shared_ptr<recipe> steps;         ///< of a call of Lock or Election, once it is begun
    std::unique_ptr<range_pages> pages;    ///< of a range
    service::time_limits until{};          ///< of that
  };

  /// Counts what passes.
  class counting final : public carrier {
   public:
    counting(calls& of, carrier& to)
        : of_(of)
        , to_(to) {}
    [[nodiscard]] bool is_open(std::int32_t id) const override { return to_.is_open(id); }
    void answer(std::int32_t id, std::span<const std::byte> message) override {
      of_.count_sent(id);
      to_.answer(id, message);
    }
    void end(std::int32_t id, const grpc_status& s) override {
      of_.count_end(id, s.code);
      to_.end(id, s);
    }
    void no_place() override { to_.no_place(); }
    void run(coro::task<void> t) override { to_.run(std::move(t)); }
    void said() override { to_.said(); }

   private:
    calls& of_;
    carrier& to_;
  };

  [[nodiscard]] service& asks() { return asks_; }
  [[nodiscard]] call_counts::of_method& counts_of(const call& c) { return asks_.metrics().calls[c.head.what]; }
  void count_start(call& c);
  void count_sent(std::int32_t id);
  void count_end(std::int32_t id, grpc_code code);
  static void count_end(call& c, call_counts::of_method& counts, grpc_code code);
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
  [[nodiscard]] static std::optional<grpc_status> objection_to(node::group& g, const client::member_change& c,
                                                               const client::member_row* whose);
  void change_members(node::group& g, const node::reply_to& to, service::time_limits until,
                      const client::member_change& change);
  void add_member(std::int32_t id, service::time_limits until, const std::string& address, bool promote);
  void change_member(std::int32_t id, service::time_limits until, std::uint64_t member, client::member_change change);
  template <class Answer>
  void reply_message(node::group& g, const node::reply_to& to, const Answer& r);
  void reply_status(node::group& g, const node::reply_to& to, const grpc_status& s);
  /// The answer is what `make` makes of the group, behind its header, or why there is none.
  template <class Response>
  void report(std::int32_t id, std::function<std::optional<grpc_status>(node::group&, Response&)> make);
  void begin_recipe(std::int32_t id, call& c, std::string_view message);
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

  void finish(std::int32_t id, const grpc_status& s);
  void refuse_with(std::int32_t id, const grpc_status& s);
  void drop_body(call& c);

  service& asks_;
  counting carrier_;
  event_encoder& events_;
  std::map<std::int32_t, call> calls_;
  std::deque<std::int32_t> waiting_; ///< whole, and not handed on for want of room
  google::protobuf::Arena arena_;
  wire::byte_buffer came_;     ///< answers as they were staged
  std::size_t page_bytes_ = 0; ///< of ranges that are not whole
  std::size_t body_bytes_ = 0; ///< of requests that are not whole

  // The group's loop.
  response_writer responses_;
};

template <class Message, class Use>
void calls::parse(std::int32_t id, std::string_view message, Use use) {
  auto* const m = google::protobuf::Arena::CreateMessage<Message>(&arena_);
  if (m->ParseFromArray(message.data(), static_cast<int>(message.size()))) return use(*m);
  finish(id, {grpc_code::internal, "grpc: error unmarshalling request"});
}

} // namespace quorumd::clients::etcd
