#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace quorumd::sim {

/// What came of a process that children started.
struct ended_child {
  std::uint64_t tag = 0;
  std::string output;
  std::string why; ///< empty: it ended well; else how it did not, with the first line of what it said
};

/// Processes that each do one thing and write what came of it: a broken invariant ends only its own.
class children {
 public:
  children() = default;
  children(const children&) = delete;
  children& operator=(const children&) = delete;
  /// Ends those that still run.
  ~children();

  /// A process that calls `work` with the file descriptor to write to, and ends well if that returns. Throws
  /// std::runtime_error if the system has no room for another.
  void start(std::uint64_t tag, const std::function<void(int out)>& work);
  [[nodiscard]] std::size_t running() const { return running_.size(); }
  /// Those that ended, after waiting a second for any at the most. What runs for two minutes is ended.
  [[nodiscard]] std::vector<ended_child> wait();

 private:
  struct child {
    std::uint64_t tag = 0;
    pid_t pid = 0;
    int out = -1;
    int err = -1;
    std::string output;
    std::string errors;
    std::chrono::steady_clock::time_point since;
  };
  static void read_some(int& fd, std::string& into);
  [[nodiscard]] static ended_child finish(child c, bool late);

  std::vector<child> running_;
};

/// Writes all of it, or ends the process.
void write_all(int fd, const void* data, std::size_t bytes);

} // namespace quorumd::sim
