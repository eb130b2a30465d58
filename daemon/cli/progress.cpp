#include "daemon/cli/progress.hpp"

#include "daemon/cli/text.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

namespace quorumd::cli {
namespace {

constexpr std::chrono::milliseconds redraw_interval{100};
constexpr std::size_t bar_cells_max = 30;
constexpr std::size_t bar_cells_min = 5;

std::size_t terminal_columns() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

} // namespace

progress_bar::progress_bar(std::string_view what, coro::time_point now)
    : what_(what)
    , started_(now)
    , terminal_(::isatty(STDERR_FILENO) == 1) {}

void progress_bar::clear() {
  if (!std::exchange(visible_, false)) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
}

void progress_bar::update(double share, std::uint64_t count, coro::time_point now) {
  if (!terminal_ || (visible_ && now - drawn_ < redraw_interval)) return;
  drawn_ = now;
  visible_ = true;
  const double seconds = std::chrono::duration<double>(now - started_).count();
  const double rate = seconds > 0 ? static_cast<double>(count) / seconds : 0;
  const std::string line = render(what_, share, count, rate, terminal_columns() - 1);
  std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
  std::fflush(stderr);
}

std::string progress_bar::render(std::string_view what, double share, std::uint64_t count, double per_second,
                                 std::size_t columns) {
  std::string words = grouped(count) + " " + std::string(what) + "  " +
                      grouped(static_cast<std::uint64_t>(std::max(per_second, 0.0))) + "/s";
  if (share >= 0) {
    share = std::min(share, 1.0);
    char percent[16];
    std::snprintf(percent, sizeof percent, "%3.0f%%  ", share * 100);
    words.insert(0, percent);
    const std::size_t room = columns > words.size() + 3 ? columns - words.size() - 3 : 0;
    const std::size_t cells = std::min(room, bar_cells_max);
    if (cells >= bar_cells_min) {
      const auto full = static_cast<std::size_t>(share * static_cast<double>(cells));
      words.insert(0, "[" + std::string(full, '#') + std::string(cells - full, '.') + "] ");
    }
  }
  if (words.size() > columns) words.resize(columns);
  return words;
}

} // namespace quorumd::cli
