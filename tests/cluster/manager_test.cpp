#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <memory>
#include <string>

// What the daemon tells the service manager that started it.
namespace quorumd::testing {
namespace {

/// The socket that a service manager has for it.
class notify_socket {
 public:
  explicit notify_socket(std::string path)
      : path_(std::move(path))
      , fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    REQUIRE(path_.size() < sizeof at.sun_path);
    std::memcpy(at.sun_path, path_.c_str(), path_.size());
    REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
    const timeval patience{.tv_sec = 20, .tv_usec = 0};
    REQUIRE(::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
  }
  notify_socket(const notify_socket&) = delete;
  notify_socket& operator=(const notify_socket&) = delete;
  ~notify_socket() {
    ::close(fd_);
    ::unlink(path_.c_str());
  }

  [[nodiscard]] const std::string& path() const { return path_; }
  /// All that is said until something with that text is; empty if that never is.
  std::string said_until(const std::string& text) {
    std::string all;
    while (all.find(text) == std::string::npos) {
      char line[512];
      const ssize_t n = ::recv(fd_, line, sizeof line, 0);
      if (n < 0) return {};
      all.append(line, static_cast<std::size_t>(n)).push_back('\n');
    }
    return all;
  }

 private:
  std::string path_;
  int fd_;
};

} // namespace

// A start that has a log to replay asks for more time before it is ready; a stop says how long it may take, which is
// what shutdown.grace says and not what the unit does.
TEST_CASE("the service manager is told of starts and stops") {
  cluster c("manager", {.nodes = 1});
  c.start(0);
  c.wait_healthy(0);
  REQUIRE(c.anywhere({"put", "key", "value"}).code == 0);
  REQUIRE(c.stop(0) == 0);

  notify_socket manager("/tmp/quorumd-manager-" + std::to_string(::getpid()) + ".sock");
  launch l;
  l.arguments = {quorumd_program(), "serve", "--config", c.config(0), "--set", "shutdown.grace=100s"};
  l.environment = {"NOTIFY_SOCKET=" + manager.path()};
  process daemon(l);
  const std::string start = manager.said_until("READY=1");
  CHECK(start.find("EXTEND_TIMEOUT_USEC=30000000") != std::string::npos);
  daemon.signal(SIGTERM);
  const std::string stop = manager.said_until("STOPPING=1");
  CHECK(stop.find("EXTEND_TIMEOUT_USEC=115000000") != std::string::npos);
  CHECK(daemon.wait(seconds(20)) == 0);
}

} // namespace quorumd::testing
