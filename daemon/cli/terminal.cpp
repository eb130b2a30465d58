#include "daemon/cli/terminal.hpp"

#include "config/exit_codes.hpp"
#include "daemon/cli/json.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace quorumd::cli {
namespace {

// Everything that is said comes through here, from wherever the command line's one command is.
bool messages_are_json = false;

} // namespace

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

void speak_json(bool json) {
  messages_are_json = json;
}

bool speaks_json() {
  return messages_are_json;
}

void write_message(std::string line) {
  if (!line.ends_with('\n')) line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

void complain(std::string_view message) {
  if (!messages_are_json) return write_message("quorumd: " + std::string(message));
  std::string out;
  json_writer(out).begin_object().key("error").text(message).end_object();
  write_message(std::move(out));
}

int complain(const error& e) {
  if (!messages_are_json) {
    complain(e.message());
    return e.exit_code();
  }
  std::string out;
  json_writer w(out);
  w.begin_object().key("error").text(e.message()).key("exit_code").number(static_cast<std::uint64_t>(e.exit_code()));
  w.end_object();
  write_message(std::move(out));
  return e.exit_code();
}

void remark(std::string_view message) {
  if (!messages_are_json) return write_message("quorumd: note: " + std::string(message));
  std::string out;
  json_writer(out).begin_object().key("note").text(message).end_object();
  write_message(std::move(out));
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
