#include "config/exit_codes.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/screen.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/top_frame.hpp"

#include <unistd.h>

#include <ctime>
#include <utility>

namespace quorumd::cli {
namespace {

constexpr std::chrono::milliseconds look_at_keys{100};

std::string head_line(std::chrono::milliseconds interval) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::localtime_r(&now, &parts);
  char text[96];
  std::snprintf(text, sizeof text, "quorumd top  %02d:%02d:%02d  every %.1f s  (q ends it)", parts.tm_hour,
                parts.tm_min, parts.tm_sec, static_cast<double>(interval.count()) / 1000);
  return text;
}

/// Two looks, one plain frame.
coro::task<int> show_once(session* s, fleet* f, std::chrono::milliseconds interval) {
  auto first = co_await f->look();
  if (first.has_error()) co_return complain(first.error());
  co_await s->loop.timers().sleep_for(interval);
  auto second = co_await f->look();
  if (second.has_error()) co_return complain(second.error());
  std::string out;
  for (const std::string& line : top_frame(*second, *first)) out += line + "\n";
  co_return print(out);
}

/// Until a key says to end; a cluster that cannot be reached is shown and asked again.
coro::task<int> show(session* s, fleet* f, std::chrono::milliseconds interval) {
  screen view;
  std::vector<node_sight> earlier;
  std::vector<std::string> lines;
  for (;;) {
    auto now = co_await f->look();
    lines = {head_line(interval)};
    if (now.has_error()) {
      lines.push_back(now.error().message());
    } else {
      for (std::string& line : top_frame(*now, earlier)) lines.push_back(std::move(line));
      earlier = std::move(*now);
    }
    if (!view.draw(lines)) co_return config::exit_code::ok;
    for (const coro::time_point until = s->loop.now() + interval; s->loop.now() < until;) {
      for (char key = view.key(); key != 0; key = view.key())
        if (key == 'q' || key == 'Q' || key == '\x03' || key == '\x04') co_return config::exit_code::ok;
      if (view.stale() && !view.draw(lines)) co_return config::exit_code::ok;
      co_await s->loop.timers().sleep_for(look_at_keys);
    }
  }
}

coro::task<int> top(session* s, std::chrono::milliseconds interval, bool once) {
  fleet f(*s, {});
  auto shown = once ? show_once(s, &f, interval) : show(s, &f, interval);
  const int code = co_await std::move(shown);
  co_await f.stop();
  co_return code;
}

int run_top(const invocation& in) {
  const bool once = in.has("once") || ::isatty(STDOUT_FILENO) != 1;
  const auto interval = in.duration("interval", std::chrono::milliseconds(once ? 1000 : 2000));
  return run_client(in, [&](session& s) { return top(&s, interval, once); });
}

} // namespace

command_spec top_command() {
  return {
      .name = "top",
      .summary = "watch the cluster: roles, throughput, latency, queues, memory",
      .options = {{"interval", "2s", option_kind::duration, "between two looks (with --once 1s unless said)"},
                  {"once", "", option_kind::flag,
                   "one frame as plain text; so also where standard output is no terminal"}},
      .details =
          "A row for each member: puts and reads a second with p50 and p99 from their arrival until they were "
          "answered,\n"
          "BATCH puts at a time, SYNC99 the p99 of the log's syncs, LAG99 of the loops' lag, QUEUED requests in "
          "queues,\n"
          "BEHIND entries committed and not yet applied there, CONN client connections, CPU of one processor, MEMORY\n"
          "resident, DISK of the log, KEYS. A follower's puts are those that it sent to the leader. q ends it.",
      .examples = {"quorumd top", "quorumd top --once --endpoint 10.0.0.1:2379,10.0.0.2:2379"},
      .run = run_top,
      .common = {.output = false}};
}

} // namespace quorumd::cli
