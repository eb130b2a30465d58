#include "daemon/clients/etcd/grpc_connection.hpp"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace quorumd::clients::etcd {
namespace {

constexpr std::size_t read_room = std::size_t{64} * 1024;
/// Put into the socket's buffer at a time.
constexpr std::size_t send_room = std::size_t{128} * 1024;
/// What a message may have beyond keys and values.
constexpr std::size_t message_overhead = std::size_t{512} * 1024;
constexpr std::size_t header_bytes_max = std::size_t{32} * 1024;
constexpr std::uint32_t streams_max = 1000;

std::uint32_t message_bytes_max(const session_options& o) {
  return static_cast<std::uint32_t>(o.request_bytes_max + message_overhead);
}

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
    , events_(events)
    , http2_(http2_options(o), *this) {
  asks().read_at(since());
  [[maybe_unused]] const bool good = http2_.receive(begun); // the beginning of the preface
}

grpc_connection::~grpc_connection() {
  asks().memory().requests.give(body_bytes_);
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
  arena_.Reset(); // whatever was parsed was handed on
  if (http2_.spoken_to()) heard();
  pump();
  if (http2 && !http2_.ended()) return true;
  if (http2_.failed()) watcher().bad_client(remote(), "it does not keep to HTTP/2");
  stopping_ = true;
  return false;
}

void grpc_connection::stop_reading() {
  stopping_ = true;
  for (auto& [id, c] : calls_)
    if (c.watches)
      asks().node().call([w = c.watches](node::group&) {
        w->end({grpc_code::unavailable, "etcdserver: server stopped"});
      });
  http2_.go_away();
  pump();
  connection::stop_reading();
}

/// No word of the other end comes any more, by which it would have room for answers.
void grpc_connection::reading_ended() {
  if (!stopping_) break_off();
  close_streams();
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
  const std::size_t now = http2_.unsent() + out().size() + page_bytes_;
  if (now > counted_)
    asks().holds(now - counted_);
  else if (now < counted_)
    asks().left(counted_ - now);
  counted_ = now;
}

void grpc_connection::sent(std::size_t bytes) {
  counted_ -= bytes;
  asks().left(bytes);
}

void grpc_connection::drop_replies() {
  waiting_.clear(); // nobody would hear of them
  for (auto& [id, c] : calls_) drop_pages(c);
  http2_.drop();
  out().clear();
  recount();
}

std::string grpc_connection::complaint(coro::time_point now) {
  const coro::duration patience = asks().options().handshake_timeout;
  std::vector<std::int32_t> late;
  for (const auto& [id, c] : calls_)
    if (!c.whole && !c.waits && (!c.asked || !c.body.empty()) && now - c.since >= patience) late.push_back(id);
  for (const std::int32_t id : late) http2_.reset(id, NGHTTP2_ENHANCE_YOUR_CALM);
  if (!late.empty()) pump();
  return connection::complaint(now);
}

void grpc_connection::stream_begun(std::int32_t id) {
  calls_[id].since = asks().read_at();
}

bool grpc_connection::header(std::int32_t id, std::string_view name, std::string_view value) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return false;
  call& c = found->second;
  c.header_bytes += name.size() + value.size();
  if (c.header_bytes > header_bytes_max) return false;
  if (name == ":path") {
    c.path = value;
    c.what = find_method(value);
  } else if (name == "content-type") {
    c.is_grpc = value.starts_with("application/grpc");
  } else if (name == "grpc-timeout") {
    const auto t = parse_timeout(value);
    if (!t) return false;
    c.timeout = *t;
  } else if (name == "grpc-encoding" && value != "identity") {
    c.encoding = value;
  } else if (name == "hasleader" && value == "true") {
    c.needs_leader = true;
  }
  return true;
}

