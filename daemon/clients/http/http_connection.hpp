#pragma once

#include "daemon/clients/connection.hpp"
#include "daemon/clients/etcd/calls.hpp"
#include "daemon/clients/etcd/json.hpp"
#include "daemon/clients/http/pprof.hpp"
#include "daemon/clients/http/websocket.hpp"
#include "daemon/clients/profiler.hpp"
#include "daemon/clients/reporter.hpp"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace quorumd::clients {

/// A connection that speaks HTTP/1.1: /health, /livez, /readyz, /version, /metrics and /debug/pprof for those who look
/// after a node, and etcd's API in JSON, or a WebSocket for a call of it. One request at a time is under way.
class http_connection final : public connection, private etcd::carrier {
 public:
  /// Who knows more of the process than its group.
  struct helpers {
    reporter* reports = nullptr;  ///< none: there are no metrics
    profiler* profiles = nullptr; ///< none: this client may take no profile
  };
  /// `begun` is what was read of it so far. The encoder is all connections'.
  http_connection(const service::parts& p, std::unique_ptr<coro::stream> s, const session_options& o, observer& watcher,
                  const helpers& h, etcd::event_encoder& events, std::span<const std::byte> begun);
  ~http_connection() override;

  void stop_reading() override;

 private:
  /// What an answer from the group is to look like.
  enum class asked : std::uint32_t { health, health_but_for_space, live, ready, live_verbose, ready_verbose };
  /// Such a question among the calls.
  static constexpr std::int32_t health_id = 0;

  // service::protocol
  void encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::reply>& r) override;
  void encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::range_reply>& r) override;
  void encode(wire::byte_buffer& out, const node::reply_to& to, node::request_errc why, std::string_view text,
              std::string_view leader) override;
  void refuse(std::uint64_t id, node::request_errc why, std::string_view text) override;
  void refuse(std::uint64_t id, const kv::error& why) override;
  void reply_room_came() override { calls_.reply_room_came(); }

  // connection
  [[nodiscard]] coro::task<bool> read_once() override;
  std::size_t take_from(service& s) override;
  [[nodiscard]] bool all_made() const override { return broken() || calls_.settled(); }
  void take_left() override;
  [[nodiscard]] bool reads_always() const override { return true; }
  void sent(std::size_t bytes) override;
  void drop_replies() override;
  void reading_ended() override;
  [[nodiscard]] std::string complaint(coro::time_point now) override;

  // etcd::carrier (gateway.cpp)
  [[nodiscard]] bool is_open(std::int32_t id) const override;
  void answer(std::int32_t id, std::span<const std::byte> message) override;
  void end(std::int32_t id, const etcd::grpc_status& s) override;
  void no_place() override { watcher().too_many(remote()); }
  void run(coro::task<void> t) override { connection::run(std::move(t)); }
  void said() override;

  using parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  void expect_request();
  [[nodiscard]] bool take_bytes();
  [[nodiscard]] bool take_parsed();
  [[nodiscard]] etcd::method find_call(std::string_view path);
  void take_head();
  void take_web_rules();
  void take(const parser::value_type& request);
  bool reject(unsigned status, std::string_view why);
  void ask_health(asked how, bool serializable);
  void ask_metrics(bool etcd_too);
  void take_pprof(bool is_get, std::string_view path, std::string_view query);
  void answer_pprof(const pprof_page& page);
  void say_health(asked how, std::string_view trouble);
  void stage_health(wire::byte_buffer& out, const node::reply_to& to, std::string_view trouble);
  /// `more` is whole lines for the head.
  void answer(unsigned status, std::string_view type, std::string_view body, std::string_view more = {});
  void answered();
  /// What is held for this client changed.
  void recount();

  /// A call of etcd's API in JSON (gateway.cpp).
  struct json_request {
    std::int32_t id = 0;
    etcd::json_call json;
    bool whole = false;   ///< nothing more of it comes
    bool begun = false;   ///< its answer is
    bool chunked = false; ///< parts of the answer say how long they are
  };
  /// A part of an answer that is to be written.
  struct part {
    std::size_t end; ///< where it ends, in all that is ever written
    std::size_t message_bytes;
    std::int32_t id;
  };
  void begin_call(etcd::method what);
  void begin_socket(etcd::method what);
  [[nodiscard]] bool take_frames();
  void take_text(std::string_view text);
  void flush_socket();
  [[nodiscard]] bool feed_call(std::string& body, bool whole);
  bool fail_call(const etcd::grpc_status& s);
  void say(std::string_view text, std::size_t message_bytes);
  void said_part(std::size_t message_bytes);
  void end_call();
  void close_ended();
  void hold_text(std::size_t bytes);
  [[nodiscard]] bool goes_on() const { return call_ && call_->json.answers_go_on(); }
  /// It may last, and more of the client's may come meanwhile: its leave, if nothing else.
  [[nodiscard]] bool lasts() const { return profiling_ || (call_ && (socket_ || call_->json.lasts())); }
  /// More of the call's own messages.
  [[nodiscard]] bool takes_more() const { return call_ && lasts() && !call_->whole; }

  reporter* const reports_;
  profiler* const profiles_;
  etcd::calls calls_;
  coro::event answered_; ///< the request that was under way
  std::optional<parser> parser_;
  wire::byte_buffer read_;
  coro::time_point since_; ///< the request that is being read, or waited for
  bool begun_ = false;     ///< some of it came
  bool routed_ = false;    ///< its head was looked at
  bool under_way_ = false; ///< a request is
  bool profiling_ = false; ///< and it is a profile
  bool more_ = false;      ///< was read behind it
  bool keep_ = true;       ///< another may follow
  bool stopping_ = false;  ///< this end closes
  bool astray_ = false;    ///< the request calls this by a name that is not its own
  bool foreign_ = false;   ///< it is of a web page that may not call this
  std::string cors_;       ///< what the answer's head has for a page of another origin
  std::optional<json_request> call_;
  std::unique_ptr<websocket> socket_; ///< its messages are texts of one of those
  std::int32_t last_call_ = 0;        ///< its number
  std::optional<std::int32_t> ended_; ///< a call that is to be closed
  std::size_t text_held_ = 0;         ///< of JSON that is not whole
  std::size_t left_ = 0;              ///< of all that is ever written, what the socket took
  std::deque<part> parts_;            ///< that it did not take yet
};

} // namespace quorumd::clients
