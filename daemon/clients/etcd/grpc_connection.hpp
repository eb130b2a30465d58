#pragma once

#include "daemon/clients/connection.hpp"
#include "daemon/clients/etcd/calls.hpp"
#include "daemon/clients/etcd/http2_session.hpp"
#include "daemon/clients/etcd/json.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace quorumd::clients::etcd {

/// A connection that speaks HTTP/2: each stream is a call of etcd's API, in gRPC or in JSON.
class grpc_connection final : public connection, private http2_session::handler, private carrier {
 public:
  /// `begun` is what was read of it so far. The encoder is all connections'.
  grpc_connection(const service::parts& p, std::unique_ptr<coro::stream> s, const session_options& o, observer& watcher,
                  event_encoder& events, std::span<const std::byte> begun);
  ~grpc_connection() override;

  void stop_reading() override;

 private:
  // service::protocol
  void encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::reply>& r) override {
    calls_.encode(out, to, r);
  }
  void encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::range_reply>& r) override {
    calls_.encode(out, to, r);
  }
  void encode(wire::byte_buffer& out, const node::reply_to& to, node::request_errc why, std::string_view text,
              std::string_view) override {
    calls_.encode(out, to, why, text);
  }
  void refuse(std::uint64_t id, node::request_errc why, std::string_view text) override {
    calls_.refuse(id, why, text);
  }
  void refuse(std::uint64_t id, const kv::error& why) override { calls_.refuse(id, why); }
  void reply_room_came() override { calls_.reply_room_came(); }

  // connection
  [[nodiscard]] coro::task<bool> read_once() override;
  std::size_t take_from(service& s) override;
  [[nodiscard]] bool all_made() const override { return broken() || (calls_.settled() && !http2_.wants_to_send()); }
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

  // carrier
  [[nodiscard]] bool is_open(std::int32_t id) const override { return http2_.is_open(id); }
  void answer(std::int32_t id, std::span<const std::byte> message) override;
  void end(std::int32_t id, const grpc_status& s) override;
  void no_place() override { watcher().too_many(remote()); }
  void run(coro::task<void> t) override { connection::run(std::move(t)); }
  void said() override;

  /// What a call in JSON has beside.
  struct json_stream {
    json_call json;
    coro::time_point since{};   ///< bytes of it came
    std::size_t text_bytes = 0; ///< held of JSON that is not whole
    answer_parts parts{};       ///< of its answer
  };

  [[nodiscard]] bool feed(std::span<const std::byte> bytes);
  /// False: it is answered, or forgotten.
  [[nodiscard]] bool is_call(std::int32_t id);
  [[nodiscard]] bool begin_json(std::int32_t id, call_head& head);
  /// Nothing: it is none in JSON.
  [[nodiscard]] json_stream* find_json(std::int32_t id);
  void take_json(std::int32_t id, json_stream& r, std::span<const std::byte> bytes, bool whole);
  void end_json(std::int32_t id, const json_stream& r, const grpc_status& s);
  void hold_text(json_stream& r, std::size_t bytes);
  /// Puts what can be sent into out().
  void pump();
  /// What is held for this client changed.
  void recount();

  http2_session http2_;
  calls calls_;
  std::map<std::int32_t, json_stream> json_;
  wire::byte_buffer read_;
  bool stopping_ = false; ///< this end closes
};

} // namespace quorumd::clients::etcd
