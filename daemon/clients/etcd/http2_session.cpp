#include "daemon/clients/etcd/http2_session.hpp"

#include "consensus/types/invariant.hpp"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>

namespace quorumd::clients::etcd {
namespace {

constexpr std::uint32_t header_list_max = 32 * 1024;
/// Resets that a client may send in a burst, and a second: what is reset again and again is an attack.
constexpr std::uint64_t resets_burst = 1000;
constexpr std::uint64_t resets_a_second = 100;

nghttp2_nv pair_of(std::string_view name, std::string_view value) {
  // The library copies both; it does not write to them.
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NONE};
}

std::vector<nghttp2_nv> pairs_of(const http2_session::headers& h) {
  std::vector<nghttp2_nv> all;
  all.reserve(h.size());
  for (const auto& [name, value] : h) all.push_back(pair_of(name, value));
  return all;
}

} // namespace

struct http2_session::callbacks {
  static http2_session& of(void* user) { return *static_cast<http2_session*>(user); }

  static int begin_headers(nghttp2_session*, const nghttp2_frame* f, void* user) {
    if (f->hd.type != NGHTTP2_HEADERS || f->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    of(user).streams_.try_emplace(f->hd.stream_id);
    of(user).handler_.stream_begun(f->hd.stream_id);
    return 0;
  }

  static int header(nghttp2_session*, const nghttp2_frame* f, const std::uint8_t* name, std::size_t name_bytes,
                    const std::uint8_t* value, std::size_t value_bytes, std::uint8_t, void* user) {
    if (f->hd.type != NGHTTP2_HEADERS || f->headers.cat != NGHTTP2_HCAT_REQUEST) return 0; // trailers say nothing here
    stream* const t = of(user).heard(f->hd.stream_id);
    if (t == nullptr) return 0;
    const std::string_view name_text(reinterpret_cast<const char*>(name), name_bytes);
    const std::string_view value_text(reinterpret_cast<const char*>(value), value_bytes);
    if (!t->rules.header(name_text, value_text)) {
      of(user).refuse(f->hd.stream_id, *t);
      return 0;
    }
    const bool good = of(user).handler_.header(f->hd.stream_id, name_text, value_text);
    return good ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t n,
                  void* user) {
    stream* const t = of(user).heard(id);
    if (t == nullptr) return 0;
    if (!t->rules.data(n)) {
      of(user).refuse(id, *t);
      return 0;
    }
    of(user).handler_.data(id, std::as_bytes(std::span(bytes, n)));
    return 0;
  }

  static int frame(nghttp2_session*, const nghttp2_frame* f, void* user) {
    of(user).spoken_to_ = true;
    const bool begins = f->hd.type == NGHTTP2_HEADERS && f->headers.cat == NGHTTP2_HCAT_REQUEST;
    if (!begins && f->hd.type != NGHTTP2_DATA && f->hd.type != NGHTTP2_HEADERS) return 0;
    stream* const t = of(user).heard(f->hd.stream_id);
    if (t == nullptr) return 0;
    const bool ends = (f->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if ((begins && !t->rules.headers_ended()) || (ends && !t->rules.ended())) {
      of(user).refuse(f->hd.stream_id, *t);
      return 0;
    }
    if (!ends) return 0;
    t->request_ended = true;
    of(user).handler_.request_ended(f->hd.stream_id);
    return 0;
  }

  static int frame_sent(nghttp2_session* s, const nghttp2_frame* f, void* user) {
    if (f->hd.type == NGHTTP2_GOAWAY && f->goaway.error_code != NGHTTP2_NO_ERROR) of(user).failed_ = true;
    if (f->hd.type != NGHTTP2_HEADERS || (f->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    const auto found = of(user).streams_.find(f->hd.stream_id);
    if (found != of(user).streams_.end() && !found->second.request_ended) // RFC 9113, 8.1
      nghttp2_submit_rst_stream(s, NGHTTP2_FLAG_NONE, f->hd.stream_id, NGHTTP2_NO_ERROR);
    return 0;
  }

  static int closed(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
    http2_session& self = of(user);
    const auto found = self.streams_.find(id);
    if (found == self.streams_.end()) return 0;
    self.unsent_ -= found->second.body.size();
    self.streams_.erase(found);
    self.handler_.stream_closed(id);
    return 0;
  }

  static ssize_t read(nghttp2_session* s, std::int32_t id, std::uint8_t* into, std::size_t most, std::uint32_t* flags,
                      nghttp2_data_source*, void* user) {
    http2_session& self = of(user);
    const auto found = self.streams_.find(id);
    if (found == self.streams_.end()) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    stream& t = found->second;
    const std::size_t n = std::min(most, t.body.size());
    if (n == 0 && !t.ended) {
      t.deferred = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    if (n != 0) std::memcpy(into, t.body.bytes().data(), n);
    t.body.consume(n);
    self.unsent_ -= n;
    if (n != 0) self.handler_.body_left(id, n);
    if (t.ended && t.body.empty()) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (t.trailers.empty()) return static_cast<ssize_t>(n);
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      std::vector<nghttp2_nv> trailers;
      for (const auto& [name, value] : t.trailers) trailers.push_back(pair_of(name, value));
      nghttp2_submit_trailer(s, id, trailers.data(), trailers.size());
    }
    return static_cast<ssize_t>(n);
  }
};

http2_session::http2_session(const options& o, handler& h)
    : handler_(h) {
  nghttp2_session_callbacks* c = nullptr;
  nghttp2_option* how = nullptr;
  QUORUMD_INVARIANT(nghttp2_session_callbacks_new(&c) == 0 && nghttp2_option_new(&how) == 0, "there is memory");
  nghttp2_session_callbacks_set_on_begin_headers_callback(c, callbacks::begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(c, callbacks::header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, callbacks::data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(c, callbacks::frame);
  nghttp2_session_callbacks_set_on_frame_send_callback(c, callbacks::frame_sent);
  nghttp2_session_callbacks_set_on_stream_close_callback(c, callbacks::closed);
  nghttp2_option_set_no_http_messaging(how, 1); // see request_rules
  nghttp2_option_set_stream_reset_rate_limit(how, resets_burst, resets_a_second);
  const int made = nghttp2_session_server_new2(&session_, c, this, how);
  nghttp2_option_del(how);
  nghttp2_session_callbacks_del(c);
  QUORUMD_INVARIANT(made == 0, "there is memory");
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, o.streams_max},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, o.stream_window},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, header_list_max},
  };
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, static_cast<std::int32_t>(o.connection_window));
}

http2_session::~http2_session() {
  nghttp2_session_del(session_);
}

/// Nothing: it is over, or refused.
http2_session::stream* http2_session::heard(std::int32_t id) {
  const auto found = streams_.find(id);
  return found != streams_.end() && !found->second.malformed ? &found->second : nullptr;
}

void http2_session::refuse(std::int32_t id, stream& s) {
  s.malformed = true;
  reset(id, NGHTTP2_PROTOCOL_ERROR);
}

bool http2_session::receive(std::span<const std::byte> bytes) {
  const ssize_t n =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (n < 0) {
    nghttp2_session_terminate_session(session_, NGHTTP2_PROTOCOL_ERROR);
    return false;
  }
  return true;
}

void http2_session::send(wire::byte_buffer& out, std::size_t bytes_max) {
  while (out.size() < bytes_max) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t n = nghttp2_session_mem_send(session_, &bytes);
    if (n <= 0) return;
    out.append(std::as_bytes(std::span(bytes, static_cast<std::size_t>(n))));
  }
}

