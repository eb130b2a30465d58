#include "tests/cluster/process.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <utility>

namespace quorumd::testing {
namespace {

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (std::string& s : strings) out.push_back(s.data());
  out.push_back(nullptr);
  return out;
}

bool redirect(const char* path, int flags, int to) {
  const int fd = ::open(path, flags, 0644);
  return fd >= 0 && ::dup2(fd, to) == to && ::close(fd) == 0;
}

bool join(const char* control_group) {
  const int fd = ::open(control_group, O_WRONLY | O_CLOEXEC);
  return fd >= 0 && ::write(fd, "0", 1) == 1 && ::close(fd) == 0;
}

/// In the child, between fork and exec: only what a signal handler could call, since the parent may have threads.
[[noreturn]] void become(const launch& l, char* const* arguments, char* const* environment, int input, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  bool good = ::getppid() == parent;
  good = good && (input >= 0 ? ::dup2(input, 0) == 0 : redirect("/dev/null", O_RDONLY, 0));
  good = good && redirect(l.output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 1);
  good = good && redirect(l.errors.c_str(), O_WRONLY | O_CREAT | O_APPEND, 2);
  if (good && l.file_bytes) {
    const rlimit limit{*l.file_bytes, *l.file_bytes};
    good = ::setrlimit(RLIMIT_FSIZE, &limit) == 0;
  }
  if (good && l.files_max) {
    const rlimit limit{*l.files_max, *l.files_max};
    good = ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
  }
  if (good && !l.control_group.empty()) good = join(l.control_group.c_str());
  if (good && l.network) good = ::setns(*l.network, CLONE_NEWNET) == 0;
  if (good && l.user) {
    const auto group = static_cast<gid_t>(*l.user);
    good = ::setgroups(0, nullptr) == 0 && ::setresgid(group, group, group) == 0 &&
           ::setresuid(*l.user, *l.user, *l.user) == 0;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL); // a change of user forgets it
  }
  if (good) ::execve(arguments[0], arguments, environment);
  ::_exit(127);
}

} // namespace

void pause_briefly() {
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

process::process(const launch& l) {
  std::vector<std::string> arguments = l.arguments;
  std::vector<std::string> environment = l.environment;
  for (char** e = environ; *e != nullptr; ++e)
    if (std::strncmp(*e, "QUORUMD_", 8) != 0) environment.emplace_back(*e);
  const auto argv = pointers(arguments);
  const auto envp = pointers(environment);
  int ends[2] = {-1, -1};
  if (l.feed && ::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) become(l, argv.data(), envp.data(), ends[0], parent);
  if (ends[0] >= 0) ::close(ends[0]);
  input_ = ends[1];
  if (pid_ < 0) throw std::runtime_error("fork failed");
}

process::process(process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1))
    , input_(std::exchange(other.input_, -1))
    , ended_(other.ended_) {}

process& process::operator=(process&& other) noexcept {
  if (this == &other) return *this;
  kill();
  pid_ = std::exchange(other.pid_, -1);
  input_ = std::exchange(other.input_, -1);
  ended_ = other.ended_;
  return *this;
}

process::~process() {
  kill();
}

bool process::running() {
  return !wait(std::chrono::milliseconds(0)).has_value();
}

void process::signal(int number) {
  if (pid_ > 0 && !ended_) ::kill(pid_, number);
}

std::optional<int> process::wait(std::chrono::milliseconds at_most) {
  if (pid_ <= 0) return 0;
  const auto look = [this] {
    int status = 0;
    if (!ended_ && ::waitpid(pid_, &status, WNOHANG) == pid_)
      ended_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return ended_.has_value();
  };
  if (!eventually(look, at_most)) return std::nullopt;
  return ended_;
}

void process::kill() {
  close_input();
  if (pid_ <= 0 || ended_) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  ended_ = 128 + SIGKILL;
}

bool process::feed(const std::string& bytes) {
  std::signal(SIGPIPE, SIG_IGN);
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::write(input_, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    done += static_cast<std::size_t>(n);
  }
  return true;
}

void process::end_of_feed() {
  close_input();
}

void process::close_input() {
  if (input_ >= 0) ::close(std::exchange(input_, -1));
}

} // namespace quorumd::testing
