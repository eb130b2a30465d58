#include "tests/sim/children.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <stdexcept>
#include <utility>

namespace quorumd::sim {
namespace {

/// Wall-clock time after which a process is taken for hanging.
constexpr int patience_ms = 120'000;

} // namespace

void write_all(int fd, const void* data, std::size_t bytes) {
  const char* at = static_cast<const char*>(data);
  while (bytes != 0) {
    const ssize_t n = ::write(fd, at, bytes);
    if (n <= 0) ::_exit(3);
    at += n;
    bytes -= static_cast<std::size_t>(n);
  }
}

children::~children() {
  for (child& c : running_) {
    ::kill(c.pid, SIGKILL);
    (void)finish(std::move(c), true);
  }
}

void children::start(std::uint64_t tag, const std::function<void(int out)>& work) {
  int out[2];
  int err[2];
  if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  std::fflush(stdout);
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("fork failed");
  if (pid == 0) {
    ::dup2(err[1], STDERR_FILENO);
    work(out[1]);
    ::_exit(0);
  }
  ::close(out[1]);
  ::close(err[1]);
  child c;
  c.tag = tag;
  c.pid = pid;
  c.out = out[0];
  c.err = err[0];
  c.since = std::chrono::steady_clock::now();
  running_.push_back(std::move(c));
}

std::vector<ended_child> children::wait() {
  std::vector<pollfd> fds;
  for (const child& c : running_) {
    fds.push_back({c.out, POLLIN, 0});
    fds.push_back({c.err, POLLIN, 0});
  }
  ::poll(fds.data(), fds.size(), 1000);
  std::vector<ended_child> done;
  for (std::size_t i = running_.size(); i-- != 0;) {
    child& c = running_[i];
    if (fds[2 * i].revents != 0) read_some(c.out, c.output);
    if (fds[2 * i + 1].revents != 0) read_some(c.err, c.errors);
    const bool late = std::chrono::steady_clock::now() - c.since > std::chrono::milliseconds(patience_ms);
    if (late) ::kill(c.pid, SIGKILL);
    if (c.out >= 0 && !late) continue;
    child over = std::move(c);
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
    done.push_back(finish(std::move(over), late));
  }
  return done;
}

void children::read_some(int& fd, std::string& into) {
  if (fd < 0) return;
  char buffer[65536];
  const ssize_t n = ::read(fd, buffer, sizeof buffer);
  if (n > 0) {
    into.append(buffer, static_cast<std::size_t>(n));
  } else {
    ::close(fd);
    fd = -1;
  }
}

ended_child children::finish(child c, bool late) {
  while (c.err >= 0) read_some(c.err, c.errors);
  if (c.out >= 0) ::close(c.out);
  int status = 0;
  ::waitpid(c.pid, &status, 0);
  ended_child e{c.tag, std::move(c.output), {}};
  if (late)
    e.why = "still running after " + std::to_string(patience_ms / 1000) + " s";
  else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    e.why = "the process ended: " +
            (c.errors.empty() ? "status " + std::to_string(status) : c.errors.substr(0, c.errors.find('\n')));
  return e;
}

} // namespace quorumd::sim
