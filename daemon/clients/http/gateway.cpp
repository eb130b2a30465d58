#include "daemon/clients/http/http_connection.hpp"
#include "daemon/clients/http/http_text.hpp"

#include <array>
#include <charconv>
#include <utility>

/// etcd's API in JSON.
namespace quorumd::clients {
namespace {

constexpr std::string_view json_type = "application/json";

/// What a chunk begins with.
std::string chunk_size(std::size_t bytes) {
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), bytes, 16).ptr;
  return std::string(digits.data(), end) + "\r\n";
}

} // namespace

void http_connection::begin_call(etcd::method what) {
  close_ended();
  const auto& request = parser_->get();
  call_.emplace(json_request{.id = ++last_call_, .json = etcd::json_call(what), .chunked = request.version() >= 11});
  etcd::call_head& head = calls_.begin(call_->id);
  head.path = std::string(request.target().data(), request.target().size());
  head.what = what;
  const auto timeout = request["Grpc-Timeout"];
  if (const auto t = etcd::parse_timeout({timeout.data(), timeout.size()})) head.timeout = *t;
  head.needs_leader = request["Grpc-Metadata-Hasleader"] == "true";
  if (!goes_on()) return;
  under_way_ = true;
  heard();
  parser_->body_limit(boost::none);   // object after object
  if (!call_->chunked) keep_ = false; // the answer's end is the connection's
}

void http_connection::begin_socket(etcd::method what) {
  const auto key = parser_->get()["Sec-WebSocket-Key"];
  begin_call(what);
  under_way_ = true;
  call_->chunked = false;
  keep_ = false;
  heard();
  write_text(out(), "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Accept: " +
                        websocket::accept_of({key.data(), key.size()}) + "\r\n\r\n");
  socket_ = std::make_unique<websocket>(2 * etcd::message_bytes_max(asks().options()),
                                        [this](std::string_view text) { take_text(text); });
  flush_socket();
}

/// False: nothing more is to be read.
bool http_connection::take_frames() {
  const bool open = socket_->receive(read_.bytes());
  read_.clear();
  flush_socket();
  if (open && call_) return true;
  if (call_) { // the other end has enough
    ended_ = call_->id;
    call_.reset();
    hold_text(0);
    answered();
  }
  close_ended();
  return false;
}

void http_connection::take_text(std::string_view text) {
  if (!call_ || call_->whole) return;
  std::string body(text);
  static_cast<void>(feed_call(body, false));
}

void http_connection::flush_socket() {
  socket_->send(out());
  recount();
  wake_writer();
}

/// What came of its body, which is taken. False: nothing more is to be read.
bool http_connection::feed_call(std::string& body, bool whole) {
  std::string messages;
  since_ = asks().loop().now();
  etcd::json_call& json = call_->json;
  const std::size_t most = 2 * etcd::message_bytes_max(asks().options());
  if (json.bytes() + body.size() > most || body.size() > asks().memory().requests.left())
    return fail_call({etcd::grpc_code::resource_exhausted, "etcdserver: request is too large"});
  bool good = json.take(std::as_bytes(std::span(body)), messages);
  body.clear();
  whole = whole || (socket_ && json.has_all());
  if (good && whole) good = json.finish(messages);
  hold_text(json.bytes());
  call_->whole = whole;
  if (!good) return fail_call({etcd::grpc_code::invalid_argument, json.wrong()});
  if (whole) under_way_ = true;
  const std::int32_t id = call_->id;
  if (!messages.empty()) calls_.data(id, std::as_bytes(std::span(messages)));
  if (whole) calls_.whole(id);
  calls_.end_of_read();
  close_ended();
  return keep_ || lasts();
}

/// False: nothing more is to be read.
bool http_connection::fail_call(const etcd::grpc_status& s) {
  if (!call_->whole) keep_ = false;
  end(call_->id, s);
  close_ended();
  return keep_;
}

bool http_connection::is_open(std::int32_t id) const {
  return id == health_id ? under_way_ && !call_ : call_ && call_->id == id;
}

void http_connection::answer(std::int32_t id, std::span<const std::byte> message) {
  if (!is_open(id)) return;
  if (id == health_id) {
    const auto content = message.subspan(etcd::prefix_bytes);
    answered();
    return say_health(static_cast<asked>(content.front()),
                      {reinterpret_cast<const char*>(content.data()) + 1, content.size() - 1});
  }
  const std::string text = call_->json.answer(message);
  if (goes_on() || socket_) return say(text, message.size());
  call_->begun = true;
  answer(200, json_type, text);
}

/// A part of an answer that goes on.
void http_connection::say(std::string_view text, std::size_t message_bytes) {
  if (socket_) {
    socket_->say(text.ends_with('\n') ? text.substr(0, text.size() - 1) : text);
    socket_->send(out());
    return said_part(message_bytes);
  }
  if (!std::exchange(call_->begun, true))
    write_head(out(), {.type = json_type, .chunked = call_->chunked, .keep = keep_, .more = cors_});
  if (call_->chunked) write_text(out(), chunk_size(text.size()));
  write_text(out(), text);
  if (call_->chunked) write_text(out(), "\r\n");
  said_part(message_bytes);
}

void http_connection::said_part(std::size_t message_bytes) {
  parts_.push_back({.end = left_ + out().size(), .message_bytes = message_bytes, .id = call_->id});
  recount();
  wake_writer();
}

void http_connection::end(std::int32_t id, const etcd::grpc_status& s) {
  if (!call_ || id != call_->id) return;
  const bool good = s.code == etcd::grpc_code::ok;
  if (socket_) {
    if (!good) say(goes_on() ? etcd::json_call::last_line(s) : etcd::json_error(s), 0);
    socket_->close();
    flush_socket();
  } else if (!call_->begun) {
    const std::string text = good ? std::string() : goes_on() ? etcd::json_call::last_line(s) : etcd::json_error(s);
    if (!call_->whole) keep_ = false;
    answer(good ? 200 : etcd::http_status_of(s.code), json_type, text);
  } else if (goes_on()) {
    if (!good) say(etcd::json_call::last_line(s), 0);
    if (call_->chunked) write_text(out(), chunk_size(0) + "\r\n");
    recount();
    wake_writer();
  }
  end_call();
}

void http_connection::end_call() {
  const bool lasted = lasts();
  // What follows of its request would be taken for another.
  if (!call_->whole || (lasted && !read_.empty())) keep_ = false;
  ended_ = call_->id;
  call_.reset();
  hold_text(0);
  answered();
  if (lasted && !keep_) connection::stop_reading();
}

/// Not from within what the calls do.
void http_connection::close_ended() {
  if (const auto id = std::exchange(ended_, std::nullopt)) calls_.closed(*id);
}

void http_connection::said() {
  close_ended();
}

void http_connection::hold_text(std::size_t bytes) {
  if (bytes > text_held_)
    asks().memory().requests.take(bytes - text_held_);
  else
    asks().memory().requests.give(text_held_ - bytes);
  text_held_ = bytes;
}

void http_connection::take_left() {
  if (asks().may_ask()) answered_.set();
  calls_.take_left();
  close_ended();
}

} // namespace quorumd::clients
