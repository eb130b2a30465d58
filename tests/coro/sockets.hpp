#pragma once

#include "coro/asio_network.hpp"
#include "tests/coro/pool.hpp"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace quorumd::coro::test {

using namespace std::chrono_literals;
using stream_ptr = std::unique_ptr<stream>;
using acceptor_ptr = std::unique_ptr<acceptor>;
using boost::system::error_code;
using boost::system::result;
namespace errors = boost::asio::error;

/// A directory for sockets, removed afterwards.
class socket_directory {
 public:
  socket_directory() {
    std::string name = (std::filesystem::temp_directory_path() / "coro-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
  }
  socket_directory(const socket_directory&) = delete;
  socket_directory& operator=(const socket_directory&) = delete;
  ~socket_directory() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline task<void> accept_into(acceptor* a, loop* owner, stream_ptr* out) {
  auto accepted = co_await a->accept(*owner);
  *out = std::move(accepted.value());
}

/// Two ends of a connection over TCP, or over a Unix socket if a path is given.
inline task<void> connect_pair(loop* l, std::string path, stream_ptr* client, stream_ptr* server) {
  asio_network net;
  acceptor_ptr a = path.empty() ? net.listen(*l, {"127.0.0.1", 0}).value() : net.listen_local(*l, path).value();
  task_group g(*l);
  g.spawn(accept_into(a.get(), l, server));
  auto dialed = path.empty() ? net.connect(*l, a->local(), 5s) : net.connect_local(*l, path);
  auto connected = co_await std::move(dialed);
  REQUIRE_MESSAGE(connected, connected.error().message());
  *client = std::move(*connected);
  co_await g.join();
}

/// A listening socket that accepts nobody and whose queue is full: a dial to it hangs.
class full_listener {
 public:
  full_listener() {
    fds_[0] = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    if (::bind(fds_[0], reinterpret_cast<sockaddr*>(&at), size) != 0 || ::listen(fds_[0], 0) != 0)
      throw std::runtime_error("cannot listen");
    ::getsockname(fds_[0], reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
    for (int i = 1; i < 4; ++i) {
      fds_[i] = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
      (void)::connect(fds_[i], reinterpret_cast<sockaddr*>(&at), size);
    }
  }
  full_listener(const full_listener&) = delete;
  full_listener& operator=(const full_listener&) = delete;
  ~full_listener() {
    for (const int fd : fds_) ::close(fd);
  }
  [[nodiscard]] endpoint at() const { return {"127.0.0.1", port_}; }

 private:
  int fds_[4];
  std::uint16_t port_ = 0;
};

} // namespace quorumd::coro::test
