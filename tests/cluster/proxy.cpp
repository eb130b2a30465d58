#include "tests/cluster/proxy.hpp"

#include "wire/peer_codec.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace quorumd::testing {
namespace {

constexpr std::size_t waiting_bytes_max = std::size_t{1024} * 1024;
constexpr std::size_t hello_bytes_max = std::size_t{1024} * 1024;

sockaddr_in address(const place& at) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(at.port);
  if (::inet_pton(AF_INET, at.ip.c_str(), &a.sin_addr) != 1) throw std::runtime_error("bad address " + at.ip);
  return a;
}

int listen_at(const place& at) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in a = address(at);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&a), sizeof a) != 0 || ::listen(fd, 64) != 0)
    throw std::runtime_error("the proxy cannot listen on " + at.ip + ":" + std::to_string(at.port));
  return fd;
}

void no_delay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

} // namespace

proxy::proxy(std::vector<member> members)
    : members_(std::move(members))
    , count_(members_.size() + 1)
    , wake_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))
    , rules_(count_ * count_) {
  for (const member& m : members_) listening_.push_back(listen_at(m.listen));
  thread_ = std::thread([this] { run(); });
}

proxy::~proxy() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake();
  thread_.join();
  for (stream& s : streams_) close(s, false);
  for (const int fd : listening_) ::close(fd);
  ::close(wake_fd_);
}

void proxy::wake() {
  const std::uint64_t one = 1;
  if (::write(wake_fd_, &one, sizeof one) < 0 && errno != EAGAIN) throw std::runtime_error("the proxy cannot be woken");
}

void proxy::set(std::size_t from, std::size_t to, link l) {
  {
    const std::lock_guard lock(mutex_);
    between(from, to).state = l;
  }
  wake();
}

void proxy::set_delay(std::size_t from, std::size_t to, std::chrono::milliseconds d) {
  const std::lock_guard lock(mutex_);
  between(from, to).delay = d;
}

void proxy::isolate(std::size_t i, link l) {
  for (std::size_t other = 0; other < members_.size(); ++other) {
    if (other == i) continue;
    set(i, other, l);
    set(other, i, l);
  }
}

void proxy::heal() {
  {
    const std::lock_guard lock(mutex_);
    std::fill(rules_.begin(), rules_.end(), rule{});
  }
  wake();
}

void proxy::reset_mid_frame(std::size_t from, std::size_t to) {
  const std::lock_guard lock(mutex_);
  between(from, to).reset = true;
}

std::uint64_t proxy::resets() const {
  const std::lock_guard lock(mutex_);
  return resets_;
}

void proxy::close(stream& s, bool reset) {
  s.dead = true;
  for (int& fd : s.fd) {
    if (fd < 0) continue;
    const linger at_once{1, 0};
    if (reset) ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::close(std::exchange(fd, -1));
  }
}