void grpc_connection::data(std::int32_t id, std::span<const std::byte> bytes) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  call& c = found->second;
  if (c.over || (c.asked && !goes_on(c.what))) return; // it was answered before it was whole
  const std::size_t most = message_bytes_max(asks().options()) + prefix_bytes;
  if (c.body.size() + bytes.size() > most) {
    drop_body(c);
    finish(id, {grpc_code::resource_exhausted, "grpc: received message larger than max (" +
                                                   std::to_string(c.body.size() + bytes.size()) + " vs. " +
                                                   std::to_string(most - prefix_bytes) + ")"});
    return;
  }
  // What is not whole is bounded for each client and for all of them together.
  if (body_bytes_ + bytes.size() > asks().options().queue_bytes_max / 2 + most ||
      bytes.size() > asks().memory().requests.left()) {
    drop_body(c);
    finish(id, {grpc_code::resource_exhausted, "etcdserver: too many requests are begun and not whole"});
    return;
  }
  c.body.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  body_bytes_ += bytes.size();
  asks().memory().requests.take(bytes.size());
  if (!goes_on(c.what)) return;
  c.since = asks().read_at();
  take_messages(id, c);
}

void grpc_connection::drop_body(call& c) {
  body_bytes_ -= c.body.size();
  asks().memory().requests.give(c.body.size());
  c.body.clear();
}

void grpc_connection::request_ended(std::int32_t id) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  call& c = found->second;
  c.whole = true;
  if (goes_on(c.what)) return take_messages(id, c);
  if (c.asked) return;
  if (!waiting_.empty() || !asks().may_ask()) return wait(id, c);
  take_call(id, c);
}

void grpc_connection::wait(std::int32_t id, call& c) {
  if (!std::exchange(c.waits, true)) waiting_.push_back(id);
}

void grpc_connection::take_left() {
  while (!waiting_.empty() && asks().may_ask()) {
    const auto found = calls_.find(waiting_.front());
    waiting_.pop_front();
    if (found == calls_.end()) continue;
    call& c = found->second;
    c.waits = false;
    if (goes_on(c.what))
      take_messages(found->first, c);
    else
      take_call(found->first, c);
  }
  arena_.Reset();
  pump();
}

void grpc_connection::stream_closed(std::int32_t id) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  drop_body(found->second);
  drop_pages(found->second);
  if (found->second.watches) found->second.watches->close();
  calls_.erase(found);
}

void grpc_connection::take_call(std::int32_t id, call& c) {
  c.asked = true;
  answer_or_ask(id, c);
  drop_body(c); // nothing closes a stream meanwhile
}

/// Whether nothing is done for it, whatever its message says: it is answered then.
bool grpc_connection::refuse_call(std::int32_t id, const call& c) {
  if (!c.is_grpc) {
    http2_.answer(id, {{":status", "415"}, {"content-type", "text/plain"}});
    return true;
  }
  if (asks().options().only_health && c.what != method::health_check && c.what != method::status) {
    watcher().too_many(remote());
    finish(id, {grpc_code::unavailable, std::string("etcdserver: ") + too_many_clients});
    return true;
  }
  if (!c.encoding.empty()) {
    finish(id,
           {grpc_code::unimplemented, "grpc: Decompressor is not installed for grpc-encoding \"" + c.encoding + "\""});
    return true;
  }
  if (c.what != method::none) return false;
  finish(id, {grpc_code::unimplemented, unknown_call(c.path)});
  return true;
}

void grpc_connection::answer_or_ask(std::int32_t id, call& c) {
  if (refuse_call(id, c)) return;
  if (c.body.size() < prefix_bytes) return finish(id, {grpc_code::internal, "grpc: the call ended without a message"});
  if (c.body[0] != 0)
    return finish(id, {grpc_code::internal, "grpc: compressed flag set with identity or empty encoding"});
  const std::string_view message = std::string_view(c.body).substr(prefix_bytes);
  if (message_length(c.body) != message.size())
    return finish(id, {grpc_code::internal, "grpc: the message is not as long as it says"});
  dispatch(id, c, message);
}

