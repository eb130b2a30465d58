#pragma once

#include "daemon/clients/etcd/methods.hpp"
#include "daemon/clients/etcd/status.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>

/// etcd's JSON gateway, whatever carries it: protobuf's own mapping, with the names of the messages as they are.
namespace quorumd::clients::etcd {

/// By its path, `/v3/kv/range` or one of its aliases; also below /v3beta and /v3alpha. none: there is no such call.
[[nodiscard]] method find_json_method(std::string_view path);
/// Whether the path is below one of those.
[[nodiscard]] bool is_json_path(std::string_view path);
/// As HTTP says it.
[[nodiscard]] unsigned http_status_of(grpc_code code);
/// What a call is answered that fails.
[[nodiscard]] std::string json_error(const grpc_status& s);

/// Which messages of an answer left, when their JSON does.
class answer_parts {
 public:
  /// A message became so much text, which is to leave after what was added before.
  void add(std::size_t text_bytes, std::size_t message_bytes) {
    added_ += text_bytes;
    parts_.push_back({added_, message_bytes});
  }
  /// So much text left: how many bytes of messages, which are whole then.
  [[nodiscard]] std::size_t left(std::size_t text_bytes) {
    left_ += text_bytes;
    std::size_t messages = 0;
    for (; !parts_.empty() && parts_.front().end <= left_; parts_.pop_front()) messages += parts_.front().message_bytes;
    return messages;
  }

 private:
  struct part {
    std::size_t end;
    std::size_t message_bytes;
  };
  std::size_t added_ = 0;
  std::size_t left_ = 0;
  std::deque<part> parts_;
};

/// One call in JSON: what the client sends becomes messages with gRPC's prefix, and the answers become JSON. A call of
/// one message takes the first object and ignores what is behind it; one whose messages go on takes object after
/// object.
class json_call {
 public:
  explicit json_call(method what)
      : what_(what) {}

  /// Bytes of the request; the messages that they made whole are appended. False: they are no JSON that fits, and
  /// wrong() says why.
  [[nodiscard]] bool take(std::span<const std::byte> bytes, std::string& messages);
  /// Nothing more comes: no object at all is an empty one, for a call of one message.
  [[nodiscard]] bool finish(std::string& messages);
  [[nodiscard]] const std::string& wrong() const { return wrong_; }
  /// What is kept of an object that is not whole.
  [[nodiscard]] std::size_t bytes() const { return text_.size(); }

  /// The one message that it takes is whole: what comes is ignored.
  [[nodiscard]] bool has_all() const { return taken_ && !goes_on(what_); }
  [[nodiscard]] bool answers_go_on() const { return quorumd::clients::etcd::answers_go_on(what_); }
  /// It waits for others, or for ever.
  [[nodiscard]] bool lasts() const { return answers_go_on() || is_recipe(what_); }
  /// An answer's message, prefix and all; a line, if others may follow.
  [[nodiscard]] std::string answer(std::span<const std::byte> message) const;
  /// The line with which answers that go on end.
  [[nodiscard]] static std::string last_line(const grpc_status& s);

 private:
  [[nodiscard]] bool take_objects(std::string& messages);
  [[nodiscard]] bool take_object(std::string_view text, std::string& messages);

  const method what_;
  std::string text_;        ///< of an object that is not whole, from its beginning
  std::size_t scanned_ = 0; ///< of text_
  std::size_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  bool taken_ = false; ///< an object was
  std::string wrong_;
};

} // namespace quorumd::clients::etcd
