#include "daemon/clients/etcd/grpc_connection.hpp"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <utility>

namespace quorumd::clients::etcd {
namespace {

constexpr std::size_t read_room = std::size_t{64} * 1024;
/// Put into the socket's buffer at a time.
constexpr std::size_t send_room = std::size_t{128} * 1024;
constexpr std::size_t header_bytes_max = std::size_t{32} * 1024;
constexpr std::uint32_t streams_max = 1000;

http2_session::options http2_options(const session_options& o) {
  const auto one = static_cast<std::uint32_t>(message_bytes_max(o) + prefix_bytes);
  return {.streams_max = streams_max,
          .stream_window = one,
          .connection_window =
              std::max(one, static_cast<std::uint32_t>(std::min(o.queue_bytes_max, std::size_t{1} << 30)))};
}

} // namespace

grpc_connection::grpc_connection(const service::parts& p, std::unique_ptr<coro::stream> s, const session_options& o,
                                 observer& watcher, event_encoder& events, std::span<const std::byte> begun)
    : connection(p, std::move(s), o, watcher)
    , http2_(http2_options(o), *this)
    , calls_(asks(), *this, events) {
  asks().read_at(since());
  [[maybe_unused]] const bool good = http2_.receive(begun); // the beginning of the preface
}

grpc_connection::~grpc_connection() {
  for (auto& [id, r] : json_) hold_text(r, 0);
}

coro::task<bool> grpc_connection::read_once() {
  std::byte* const room = read_.prepare(read_room);
  auto reading = read_into({room, read_room});
  const auto n = co_await std::move(reading);
  if (!n) co_return false;
  if (*n == 0) co_return true;
  const bool good = feed({room, *n});
  auto turn = end_turn();
  co_await std::move(turn);
  co_return good;
}

bool grpc_connection::feed(std::span<const std::byte> bytes) {
  const bool http2 = http2_.receive(bytes);
  calls_.end_of_read();
  if (http2_.spoken_to()) heard();
  pump();
  if (http2 && !http2_.ended()) return true;
  if (http2_.failed()) watcher().bad_client(remote(), "it does not keep to HTTP/2");
  stopping_ = true;
  return false;
}

void grpc_connection::stop_reading() {
  stopping_ = true;
  calls_.stop();
  http2_.go_away();
  pump();
  connection::stop_reading();
}

/// No word of the other end comes any more, by which it would have room for answers.
void grpc_connection::reading_ended() {
  if (!stopping_) break_off();
  calls_.close_streams();
}

void grpc_connection::pump() {
  if (broken()) return drop_replies();
  http2_.send(out(), send_room);
  recount();
  if (!out().empty()) wake_writer();
}

void grpc_connection::make_more() {
  http2_.send(out(), send_room);
  recount();
}

void grpc_connection::recount() {
  answers_hold(http2_.unsent() + out().size() + calls_.page_bytes());
}

void grpc_connection::sent(std::size_t bytes) {
  answers_left(bytes);
}

void grpc_connection::drop_replies() {
  calls_.drop();
  http2_.drop();
  out().clear();
  recount();
}

std::string grpc_connection::complaint(coro::time_point now) {
  calls_.look(now);
  const coro::duration patience = asks().options().handshake_timeout;
  std::vector<std::int32_t> late = calls_.late(now, patience);
  for (const auto& [id, r] : json_)
    if (r.text_bytes != 0 && now - r.since >= patience) late.push_back(id);
  for (const std::int32_t id : late) http2_.reset(id, NGHTTP2_ENHANCE_YOUR_CALM);
  if (!late.empty()) pump();
  return connection::complaint(now);
}

void grpc_connection::stream_begun(std::int32_t id) {
  calls_.begin(id);
}

bool grpc_connection::header(std::int32_t id, std::string_view name, std::string_view value) {
  call_head* const call = calls_.find(id);
  if (call == nullptr) return false;
  call->header_bytes += name.size() + value.size();
  if (call->header_bytes > header_bytes_max) return false;
  if (name == ":path") {
    call->path = value;
    call->what = known_to(*asks().options().etcd, find_method(value));
  } else if (name == ":method") {
    call->is_post = value == "POST";
  } else if (name == "content-type") {
    call->is_grpc = value.starts_with("application/grpc");
  } else if (name == "grpc-timeout") {
    const auto t = parse_timeout(value);
    if (!t) return false;
    call->timeout = *t;
  } else if (name == "grpc-encoding" && value != "identity") {
    call->encoding = value;
  } else if (name == "hasleader" && value == "true") {
    call->needs_leader = true;
  }
  return true;
}

bool grpc_connection::is_call(std::int32_t id) {
  call_head* const head = calls_.find(id);
  return head != nullptr && (head->is_grpc || find_json(id) != nullptr || begin_json(id, *head));
}

grpc_connection::json_stream* grpc_connection::find_json(std::int32_t id) {
  if (json_.empty()) return nullptr;
  const auto found = json_.find(id);
  return found != json_.end() ? &found->second : nullptr;
}

/// False: it is none of those, and answered.
bool grpc_connection::begin_json(std::int32_t id, call_head& head) {
  const std::string_view path = std::string_view(head.path).substr(0, head.path.find('?'));
  const method what = known_to(*asks().options().etcd, find_json_method(path));
  if (what != method::none && head.is_post) {
    head.what = what;
    json_.emplace(id, json_stream{.json = json_call(what)});
    return true;
  }
  const bool gateway = is_json_path(path);
  const grpc_status why = what == method::none ? grpc_status{grpc_code::not_found, "Not Found"}
                                               : grpc_status{grpc_code::unimplemented, "Method Not Allowed"};
  const std::string_view status = !gateway ? "415" : what == method::none ? "404" : "405";
  calls_.closed(id);
  if (http2_.is_answered(id)) return false;
  http2_.begin_answer(id, {{":status", status}, {"content-type", gateway ? "application/json" : "text/plain"}});
  const std::string text = gateway ? json_error(why) : "the content type of gRPC is application/grpc\n";
  http2_.add(id, std::as_bytes(std::span(text)));
  http2_.end(id, {});
  return false;
}

void grpc_connection::data(std::int32_t id, std::span<const std::byte> bytes) {
  if (!is_call(id)) return;
  if (json_stream* const r = find_json(id)) return take_json(id, *r, bytes, false);
  calls_.data(id, bytes);
}

void grpc_connection::request_ended(std::int32_t id) {
  if (!is_call(id)) return;
  if (json_stream* const r = find_json(id)) return take_json(id, *r, {}, true);
  calls_.whole(id);
}

void grpc_connection::take_json(std::int32_t id, json_stream& r, std::span<const std::byte> bytes, bool whole) {
  r.since = asks().read_at();
  const std::size_t most = 2 * message_bytes_max(asks().options());
  const bool fits = r.json.bytes() + bytes.size() <= most && bytes.size() <= asks().memory().requests.left();
  std::string messages;
  const bool good = fits && r.json.take(bytes, messages) && (!whole || r.json.finish(messages));
  hold_text(r, good ? r.json.bytes() : 0);
  if (!good) {
    calls_.closed(id);
    return end(id, fits ? grpc_status{grpc_code::invalid_argument, r.json.wrong()}
                        : grpc_status{grpc_code::resource_exhausted, "etcdserver: request is too large"});
  }
  if (!messages.empty()) calls_.data(id, std::as_bytes(std::span(messages)));
  if (whole) calls_.whole(id);
}

void grpc_connection::hold_text(json_stream& r, std::size_t bytes) {
  asks().memory().requests.take(bytes);
  asks().memory().requests.give(r.text_bytes);
  r.text_bytes = bytes;
}

void grpc_connection::body_left(std::int32_t id, std::size_t bytes) {
  json_stream* const r = find_json(id);
  calls_.left(id, r != nullptr ? r->parts.left(bytes) : bytes);
}

void grpc_connection::take_left() {
  calls_.take_left();
  pump();
}

void grpc_connection::stream_closed(std::int32_t id) {
  if (json_stream* const r = find_json(id)) {
    hold_text(*r, 0);
    json_.erase(id);
  }
  calls_.closed(id);
}

std::size_t grpc_connection::take_from(service& s) {
  std::size_t bytes = 0;
  const std::size_t answered = calls_.take_from(s, bytes);
  answers_came(bytes);
  pump();
  return answered;
}

void grpc_connection::answer(std::int32_t id, std::span<const std::byte> message) {
  json_stream* const r = find_json(id);
  if (r == nullptr) {
    http2_.begin_answer(id, {{":status", "200"}, {"content-type", "application/grpc"}});
    return http2_.add(id, message);
  }
  const std::string text = r->json.answer(message);
  r->parts.add(text.size(), message.size());
  http2_.begin_answer(id, {{":status", "200"}, {"content-type", "application/json"}});
  http2_.add(id, std::as_bytes(std::span(text)));
}

void grpc_connection::end(std::int32_t id, const grpc_status& s) {
  if (const json_stream* const r = find_json(id)) return end_json(id, *r, s);
  const std::string code = std::to_string(static_cast<std::uint32_t>(s.code));
  const std::string text = percent_encoded(s.text);
  if (http2_.is_answered(id)) return http2_.end(id, {{"grpc-status", code}, {"grpc-message", text}});
  http2_.answer(
      id, {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-status", code}, {"grpc-message", text}});
}

void grpc_connection::end_json(std::int32_t id, const json_stream& r, const grpc_status& s) {
  if (s.code != grpc_code::ok) {
    const std::string status = std::to_string(http_status_of(s.code));
    const std::string text = r.json.answers_go_on() ? json_call::last_line(s) : json_error(s);
    if (!http2_.is_answered(id) || r.json.answers_go_on()) {
      http2_.begin_answer(id, {{":status", status}, {"content-type", "application/json"}});
      http2_.add(id, std::as_bytes(std::span(text)));
    }
  } else {
    http2_.begin_answer(id, {{":status", "200"}, {"content-type", "application/json"}});
  }
  http2_.end(id, {});
}

void grpc_connection::said() {
  pump();
}

} // namespace quorumd::clients::etcd