void grpc_connection::finish(std::int32_t id, const grpc_status& s) {
  if (const auto found = calls_.find(id); found != calls_.end()) found->second.asked = found->second.over = true;
  const std::string code = std::to_string(static_cast<std::uint32_t>(s.code));
  const std::string text = percent_encoded(s.text);
  if (http2_.is_answered(id)) return http2_.end(id, {{"grpc-status", code}, {"grpc-message", text}});
  http2_.answer(
      id, {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-status", code}, {"grpc-message", text}});
}

void grpc_connection::refuse(std::uint64_t id, node::request_errc why, std::string_view text) {
  finish(static_cast<std::int32_t>(id), status_of(why, text));
}

void grpc_connection::refuse(std::uint64_t id, const kv::error& why) {
  finish(static_cast<std::int32_t>(id), status_of(why));
}

/// Answers that came become bytes of their streams.
std::size_t grpc_connection::take_from(service& s) {
  came_.clear();
  const std::size_t answered = s.take(came_);
  counted_ += came_.size();
  for (std::span<const std::byte> rest = came_.bytes(); !rest.empty();) {
    const staged next = next_staged(rest);
    if (!http2_.is_open(next.stream)) continue; // it was given up
    if (next.kind == staged_kind::page) {
      take_page(next);
      continue;
    }
    if (next.kind == staged_kind::end) {
      if (begin_pages_anew(next)) continue;
      finish(next.stream,
             {next.code, std::string(reinterpret_cast<const char*>(next.content.data()), next.content.size())});
      continue;
    }
    http2_.begin_answer(next.stream, {{":status", "200"}, {"content-type", "application/grpc"}});
    if (!finish_pages(next)) http2_.add(next.stream, next.content);
    if (next.kind == staged_kind::answer || last_answer(next.stream))
      http2_.end(next.stream, {{"grpc-status", "0"}, {"grpc-message", ""}});
  }
  came_.clear();
  pump();
  return answered;
}

void grpc_connection::encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::reply>& r) {
  if (!r) return stage_end(out, to.id, status_of(r.error()));
  const method what = method_in(to.slot);
  const auto* lease = std::get_if<kv::lease_answer>(&r->body);
  if (lease != nullptr && lease->more) return stage_end(out, to.id, lease_too_large());
  const response_header h = header_now(asks().node());
  const staged_kind kind = goes_on(what) ? staged_kind::part : staged_kind::answer;
  stage_message(out, kind, to.id, [&](wire::byte_buffer& b) { return responses_.append(b, h, *r, what); });
}

void grpc_connection::encode(wire::byte_buffer& out, const node::reply_to& to, const kv::result<kv::range_reply>& r) {
  if (method_in(to.slot) == method::health_check)
    return stage_message(out, staged_kind::answer, to.id, [](wire::byte_buffer& b) { return write_serving(b, true); });
  if (!r) return stage_end(out, to.id, status_of(r.error()));
  // A client that asked for all takes what it gets for all: it is not to have a part.
  const std::uint32_t limit = limit_in(to.slot);
  if (r->more && (limit == 0 || r->kvs.size() < limit)) {
    if (method_in(to.slot) == method::range_in_pages) return stage_page(out, to.id, *r);
    return stage_end(out, to.id, range_too_large());
  }
  const response_header h = header_now(asks().node());
  stage_message(out, staged_kind::answer, to.id, [&](wire::byte_buffer& b) { return responses_.append(b, h, *r); });
}

void grpc_connection::encode(wire::byte_buffer& out, const node::reply_to& to, node::request_errc why,
                             std::string_view text, std::string_view) {
  if (method_in(to.slot) == method::health_check)
    return stage_message(out, staged_kind::answer, to.id, [](wire::byte_buffer& b) { return write_serving(b, false); });
  stage_end(out, to.id, status_of(why, text));
}

} // namespace quorumd::clients::etcd
