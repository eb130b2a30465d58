#include "config/exit_codes.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/latency_table.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace quorumd::cli {
namespace {

struct latency_options {
  std::string node;
  bool watch = false;
  std::chrono::milliseconds interval{0}; ///< 0: since the start
};

std::string as_text(const std::vector<node_sight>& now, const std::vector<node_sight>& earlier) {
  std::string out;
  for (const node_sight& n : now) out += latency_table(n, same_node(earlier, n));
  return out;
}

/// 0 if any node told what it measured; otherwise says why none did and returns the exit code for it.
int code_for(const std::vector<node_sight>& now) {
  std::string why;
  for (const node_sight& n : now) {
    if (n.metrics) return config::exit_code::ok;
    why += (why.empty() ? "" : "; ") + n.row.name + ": " + n.error;
  }
  return complain(error(config::exit_code::unavailable, "no node told what it measured: " + why));
}

/// Each look compared with the one before, until there is no use in more.
coro::task<int> watch(session* s, latency_options o, fleet* f) {
  std::vector<node_sight> earlier;
  for (bool first = true;; first = false) {
    auto now = co_await f->look();
    if (now.has_error()) co_return complain(now.error());
    if (!first || o.interval.count() == 0) {
      std::string text = s->json ? latency_json(*now, earlier) : as_text(*now, earlier);
      if (o.watch && !s->json && ::isatty(STDOUT_FILENO) == 1) text.insert(0, "\033[H\033[2J");
      int code = 0;
      if (!print_part(text, code)) co_return code;
      if (!o.watch) co_return code_for(*now);
    }
    earlier = std::move(*now);
    co_await s->loop.timers().sleep_for(o.interval);
  }
}

coro::task<int> latency(session* s, latency_options o) {
  fleet f(*s, o.node);
  const int code = co_await watch(s, std::move(o), &f);
  co_await f.stop();
  co_return code;
}

int run_latency(const invocation& in) {
  latency_options o{.node = in.text("node"),
                    .watch = in.has("watch"),
                    .interval = in.duration("interval", std::chrono::milliseconds(in.has("watch") ? 2000 : 0))};
  return run_client(in, [&](session& s) { return latency(&s, o); });
}

} // namespace

command_spec latency_command() {
  return {
      .name = "latency",
      .summary = "where the time of puts and reads goes, on every node",
      .options = {{"node", "NAME", option_kind::text, "this member only"},
                  {"interval", "5s", option_kind::duration, "measure for so long, instead of since the nodes' start"},
                  {"watch", "", option_kind::flag, "again and again, what came in each interval (2s unless said)"}},
      .details =
          "For each node how often each stage was passed, its p50, p99, longest and mean time, and a bar that shows\n"
          "where in the whole it lies (by the means). The stages of a put follow each other, but for those that are\n"
          "set in: they run side by side, and the commit waits for the second fastest of the disks. Values are at\n"
          "most 3% above the exact ones. docs/operations.md says what to do about which stage. Ends with 2 if no node\n"
          "told what it measured (--watch goes on).",
      .examples = {"quorumd latency", "quorumd latency --node n1 --interval 10s", "quorumd latency --watch",
                   "quorumd latency --interval 5s --output json"},
      .run = run_latency};
}

} // namespace quorumd::cli
