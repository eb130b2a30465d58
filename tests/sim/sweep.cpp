#include "tests/sim/sweep.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <stdexcept>

namespace quorumd::sim {
namespace {

constexpr std::uint64_t twice_every = 100;
/// Wall-clock time after which a run is taken for hanging.
constexpr int patience_ms = 120'000;

/// What a child writes to its pipe: this, then the complaint.
struct report {
  counters counts;
  std::uint64_t hash = 0;
  std::uint64_t steps = 0;
};

void write_all(int fd, const void* data, std::size_t bytes) {
  const char* at = static_cast<const char*>(data);
  while (bytes != 0) {
    const ssize_t n = ::write(fd, at, bytes);
    if (n <= 0) ::_exit(3);
    at += n;
    bytes -= static_cast<std::size_t>(n);
  }
}

[[noreturn]] void run_child(std::uint64_t seed, std::string_view mutant, int out, int err) {
  ::dup2(err, STDERR_FILENO);
  write_report(seed, mutant, out);
  ::_exit(0);
}

[[noreturn]] void exec_child(std::uint64_t seed, std::string_view mutant, int out, int err) {
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  const std::string number = std::to_string(seed);
  const std::string name(mutant);
  if (name.empty())
    ::execl("/proc/self/exe", "quorumd_sim", "--seed", number.c_str(), "--report", static_cast<char*>(nullptr));
  else
    ::execl("/proc/self/exe", "quorumd_sim", "--seed", number.c_str(), "--report", "--mutant", name.c_str(),
            static_cast<char*>(nullptr));
  ::_exit(3);
}

struct child {
  std::uint64_t seed = 0;
  pid_t pid = 0;
  int out = -1;
  int err = -1;
  std::string output;
  std::string errors;
  std::chrono::steady_clock::time_point since;
  bool again = false;
};

class sweeper {
 public:
  explicit sweeper(const sweep_options& o)
      : options_(o)
      , next_(o.first) {}

  sweep_result run() {
    const auto begin = std::chrono::steady_clock::now();
    while (more() || !running_.empty()) {
      while (running_.size() < options_.jobs && more()) start(next_++, false);
      wait();
    }
    result_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::sort(result_.failures.begin(), result_.failures.end(),
              [](const sweep_failure& a, const sweep_failure& b) { return a.seed < b.seed; });
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool more() const {
    return next_ <= options_.last && !(options_.stop_at_first && !result_.failures.empty());
  }

  void start(std::uint64_t seed, bool again) {
    int out[2];
    int err[2];
    if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    std::fflush(stdout);
    const pid_t pid = ::fork();
    if (pid < 0) throw std::runtime_error("fork failed");
    if (pid == 0) {
      if (again) exec_child(seed, options_.mutant, out[1], err[1]);
      run_child(seed, options_.mutant, out[1], err[1]);
    }
    ::close(out[1]);
    ::close(err[1]);
    child c;
    c.seed = seed;
    c.pid = pid;
    c.out = out[0];
    c.err = err[0];
    c.since = std::chrono::steady_clock::now();
    c.again = again;
    running_.push_back(std::move(c));
  }

  void wait() {
    std::vector<pollfd> fds;
    for (const child& c : running_) {
      fds.push_back({c.out, POLLIN, 0});
      fds.push_back({c.err, POLLIN, 0});
    }
    ::poll(fds.data(), fds.size(), 1000);
    for (std::size_t i = running_.size(); i-- != 0;) {
      child& c = running_[i];
      if (fds[2 * i].revents != 0) read_some(c.out, c.output);
      if (fds[2 * i + 1].revents != 0) read_some(c.err, c.errors);
      const bool late = std::chrono::steady_clock::now() - c.since > std::chrono::milliseconds(patience_ms);
      if (late) ::kill(c.pid, SIGKILL);
      if (c.out >= 0 && !late) continue;
      child done = std::move(c);
      running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
      finish(std::move(done), late);
    }
  }

  static void read_some(int& fd, std::string& into) {
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

  void finish(child c, bool late) {
    while (c.err >= 0) read_some(c.err, c.errors);
    if (c.out >= 0) ::close(c.out);
    int status = 0;
    ::waitpid(c.pid, &status, 0);
    report what;
    std::string complaint;
    if (late) {
      complaint = "still running after " + std::to_string(patience_ms / 1000) + " s";
    } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || c.output.size() < sizeof what) {
      complaint =
          "the process ended: " + (c.errors.empty() ? "status " + std::to_string(status) : first_line(c.errors));
    } else {
      std::memcpy(&what, c.output.data(), sizeof what);
      complaint = c.output.substr(sizeof what);
    }
    if (c.again)
      compare(c.seed, what.hash, complaint);
    else
      count(c.seed, what, std::move(complaint));
  }

  void count(std::uint64_t seed, const report& what, std::string complaint) {
    ++result_.runs;
    result_.steps += what.steps;
    result_.counts.add(what.counts);
    if (!complaint.empty()) {
      if (!options_.quiet) {
        std::printf("seed %" PRIu64 " FAILED: %s\n  replay: %s\n", seed, complaint.c_str(),
                    replay_command(seed, options_.mutant).c_str());
        std::fflush(stdout);
      }
      result_.failures.push_back({seed, std::move(complaint)});
    } else if (options_.twice || seed % twice_every == 0 || seed == options_.first) {
      hashes_[seed] = what.hash;
      start(seed, true);
    }
  }

  void compare(std::uint64_t seed, std::uint64_t hash, const std::string& complaint) {
    if (complaint.empty() && hash == hashes_[seed]) return;
    result_.failures.push_back({seed, "not deterministic: a second process had another trace " + complaint});
    if (!options_.quiet) std::printf("seed %" PRIu64 " FAILED: %s\n", seed, result_.failures.back().why.c_str());
  }

  static std::string first_line(const std::string& s) { return s.substr(0, s.find('\n')); }

  sweep_options options_;
  std::uint64_t next_;
  std::vector<child> running_;
  std::map<std::uint64_t, std::uint64_t> hashes_;
  sweep_result result_;
};

} // namespace

void write_report(std::uint64_t seed, std::string_view mutant, int fd) {
  const run_result r = run_seed(seed, mutant.empty() ? mutants{} : *find_mutant(mutant), false);
  const report what{r.counts, r.hash, r.steps};
  write_all(fd, &what, sizeof what);
  write_all(fd, r.complaint.data(), r.complaint.size());
}

sweep_result sweep(const sweep_options& o) {
  return sweeper(o).run();
}

std::string replay_command(std::uint64_t seed, std::string_view mutant) {
  std::string s = "./dev sim --seed " + std::to_string(seed);
  if (!mutant.empty()) s += " --mutant " + std::string(mutant);
  return s;
}

} // namespace quorumd::sim
