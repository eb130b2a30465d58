#include "tests/cluster/raw_client.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace quorumd::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

bool wait_for(int fd, short what, steady_clock::time_point until) {
  for (;;) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - steady_clock::now());
    pollfd p{fd, what, 0};
    const int n = ::poll(&p, 1, static_cast<int>(std::max<milliseconds::rep>(left.count(), 0)));
    if (n >= 0 || errno != EINTR) return n > 0;
  }
}

} // namespace

raw_connection::raw_connection(const place& at, int receive_buffer_bytes)
    : reader_(client::client_reply_frame_max, std::size_t{64} * 1024) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (receive_buffer_bytes != 0) ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof(int));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(at.port);
  int failed = 1;
  socklen_t size = sizeof failed;
  const bool good = ::inet_pton(AF_INET, at.ip.c_str(), &to.sin_addr) == 1 &&
                    (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0 || errno == EINPROGRESS) &&
                    wait_for(fd, POLLOUT, steady_clock::now() + std::chrono::seconds(2)) &&
                    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) == 0 && failed == 0;
  if (good)
    fd_ = fd;
  else
    ::close(fd);
}

raw_connection::~raw_connection() {
  if (fd_ >= 0) ::close(fd_);
}

bool raw_connection::send(std::string_view bytes, milliseconds at_most) {
  const auto until = steady_clock::now() + at_most;
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno != EAGAIN || !wait_for(fd_, POLLOUT, until)) {
      return false;
    }
  }
  return true;
}

bool raw_connection::send(const wire::byte_buffer& frames) {
  return send({reinterpret_cast<const char*>(frames.bytes().data()), frames.bytes().size()});
}

bool raw_connection::closed_within(milliseconds at_most, std::string* said) {
  const auto until = steady_clock::now() + at_most;
  char heard[4096];
  for (;;) {
    if (!wait_for(fd_, POLLIN, until)) return false;
    const ssize_t n = ::recv(fd_, heard, sizeof heard, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return true;
    if (said != nullptr && n > 0) said->append(heard, static_cast<std::size_t>(n));
  }
}

bool raw_connection::says(std::string_view part, std::string& said, std::size_t from, milliseconds at_most) {
  const auto until = steady_clock::now() + at_most;
  char heard[4096];
  while (said.find(part, from) == std::string::npos) {
    if (!wait_for(fd_, POLLIN, until)) return false;
    const ssize_t n = ::recv(fd_, heard, sizeof heard, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return false;
    if (n > 0) said.append(heard, static_cast<std::size_t>(n));
  }
  return true;
}

std::uint16_t raw_connection::local_port() const {
  sockaddr_in here{};
  socklen_t size = sizeof here;
  if (::getsockname(fd_, reinterpret_cast<sockaddr*>(&here), &size) != 0) return 0;
  return ntohs(here.sin_port);
}

bool raw_connection::vanish() {
  const int on = 1;
  if (::setsockopt(fd_, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) != 0) return false;
  ::close(std::exchange(fd_, -1));
  return true;
}

std::optional<client::client_reply> raw_connection::receive(milliseconds at_most) {
  const auto until = steady_clock::now() + at_most;
  for (;;) {
    const auto frame = reader_.next();
    if (!frame) return std::nullopt;
    if (*frame) {
      const auto reply = client::decode_reply(**frame);
      if (!reply) return std::nullopt;
      return *reply;
    }
    const auto into = reader_.prepare();
    if (fd_ < 0 || !wait_for(fd_, POLLIN, until)) return std::nullopt;
    const ssize_t n = ::recv(fd_, into.data(), into.size(), 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return std::nullopt;
    if (n > 0) reader_.commit(static_cast<std::size_t>(n));
  }
}

outcome put_once(const place& at, std::string_view key, std::string_view value, milliseconds deadline) {
  outcome o;
  const auto began = steady_clock::now();
  raw_connection c(at);
  wire::byte_buffer out;
  client::encode_request(out, 1, deadline, kv::command(kv::put{.key = key, .value = value}));
  if (!c.connected() || !c.send(out)) return o;
  const auto reply = c.receive(deadline + std::chrono::seconds(10));
  o.took = std::chrono::duration_cast<milliseconds>(steady_clock::now() - began);
  o.answered = reply.has_value();
  if (!o.answered) return o;
  if (const auto* e = std::get_if<client::client_error>(&reply->body)) {
    o.code = e->code;
    o.text = e->text;
  }
  return o;
}

std::optional<client::status_row> own_status(const place& at) {
  raw_connection c(at);
  wire::byte_buffer out;
  const std::chrono::seconds patience(2);
  client::encode_request(out, 1, patience, client::status_request{.all = false});
  if (!c.connected() || !c.send(out)) return std::nullopt;
  const auto reply = c.receive(patience);
  if (!reply) return std::nullopt;
  const auto* s = std::get_if<client::status_reply>(&reply->body);
  if (s == nullptr || s->rows.empty()) return std::nullopt;
  return s->rows.front();
}

} // namespace quorumd::testing