bool http2_session::wants_to_send() const {
  return nghttp2_session_want_write(session_) != 0;
}

bool http2_session::ended() const {
  return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

void http2_session::answer(std::int32_t id, const headers& h) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || std::exchange(found->second.answered, true)) return;
  const auto pairs = pairs_of(h);
  nghttp2_submit_response(session_, id, pairs.data(), pairs.size(), nullptr);
}

bool http2_session::is_answered(std::int32_t id) const {
  const auto found = streams_.find(id);
  return found != streams_.end() && found->second.answered;
}

void http2_session::begin_answer(std::int32_t id, const headers& h) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || std::exchange(found->second.answered, true)) return;
  nghttp2_data_provider body{};
  body.read_callback = callbacks::read;
  const auto pairs = pairs_of(h);
  nghttp2_submit_response(session_, id, pairs.data(), pairs.size(), &body);
}

void http2_session::add(std::int32_t id, std::span<const std::byte> bytes) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  found->second.body.append(bytes);
  unsent_ += bytes.size();
  if (std::exchange(found->second.deferred, false)) nghttp2_session_resume_data(session_, id);
}

void http2_session::end(std::int32_t id, const headers& trailers) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  for (const auto& [name, value] : trailers) found->second.trailers.emplace_back(name, value);
  found->second.ended = true;
  if (std::exchange(found->second.deferred, false)) nghttp2_session_resume_data(session_, id);
}

void http2_session::reset(std::int32_t id, std::uint32_t code) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, code);
}

void http2_session::go_away() {
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
}

void http2_session::drop() {
  for (auto& [id, s] : streams_) s.body.clear();
  unsent_ = 0;
}

} // namespace quorumd::clients::etcd
