#include "tests/daemon/clients/etcd/grpc_client.hpp"

#include <doctest/doctest.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace quorumd::testing {
namespace {

nghttp2_nv header_pair(const std::string& name, const std::string& value) {
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NONE};
}

constexpr std::size_t prefix = 5;
std::size_t length_of(std::string_view framed) {
  std::size_t n = 0;
  for (const char c : framed.substr(1, 4)) n = n << 8 | static_cast<unsigned char>(c);
  return n;
}

} // namespace

struct grpc_client::callbacks {
  static grpc_client& of(void* user) { return *static_cast<grpc_client*>(user); }

  static int header(nghttp2_session*, const nghttp2_frame* f, const std::uint8_t* name, std::size_t name_bytes,
                    const std::uint8_t* value, std::size_t value_bytes, std::uint8_t, void* user) {
    answer& a = of(user).answers_[f->hd.stream_id];
    const std::string_view n(reinterpret_cast<const char*>(name), name_bytes);
    const std::string v(reinterpret_cast<const char*>(value), value_bytes);
    if (n == ":status") a.http = v;
    if (n == "grpc-status") a.code = v;
    if (n == "grpc-message") a.text = v;
    return 0;
  }
  static int data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes, std::size_t n,
                  void* user) {
    of(user).answers_[id].body.append(reinterpret_cast<const char*>(bytes), n);
    return 0;
  }
  static int closed(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) {
    of(user).answers_[id].closed = true;
    of(user).answers_[id].reset = code;
    return 0;
  }
  static int frame(nghttp2_session*, const nghttp2_frame* f, void* user) {
    if (f->hd.type == NGHTTP2_GOAWAY) of(user).told_to_go_ = true;
    if (f->hd.type == NGHTTP2_HEADERS) ++of(user).answers_[f->hd.stream_id].blocks;
    return 0;
  }
  static ssize_t read(nghttp2_session*, std::int32_t id, std::uint8_t* into, std::size_t most, std::uint32_t* flags,
                      nghttp2_data_source*, void* user) {
    outgoing& o = of(user).bodies_[id];
    const std::size_t n = std::min(most, o.body.size() - o.sent);
    std::memcpy(into, o.body.data() + o.sent, n);
    o.sent += n;
    if (o.sent == o.body.size()) {
      if (!o.ends && n == 0) return NGHTTP2_ERR_DEFERRED;
      if (o.ends) *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return static_cast<ssize_t>(n);
  }
};

grpc_client::grpc_client(const place& at, std::uint32_t window) {
  fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(at.port);
  REQUIRE(::inet_pton(AF_INET, at.ip.c_str(), &to.sin_addr) == 1);
  REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
  nghttp2_session_callbacks* c = nullptr;
  REQUIRE(nghttp2_session_callbacks_new(&c) == 0);
  nghttp2_session_callbacks_set_on_header_callback(c, callbacks::header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, callbacks::data);
  nghttp2_session_callbacks_set_on_stream_close_callback(c, callbacks::closed);
  nghttp2_session_callbacks_set_on_frame_recv_callback(c, callbacks::frame);
  REQUIRE(nghttp2_session_client_new(&session_, c, this) == 0);
  nghttp2_session_callbacks_del(c);
  const nghttp2_settings_entry mine{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, &mine, 1);
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, 1 << 30);
}

grpc_client::~grpc_client() {
  nghttp2_session_del(session_);
  ::close(fd_);
}

std::int32_t grpc_client::begin(std::string_view path, std::string body, const headers& more, bool ends) {
  headers all{{":method", "POST"},
              {":scheme", "http"},
              {":path", std::string(path)},
              {":authority", "test"},
              {"content-type", "application/grpc"},
              {"te", "trailers"}};
  for (const auto& [name, value] : more) {
    const auto same = std::find_if(all.begin(), all.end(), [&](const auto& h) { return h.first == name; });
    if (same != all.end())
      same->second = value;
    else
      all.emplace_back(name, value);
  }
  std::vector<nghttp2_nv> pairs;
  for (const auto& [name, value] : all) pairs.push_back(header_pair(name, value));
  nghttp2_data_provider from{};
  from.read_callback = callbacks::read;
  const std::int32_t id = nghttp2_submit_request(session_, nullptr, pairs.data(), pairs.size(), &from, nullptr);
  REQUIRE(id > 0);
  bodies_[id] = {.body = std::move(body), .sent = 0, .ends = ends};
  return id;
}

