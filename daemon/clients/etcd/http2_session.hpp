#pragma once

#include "daemon/clients/etcd/request_rules.hpp"
#include "wire/byte_buffer.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct nghttp2_session;

namespace quorumd::clients::etcd {

/// The server's side of one HTTP/2 connection, without I/O: bytes in, events out, and the other way round.
class http2_session {
 public:
  /// What came. Called from receive(); a stream may be answered from within.
  class handler {
   public:
    virtual void stream_begun(std::int32_t id) = 0;
    /// False: the stream is reset.
    virtual bool header(std::int32_t id, std::string_view name, std::string_view value) = 0;
    virtual void data(std::int32_t id, std::span<const std::byte> bytes) = 0;
    /// The request is whole.
    virtual void request_ended(std::int32_t id) = 0;
    /// So many bytes of its answer were taken to be sent.
    virtual void body_left(std::int32_t id, std::size_t bytes) = 0;
    /// No answer will reach it; not called for what is left when the session ends.
    virtual void stream_closed(std::int32_t id) = 0;

   protected:
    ~handler() = default;
  };
  struct options {
    std::uint32_t streams_max = 1000;
    std::uint32_t stream_window = 0;     ///< bytes of a request that may come unasked: a whole one
    std::uint32_t connection_window = 0; ///< the same of all of them
  };
  using headers = std::vector<std::pair<std::string_view, std::string_view>>;

  http2_session(const options& o, handler& h);
  ~http2_session();
  http2_session(const http2_session&) = delete;
  http2_session& operator=(const http2_session&) = delete;

  /// False: the other end does not speak HTTP/2. What is to be sent says so, and nothing more is read.
  [[nodiscard]] bool receive(std::span<const std::byte> bytes);
  /// Appends what may be sent now until there are about so many bytes in it.
  void send(wire::byte_buffer& out, std::size_t bytes_max);
  [[nodiscard]] bool wants_to_send() const;
  /// It ends since the other end broke the rules.
  [[nodiscard]] bool failed() const { return failed_; }
  /// A whole frame came.
  [[nodiscard]] bool spoken_to() const { return spoken_to_; }
  /// It is over, and what says so was sent.
  [[nodiscard]] bool ended() const;

  /// Answers with headers alone, which end the stream: what is still to come of the request need not be sent.
  void answer(std::int32_t id, const headers& h);
  /// Answers with headers and a body that is sent as the other end reads; more may be added, and end() ends it.
  void begin_answer(std::int32_t id, const headers& h);
  void add(std::int32_t id, std::span<const std::byte> bytes);
  void end(std::int32_t id, const headers& trailers);
  /// Its headers are made: it can only be ended.
  [[nodiscard]] bool is_answered(std::int32_t id) const;
  [[nodiscard]] bool is_open(std::int32_t id) const { return streams_.contains(id); }
  /// Ends it without an answer; the code is one of HTTP/2's.
  void reset(std::int32_t id, std::uint32_t code);
  /// No new streams: those that are begun are answered.
  void go_away();
  /// Forgets what is to be sent.
  void drop();
  /// Bytes of bodies that are to be sent.
  [[nodiscard]] std::size_t unsent() const { return unsent_; }

 private:
  struct stream {
    wire::byte_buffer body{0};
    std::vector<std::pair<std::string, std::string>> trailers;
    bool ended = false;    ///< nothing is added any more
    bool deferred = false; ///< the session waits for more
    bool answered = false;
    bool request_ended = false;
    bool malformed = false; ///< nothing more is heard of it
    request_rules rules;
  };
  struct callbacks;

  [[nodiscard]] stream* heard(std::int32_t id);
  void refuse(std::int32_t id, stream& s);

  handler& handler_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, stream> streams_;
  std::size_t unsent_ = 0;
  bool spoken_to_ = false;
  bool failed_ = false;
};

} // namespace quorumd::clients::etcd
