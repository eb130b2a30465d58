#include "config/exit_codes.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/latency_table.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/text.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace quorumd::cli {
namespace {

struct profile_options {
  std::string what; ///< cpu, heap or mailbox
  std::chrono::seconds length{10};
  std::string file;
};

int write_file(const std::string& path, std::string_view bytes) {
  std::FILE* const f = std::fopen(path.c_str(), "we");
  const bool written = f != nullptr && std::fwrite(bytes.data(), 1, bytes.size(), f) == bytes.size();
  const bool closed = f != nullptr && std::fclose(f) == 0;
  if (written && closed) return config::exit_code::ok;
  complain("cannot write " + shown(path) + ": " + std::strerror(errno));
  return config::exit_code::unavailable;
}

coro::task<int> take_profile(session* s, profile_options o) {
  client::client_body body = client::profile_request{
      .kind = o.what == "cpu" ? client::profile_kind::cpu : client::profile_kind::heap, .length = o.length};
  const coro::time_point deadline = s->deadline() + o.length;
  const client::call_result answer = co_await s->client.call(std::move(body), deadline);
  if (answer.has_error()) co_return complain(answer.error());
  const auto* p = body_of<client::profile_reply>(answer);
  if (p == nullptr) co_return complain(unexpected_answer(*s));
  const std::string file = o.file.empty() ? "quorumd." + o.what + ".prof" : o.file;
  const int code = write_file(file, p->bytes);
  if (code != config::exit_code::ok) co_return code;
  remark(file + ": " + std::string(p->note) + ". Read it with: google-pprof --text quorumd " + file);
  co_return config::exit_code::ok;
}

/// What the mailboxes and loops of this node did in the meantime: measured always, so that nothing is switched on.
coro::task<int> watch_mailboxes(session* s, profile_options o) {
  std::vector<node_sight> looks(2);
  for (node_sight& look : looks) {
    if (&look != &looks.front()) co_await s->loop.timers().sleep_for(o.length);
    client::client_body body = client::metrics_request{};
    const coro::time_point deadline = s->deadline();
    client::call_result answer = co_await s->client.call(std::move(body), deadline);
    if (answer.has_error()) co_return complain(answer.error());
    const auto* m = body_of<client::metrics_reply>(answer);
    if (m == nullptr) co_return complain(unexpected_answer(*s));
    look.metrics = *m;
    look.row.name = m->node;
  }
  const client::metrics_reply* before = same_node({looks[0]}, looks[1]) == nullptr ? nullptr : &*looks[0].metrics;
  const std::string text = s->json ? mailbox_json(looks[1], before) : mailbox_table(looks[1], before);
  co_return o.file.empty() ? print(text) : write_file(o.file, text);
}

coro::task<int> refuse_endpoint() {
  co_return complain(
      usage("profile: it is taken through the admin socket of a node on this machine: give --socket PATH"));
}

int run_profile(const invocation& in) {
  profile_options o{
      .what = in.argument(0), .length = std::chrono::seconds(in.count("seconds", 10)), .file = in.text("out")};
  if (o.what != "cpu" && o.what != "heap" && o.what != "mailbox")
    return complain(usage("profile: what to profile is cpu, heap or mailbox, not " + shown(o.what)));
  if (o.length > std::chrono::seconds(300)) return complain(usage("profile: --seconds is at most 300"));
  return run_client(in, [&](session& s) {
    if (s.options.endpoints.front().socket_path.empty()) return refuse_endpoint();
    return o.what == "mailbox" ? watch_mailboxes(&s, o) : take_profile(&s, o);
  });
}

} // namespace

command_spec profile_command() {
  return {
      .name = "profile",
      .summary = "what a node of this machine spends CPU, memory or waiting on",
      .arguments = {{"cpu|heap|mailbox"}},
      .options = {{"seconds", "N", option_kind::positive, "watch it for so long, 300 at most (default 10)"},
                  {"out", "FILE", option_kind::text, "where to write it (default quorumd.cpu.prof, quorumd.heap.prof)",
                   false, 'o'}},
      .details =
          "Through the node's admin socket only, one profile at a time; it ends when this command does. Between two\n"
          "profiles the daemon runs at full speed.\n"
          "cpu: samples of what runs, 100 a second. heap: every allocation in that time, which slows those down, and\n"
          "what of them still lives; with TCMALLOC_SAMPLE_PARAMETER=524288 in the daemon's environment when it was\n"
          "started (systemctl edit quorumd), the whole heap by samples instead. Both are files for google-pprof\n"
          "(package google-perftools) and pprof: google-pprof --text /usr/bin/quorumd FILE, or --pdf, --web.\n"
          "mailbox: how long batches lay in the mailboxes between loops, who waited for their locks, and how late\n"
          "the loops' timers ran, as a table or with --output json.",
      .examples = {"quorumd profile cpu --seconds 10 --socket /run/quorumd/admin.sock -o cpu.prof",
                   "quorumd profile heap --seconds 30", "quorumd profile mailbox --seconds 5"},
      .run = run_profile};
}

} // namespace quorumd::cli
