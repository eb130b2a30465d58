#include "tests/model/apart.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

namespace quorumd::model {
namespace {

std::string read_all(int in) {
  std::string all;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(in, buffer, sizeof buffer)) > 0;) all.append(buffer, static_cast<std::size_t>(n));
  return all;
}

} // namespace

std::string apart(const std::function<void(int out)>& work) {
  int ends[2];
  if (::pipe(ends) != 0) return {};
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(ends[0]);
    (void)std::freopen("/dev/null", "w", stderr);
    work(ends[1]);
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string text = read_all(ends[0]);
  ::close(ends[0]);
  int status = 0;
  (void)::waitpid(pid, &status, 0);
  return text;
}

} // namespace quorumd::model
