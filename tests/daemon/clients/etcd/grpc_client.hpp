#pragma once

#include "daemon/clients/etcd/status.hpp"
#include "tests/cluster/raw_client.hpp"

#include <google/protobuf/message_lite.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct nghttp2_session;

namespace quorumd::testing {

/// A gRPC client of few words, on one connection, that sends what it is told, sense or nonsense. Blocks with a time
/// limit.
class grpc_client {
 public:
  using headers = std::vector<std::pair<std::string, std::string>>;
  /// How a call ended.
  struct answer {
    bool closed = false;     ///< the stream is over
    std::uint32_t reset = 0; ///< HTTP/2's code, if it was reset
    int blocks = 0;          ///< of headers, with the trailers
    std::string http;        ///< :status
    std::string code;        ///< grpc-status
    std::string text;        ///< grpc-message
    std::string body;        ///< with gRPC's prefixes
    [[nodiscard]] bool ok() const { return code == "0"; }
    /// The message in it.
    template <class Message>
    [[nodiscard]] Message as() const {
      Message m;
      if (body.size() >= 5) m.ParseFromString(body.substr(5));
      return m;
    }
  };

  /// `window`: bytes that the other end may send unasked on each stream.
  explicit grpc_client(const place& at, std::uint32_t window = 16U << 20);
  ~grpc_client();
  grpc_client(const grpc_client&) = delete;
  grpc_client& operator=(const grpc_client&) = delete;

  /// Begins a call; its stream. Nothing is sent before the next turn().
  std::int32_t begin(std::string_view path, std::string body, const headers& more = {}, bool ends = true);
  void reset(std::int32_t stream);
  /// Says more in a call that was begun so that it goes on; and ends its requests.
  void say(std::int32_t stream, const google::protobuf::MessageLite& m);
  void say_bytes(std::int32_t stream, std::string_view bytes);
  void half_close(std::int32_t stream);
  /// The other end may send so many bytes of it.
  void open_window(std::int32_t stream, std::int32_t bytes);
  /// The next message of a call that goes on; nothing within that time, or the call is over: an empty one.
  template <class Message>
  [[nodiscard]] Message next(std::int32_t stream, std::chrono::milliseconds at_most = std::chrono::seconds(10)) {
    Message m;
    m.ParseFromString(next_message(stream, at_most));
    return m;
  }
  /// Whether there is none for so long.
  [[nodiscard]] bool silent(std::int32_t stream, std::chrono::milliseconds so_long);
  [[nodiscard]] const answer& so_far(std::int32_t stream) { return answers_[stream]; }
  /// Sends and reads once, at most so long; false: the connection is over.
  bool turn(std::chrono::milliseconds at_most);
  /// Until the call is over.
  answer wait(std::int32_t stream, std::chrono::milliseconds at_most = std::chrono::seconds(10));
  [[nodiscard]] answer call(std::string_view path, const google::protobuf::MessageLite& m, const headers& more = {});
  /// A message with gRPC's prefix.
  [[nodiscard]] static std::string framed(const google::protobuf::MessageLite& m);
  [[nodiscard]] bool told_to_go() const { return told_to_go_; }
  [[nodiscard]] std::size_t bytes_read() const { return bytes_read_; }

 private:
  [[nodiscard]] bool has_message(std::int32_t stream);
  [[nodiscard]] std::string next_message(std::int32_t stream, std::chrono::milliseconds at_most);
  struct outgoing {
    std::string body;
    std::size_t sent = 0;
    bool ends = true;
  };
  struct callbacks;

  int fd_ = -1;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, answer> answers_;
  std::map<std::int32_t, outgoing> bodies_;
  std::string pending_;
  bool told_to_go_ = false;
  std::size_t bytes_read_ = 0;
};

} // namespace quorumd::testing
