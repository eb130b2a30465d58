#include "daemon/cli/screen.hpp"

#include "daemon/cli/terminal.hpp"
#include "daemon/cli/top_frame.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <string_view>

namespace quorumd::cli {
namespace {

constexpr std::string_view enter_words = "\033[?1049h\033[?25l\033[2J";
constexpr std::string_view leave_words = "\033[?25h\033[?1049l";

// What a signal handler needs. Written before the handlers stand, but for the flags.
termios before;
bool have_before = false;
volatile std::sig_atomic_t signal_taken = 0;
volatile std::sig_atomic_t redraw = 0;

constexpr std::array ending{SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
constexpr std::array others{SIGTSTP, SIGCONT, SIGWINCH};
std::array<struct sigaction, ending.size() + others.size()> former;

// Only calls that a signal handler may make, from here on.

void say(std::string_view words) {
  while (!words.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, words.data(), words.size());
    if (n <= 0) return; // there is nobody to be told
    words.remove_prefix(static_cast<std::size_t>(n));
  }
}

bool in_foreground() {
  return ::tcgetpgrp(STDOUT_FILENO) == ::getpgrp();
}

void take() {
  if (!in_foreground()) return;
  if (have_before) {
    termios raw = before;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  say(enter_words);
  signal_taken = 1;
  redraw = 1;
}

void give_back() {
  if (signal_taken == 0) return;
  signal_taken = 0;
  say(leave_words);
  if (have_before && in_foreground()) ::tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

/// Lets the signal do what it does to a process that does not handle it.
void obey(int which) {
  struct sigaction plain {};
  plain.sa_handler = SIG_DFL;
  ::sigaction(which, &plain, nullptr);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, which);
  ::pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
  ::raise(which);
}

void on_end(int which) {
  give_back();
  obey(which);
}

void on_stop(int which) {
  struct sigaction mine {};
  ::sigaction(which, nullptr, &mine);
  give_back();
  obey(which); // returns when the process goes on
  ::sigaction(which, &mine, nullptr);
  take();
}

/// Also after a stop that nobody could handle.
void on_continue(int) {
  take();
}

void on_size(int) {
  redraw = 1;
}

} // namespace

screen::screen() {
  have_before = ::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &before) == 0;
  std::size_t at = 0;
  const auto handle = [&](int which, void (*f)(int)) {
    struct sigaction a {};
    a.sa_handler = f;
    a.sa_flags = SA_RESTART;
    sigfillset(&a.sa_mask);
    ::sigaction(which, &a, &former[at++]);
  };
  for (const int s : ending) handle(s, on_end);
  handle(SIGTSTP, on_stop);
  handle(SIGCONT, on_continue);
  handle(SIGWINCH, on_size);
  take();
}

screen::~screen() {
  give_back();
  std::size_t at = 0;
  for (const int s : ending) ::sigaction(s, &former[at++], nullptr);
  for (const int s : others) ::sigaction(s, &former[at++], nullptr);
}

screen::size screen::measure() const {
  winsize w{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col == 0 || w.ws_row == 0) return {};
  return {.columns = w.ws_col, .rows = w.ws_row};
}

bool screen::draw(const std::vector<std::string>& lines) {
  redraw = 0;
  if (signal_taken == 0) return true; // in the background
  const size s = measure();
  std::string out = "\033[H";
  const std::size_t n = std::min(lines.size(), s.rows);
  for (std::size_t i = 0; i < n; ++i) {
    out += cropped(lines[i], s.columns) + "\033[K";
    if (i + 1 < n) out += "\r\n";
  }
  out += "\033[J";
  int code = 0;
  return print_part(out, code);
}

bool screen::stale() {
  return redraw != 0;
}

char screen::key() {
  if (!have_before || !in_foreground()) return 0;
  pollfd p{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  char c = 0;
  if (::poll(&p, 1, 0) == 1 && ::read(STDIN_FILENO, &c, 1) == 1) return c;
  return 0;
}

} // namespace quorumd::cli
