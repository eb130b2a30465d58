#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace quorumd::testing {

/// What to start, and how.
struct launch {
  std::vector<std::string> arguments;   ///< the program's path first
  std::vector<std::string> environment; ///< NAME=VALUE, beside what this process has
  std::string output = "/dev/null";     ///< a file that standard output is appended to
  std::string errors = "/dev/null";     ///< the same for standard error
  bool feed = false;                    ///< standard input is a pipe, see process::feed(); else it is empty
  std::optional<uid_t> user;            ///< runs as that user, with a group of the same number and no others
  std::optional<unsigned> files_max;    ///< RLIMIT_NOFILE
  std::optional<unsigned> file_bytes;   ///< RLIMIT_FSIZE
  std::string control_group;            ///< the file cgroup.procs of the control group that it runs in, if another one
  std::optional<int> network;           ///< a descriptor of the network namespace that it runs in, if another one
};

/// A child process. It does not outlive this object, nor this process, whatever ends either. The thread that starts it
/// must live as long.
class process {
 public:
  explicit process(const launch& l);
  process(process&& other) noexcept;
  process& operator=(process&& other) noexcept;
  ~process();

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool running();
  void signal(int number);
  /// Its exit code, or 128 and the signal's number; nothing if it still runs after that time.
  [[nodiscard]] std::optional<int> wait(std::chrono::milliseconds at_most);
  /// SIGKILL, and waits for the end.
  void kill();

  /// Writes to its standard input; returns when the pipe has taken everything, false if it was closed.
  bool feed(const std::string& bytes);
  void end_of_feed();

 private:
  void close_input();

  pid_t pid_ = -1;
  int input_ = -1;
  std::optional<int> ended_;
};

/// Calls the predicate until it holds; false if it does not within that time.
template <class F>
bool eventually(F holds, std::chrono::milliseconds at_most);

void pause_briefly();

template <class F>
bool eventually(F holds, std::chrono::milliseconds at_most) {
  const auto until = std::chrono::steady_clock::now() + at_most;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until) return false;
    pause_briefly();
  }
  return true;
}

} // namespace quorumd::testing