void proxy::accept_from(std::size_t i) {
  const int fd = ::accept4(listening_[i], nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  no_delay(fd);
  stream& s = streams_.emplace_back();
  s.fd[0] = fd;
  s.callee = i;
}

/// Who dials stands in the first frame, which is passed on like everything else.
void proxy::identify(stream& s) {
  constexpr std::size_t header = wire::frame_header_bytes;
  if (s.hello.size() < header) return;
  std::uint32_t words = 0;
  std::memcpy(&words, s.hello.data() + 4, sizeof words);
  const std::size_t size = std::size_t{words} * 8;
  std::size_t caller = members_.size();
  if (size <= hello_bytes_max) {
    if (s.hello.size() < header + size) return;
    std::vector<std::uint64_t> aligned(words);
    std::memcpy(aligned.data(), s.hello.data() + header, size);
    const auto first = wire::decode_greeting(std::as_bytes(std::span(aligned)));
    if (first)
      if (const auto* h = std::get_if<wire::hello>(&*first))
        for (std::size_t i = 0; i < members_.size(); ++i)
          if (members_[i].id == h->id) caller = i;
  }
  s.known = true;
  s.way[0] = {.from = caller, .to = s.callee, .waiting = {}, .waiting_bytes = s.hello.size()};
  s.way[1] = {.from = s.callee, .to = caller, .waiting = {}};
  s.way[0].waiting.push_back({clock::now() + between(caller, s.callee).delay, std::exchange(s.hello, {})});
}

void proxy::connect_target(stream& s) {
  s.connected = true;
  s.fd[1] = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in a = address(members_[s.callee].target);
  // Both ends are on this machine: it succeeds or fails at once.
  if (::connect(s.fd[1], reinterpret_cast<const sockaddr*>(&a), sizeof a) != 0) close(s, true);
  no_delay(s.fd[1]);
}

void proxy::read_from(stream& s, int side) {
  char bytes[65536];
  const ssize_t n = ::recv(s.fd[side], bytes, sizeof bytes, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n < 0 || (n == 0 && !s.known)) {
    close(s, n < 0);
    return;
  }
  if (!s.known) {
    s.hello.append(bytes, static_cast<std::size_t>(n));
    identify(s);
    return;
  }
  direction& d = s.way[side];
  if (n == 0) {
    d.ended = true;
    return;
  }
  d.waiting.push_back({clock::now() + between(d.from, d.to).delay, std::string(bytes, static_cast<std::size_t>(n))});
  d.waiting_bytes += static_cast<std::size_t>(n);
}

void proxy::forward(stream& s, int side) {
  direction& d = s.way[side];
  piece& p = d.waiting.front();
  rule& r = between(d.from, d.to);
  std::size_t size = p.bytes.size();
  // Frames are multiples of eight bytes, so that an odd number of bytes ends within one.
  const bool reset = r.reset && size > 64;
  if (reset) size = size / 2 + ((d.forwarded + size / 2) % 2 == 0 ? 1 : 0);
  const ssize_t n = ::send(s.fd[1 - side], p.bytes.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n < 0 || reset) {
    if (reset) {
      r.reset = false;
      ++resets_;
    }
    close(s, true);
    return;
  }
  d.forwarded += static_cast<std::uint64_t>(n);
  d.waiting_bytes -= static_cast<std::size_t>(n);
  p.bytes.erase(0, static_cast<std::size_t>(n));
  if (p.bytes.empty()) d.waiting.pop_front();
}

bool proxy::wants_read(const stream& s, int side) {
  if (s.fd[side] < 0 || s.way[side].ended) return false;
  return s.way[side].waiting_bytes < waiting_bytes_max;
}

bool proxy::wants_write(const stream& s, int side, clock::time_point now) {
  const direction& d = s.way[side];
  return s.known && !d.waiting.empty() && d.waiting.front().due <= now && between(d.from, d.to).state == link::open;
}

void proxy::run() {
  for (;;) {
    std::vector<pollfd> polled{{wake_fd_, POLLIN, 0}};
    for (const int fd : listening_) polled.push_back({fd, POLLIN, 0});
    int timeout = -1;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      const auto now = clock::now();
      for (stream& s : streams_) {
        if (s.known && (between(s.way[0].from, s.way[0].to).state == link::cut ||
                        between(s.way[1].from, s.way[1].to).state == link::cut))
          close(s, true);
        if (!s.dead && !s.connected && wants_write(s, 0, now)) connect_target(s);
        for (int side = 0; side < 2 && !s.dead; ++side)
          if (s.way[side].ended && s.way[side].waiting.empty()) close(s, false);
      }
      std::erase_if(streams_, [](const stream& s) { return s.dead; });
      for (const stream& s : streams_)
        for (int side = 0; side < 2; ++side) {
          short events = wants_read(s, side) ? POLLIN : 0;
          if (wants_write(s, 1 - side, now)) events |= POLLOUT;
          polled.push_back({events == 0 ? -1 : s.fd[side], events, 0});
          const auto& waiting = s.way[side].waiting;
          if (!waiting.empty() && waiting.front().due > now) timeout = 1;
        }
    }
    if (::poll(polled.data(), polled.size(), timeout) < 0 && errno != EINTR) return;
    std::uint64_t woken = 0;
    if (polled[0].revents != 0 && ::read(wake_fd_, &woken, sizeof woken) < 0) continue;
    const std::lock_guard lock(mutex_);
    std::size_t at = 1 + listening_.size();
    const std::size_t known_streams = (polled.size() - at) / 2;
    auto s = streams_.begin();
    for (std::size_t k = 0; k < known_streams; ++k, ++s)
      for (int side = 0; side < 2; ++side, ++at) {
        const short got = polled[at].revents;
        if (!s->dead && (got & (POLLIN | POLLHUP | POLLERR)) != 0 && wants_read(*s, side)) read_from(*s, side);
        if (!s->dead && (got & POLLOUT) != 0 && wants_write(*s, 1 - side, clock::now())) forward(*s, 1 - side);
      }
    for (std::size_t i = 0; i < listening_.size(); ++i)
      if (polled[1 + i].revents != 0) accept_from(i);
  }
}

} // namespace quorumd::testing
