#include "daemon/cli/run_other.hpp"

#include "config/exit_codes.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <spawn.h>
#include <string_view>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace quorumd::cli {
namespace {

constexpr int signalled = 128;

int code_of(int status) {
  return WIFSIGNALED(status) ? signalled + WTERMSIG(status) : WEXITSTATUS(status);
}

std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& variables) {
  std::vector<std::string> all;
  for (char** v = environ; *v != nullptr; ++v) {
    const std::string_view text(*v);
    const std::string_view name = text.substr(0, text.find('='));
    const bool replaced =
        std::any_of(variables.begin(), variables.end(), [&](const auto& p) { return p.first == name; });
    if (!replaced) all.emplace_back(text);
  }
  for (const auto& [name, value] : variables) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& t : texts) all.push_back(t.data());
  all.push_back(nullptr);
  return all;
}

} // namespace

result<pid_t> start_other(const std::vector<std::string>& words,
                          const std::vector<std::pair<std::string, std::string>>& variables) {
  std::vector<std::string> arguments = words;
  std::vector<std::string> environment = environment_with(variables);
  pid_t pid = 0;
  posix_spawnattr_t how;
  ::posix_spawnattr_init(&how);
  sigset_t usual; // which this program ignores
  ::sigemptyset(&usual);
  ::sigaddset(&usual, SIGPIPE);
  ::posix_spawnattr_setsigdefault(&how, &usual);
  ::posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGDEF);
  const int failed = ::posix_spawnp(&pid, words.front().c_str(), nullptr, &how, pointers(arguments).data(),
                                    pointers(environment).data());
  ::posix_spawnattr_destroy(&how);
  if (failed != 0)
    return error(config::exit_code::usage, words.front() + ": " + std::generic_category().message(failed));
  return pid;
}

std::optional<int> end_of_other(pid_t pid) {
  int status = 0;
  if (::waitpid(pid, &status, WNOHANG) == 0) return std::nullopt;
  return code_of(status);
}

result<int> run_other(const std::vector<std::string>& words,
                      const std::vector<std::pair<std::string, std::string>>& variables) {
  const auto pid = start_other(words, variables);
  if (pid.has_error()) return pid.error();
  int status = 0;
  while (::waitpid(*pid, &status, 0) < 0)
    if (errno != EINTR) return error(config::exit_code::usage, words.front() + ": it cannot be waited for");
  return code_of(status);
}

} // namespace quorumd::cli