void grpc_client::reset(std::int32_t stream) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
}

void grpc_client::say_bytes(std::int32_t stream, std::string_view bytes) {
  bodies_[stream].body += bytes;
  nghttp2_session_resume_data(session_, stream);
}

void grpc_client::say(std::int32_t stream, const google::protobuf::MessageLite& m) {
  say_bytes(stream, framed(m));
}

void grpc_client::half_close(std::int32_t stream) {
  bodies_[stream].ends = true;
  nghttp2_session_resume_data(session_, stream);
}

void grpc_client::open_window(std::int32_t stream, std::int32_t bytes) {
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, stream, bytes);
}

bool grpc_client::has_message(std::int32_t stream) {
  const std::string& body = answers_[stream].body;
  return body.size() >= prefix && body.size() - prefix >= length_of(body);
}

std::string grpc_client::next_message(std::int32_t stream, std::chrono::milliseconds at_most) {
  const auto until = std::chrono::steady_clock::now() + at_most;
  while (!has_message(stream) && !answers_[stream].closed && std::chrono::steady_clock::now() < until)
    if (!turn(std::chrono::milliseconds(20))) break;
  if (!has_message(stream)) return {};
  std::string& body = answers_[stream].body;
  std::string message = body.substr(prefix, length_of(body));
  body.erase(0, prefix + message.size());
  return message;
}

bool grpc_client::silent(std::int32_t stream, std::chrono::milliseconds so_long) {
  const auto until = std::chrono::steady_clock::now() + so_long;
  while (!has_message(stream) && std::chrono::steady_clock::now() < until)
    if (!turn(std::chrono::milliseconds(20))) break;
  return !has_message(stream);
}

bool grpc_client::turn(std::chrono::milliseconds at_most) {
  for (const std::uint8_t* bytes = nullptr;;) {
    const ssize_t n = nghttp2_session_mem_send(session_, &bytes);
    if (n <= 0) break;
    pending_.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(n));
  }
  pollfd p{.fd = fd_, .events = static_cast<short>(POLLIN | (pending_.empty() ? 0 : POLLOUT)), .revents = 0};
  if (::poll(&p, 1, static_cast<int>(at_most.count())) <= 0) return true;
  if ((p.revents & POLLOUT) != 0) {
    const ssize_t n = ::send(fd_, pending_.data(), pending_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) pending_.erase(0, static_cast<std::size_t>(n));
  }
  if ((p.revents & (POLLIN | POLLHUP)) == 0) return true;
  std::vector<std::uint8_t> into(65536);
  const ssize_t n = ::recv(fd_, into.data(), into.size(), MSG_DONTWAIT);
  if (n == 0) return false;
  if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
  bytes_read_ += static_cast<std::size_t>(n);
  return nghttp2_session_mem_recv(session_, into.data(), static_cast<std::size_t>(n)) >= 0;
}

grpc_client::answer grpc_client::wait(std::int32_t stream, std::chrono::milliseconds at_most) {
  const auto until = std::chrono::steady_clock::now() + at_most;
  while (!answers_[stream].closed && std::chrono::steady_clock::now() < until)
    if (!turn(std::chrono::milliseconds(50))) break;
  return answers_[stream];
}

grpc_client::answer grpc_client::call(std::string_view path, const google::protobuf::MessageLite& m,
                                      const headers& more) {
  return wait(begin(path, framed(m), more));
}

std::string grpc_client::framed(const google::protobuf::MessageLite& m) {
  const std::string content = m.SerializeAsString();
  std::string all(5, '\0');
  for (std::size_t i = 0; i < 4; ++i) all[4 - i] = static_cast<char>(content.size() >> (8 * i));
  return all + content;
}

} // namespace quorumd::testing
