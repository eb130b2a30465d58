#include "daemon/cli/terminal.hpp"

#include "config/exit_codes.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace quorumd::cli {

bool print_part(std::string_view text, int& print_code) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EPIPE) {
      print_code = config::exit_code::ok;
      return false;
    }
    complain(std::string("cannot write to standard output: ") + std::strerror(errno));
    print_code = config::exit_code::unavailable;
    return false;
  }
  print_code = config::exit_code::ok;
  return true;
}

int print(std::string_view text) {
  int code = config::exit_code::ok;
  if (!print_part(text, code)) return code;
  return config::exit_code::ok;
}

void complain(std::string_view message) {
  std::string line = "quorumd: " + std::string(message);
  if (!line.ends_with('\n')) line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

int complain(const error& e) {
  complain(e.message());
  return e.exit_code();
}

result<std::string> read_standard_input() {
  std::string out;
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (n == 0) return out;
    if (n > 0) {
      out.append(buffer.data(), static_cast<std::size_t>(n));
    } else if (errno != EINTR) {
      return usage(std::string("cannot read standard input: ") + std::strerror(errno));
    }
  }
}

} // namespace quorumd::cli
