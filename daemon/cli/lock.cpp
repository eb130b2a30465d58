#include "config/exit_codes.hpp"
#include "daemon/cli/claim.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/kv_output.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/run_other.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/text.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace quorumd::cli {
namespace {

/// So often it is looked whether a signal came, the lease was lost, or the command ended.
constexpr std::chrono::milliseconds looks_every{100};
/// After a failure, so that members that are down are not asked without end.
constexpr std::chrono::milliseconds listens_again{500};

struct claim_wanted {
  std::string name;
  std::string value;
  std::chrono::seconds ttl{60};
  std::vector<std::string> command; ///< run while the claim is held; none: it is held until a signal comes
};

constexpr const char* lost_text = "the lease has ended: somebody else may have the name now";

/// Runs the command while the name is held. It is told to end when the name is lost, or this is.
coro::task<int> run_held(session* s, claim* held, const claim_wanted* w) {
  const auto pid = start_other(w->command, {{"QUORUMD_LOCK_KEY", held->key()}});
  if (pid.has_error()) co_return complain(pid.error());
  bool told = false;
  for (;;) {
    if (const auto code = end_of_other(*pid)) {
      if (!held->lost()) co_return *code;
      co_return complain(error(config::exit_code::unavailable, lost_text));
    }
    if ((held->lost() || asked_to_end()) && !std::exchange(told, true)) ::kill(*pid, SIGTERM);
    co_await s->loop.timers().sleep_for(looks_every);
  }
}

coro::task<int> hold(session* s, claim* held) {
  while (!asked_to_end()) {
    if (held->lost()) co_return complain(error(config::exit_code::unavailable, lost_text));
    co_await s->loop.timers().sleep_for(looks_every);
  }
  co_return config::exit_code::ok;
}

int say_held(const session& s, const claim& held, const claim_wanted& w, bool elected) {
  std::string out;
  if (s.json) {
    json_writer j(out);
    j.begin_object().bytes("key", held.key());
    if (elected) j.bytes("value", w.value);
    j.end_object();
  } else {
    append_escaped(out, held.key());
    if (elected) {
      out += '\t';
      append_escaped(out, w.value);
    }
  }
  return print(out + "\n");
}

coro::task<int> with_claim(session* s, claim* mine, const claim_wanted* w, bool elected) {
  if (const auto refused = co_await mine->stand()) co_return *refused;
  if (const auto refused = co_await mine->wait(asked_to_end)) co_return *refused;
  if (asked_to_end()) co_return config::exit_code::unavailable; // it did not come to it
  if (!w->command.empty()) co_return co_await run_held(s, mine, w);
  if (const int code = say_held(*s, *mine, *w, elected); code != config::exit_code::ok) co_return code;
  co_return co_await hold(s, mine);
}

coro::task<int> run_claim(session* s, const claim_wanted* w, bool elected) {
  heed_signals();
  claim mine(*s, w->name, w->value, w->ttl);
  const int code = co_await with_claim(s, &mine, w, elected);
  co_await mine.leave();
  co_return code;
}

/// Prints who has the name, and each who has it then.
coro::task<int> listen(session* s, std::string name) {
  const std::string prefix = name + "/";
  const std::string end = kv::prefix_end(prefix);
  std::string shown_key;
  std::string shown_value;
  for (bool begun = false;; begun = true) {
    client::client_body body = client::range_read{.request = {.key = prefix,
                                                              .range_end = end,
                                                              .limit = 1,
                                                              .target = kv::sort_target::create,
                                                              .order = kv::sort_order::ascend},
                                                  .serializable = false};
    const coro::time_point deadline = s->deadline();
    const client::call_result answer = co_await s->client.call(std::move(body), deadline);
    const auto* oldest = answer.has_error() ? nullptr : body_of<kv::range_reply>(answer);
    if (oldest == nullptr) {
      if (!begun) co_return complain(answer.has_error() ? answer.error() : unexpected_answer(*s));
      co_await s->loop.timers().sleep_for(listens_again);
      continue;
    }
    if (!oldest->kvs.empty() && (oldest->kvs[0].key != shown_key || oldest->kvs[0].value != shown_value)) {
      shown_key = oldest->kvs[0].key;
      shown_value = oldest->kvs[0].value;
      std::string out;
      if (s->json) {
        json_writer w(out);
        append_json(w, shown_part::both, oldest->kvs[0]);
        out += '\n';
      } else {
        append_line(out, spelling::escaped, shown_part::both, oldest->kvs[0]);
      }
      int code = config::exit_code::ok;
      if (!print_part(out, code)) co_return code;
    }
    for (kv::change_place next{oldest->revision.next()};;) { // until something changes
      client::client_body changes =
          client::watch_request{.key = prefix,
                                .range_end = end,
                                .start = next,
                                .wait = std::min(std::chrono::milliseconds(1000), s->timeout / 2)};
      const coro::time_point by = s->deadline();
      const client::call_result came = co_await s->client.call(std::move(changes), by);
      const auto* reply = came.has_error() ? nullptr : body_of<client::watch_reply>(came);
      if (reply == nullptr || !reply->events.empty()) break;
      next = reply->next;
    }
  }
}

result<claim_wanted> claim_of(const invocation& in) {
  claim_wanted w{.name = in.argument(0), .value = {}, .ttl = std::chrono::seconds(60), .command = {}};
  if (w.name.empty()) return usage(std::string(in.command().name) + ": the name is empty");
  const auto ttl = in.duration("ttl", std::chrono::seconds(60));
  w.ttl = std::chrono::seconds((ttl.count() + 999) / 1000);
  return w;
}

int run_lock(const invocation& in) {
  auto w = claim_of(in);
  if (w.has_error()) return complain(w.error());
  for (std::size_t i = 1; i < in.argument_count(); ++i) w->command.push_back(in.argument(i));
  return run_client(in, [&](session& s) { return run_claim(&s, &*w, false); });
}

int run_elect(const invocation& in) {
  auto w = claim_of(in);
  if (w.has_error()) return complain(w.error());
  const bool listens = in.has("listen");
  if (listens && (in.argument_count() > 1 || in.has("ttl")))
    return complain(usage("elect: --listen says who is elected, and stands for nothing: leave VALUE and --ttl out"));
  if (listens) return run_client(in, [&](session& s) { return listen(&s, w->name); });
  if (in.argument_count() < 2) return complain(usage("elect: which value? (or --listen)"));
  w->value = in.argument(1);
  for (std::size_t i = 2; i < in.argument_count(); ++i) w->command.push_back(in.argument(i));
  return run_client(in, [&](session& s) { return run_claim(&s, &*w, true); });
}

} // namespace

command_spec lock_command() {
  return {
      .name = "lock",
      .summary = "hold a name that nobody else holds, while a command runs",
      .arguments = {{"NAME"}, {"COMMAND", true, true}},
      .options = {{"ttl", "60s", option_kind::duration, "so long the name is kept for a holder that says nothing"}},
      .details =
          "Waits until nobody who asked before holds NAME, then runs the COMMAND behind --, and ends with its exit\n"
          "code. Without one it prints its key and holds the name until it is interrupted. The key, NAME/LEASE,\n"
          "is gone with the holder, at once or after --ttl; should it go before, the command is told to end\n"
          "(SIGTERM), and the exit code is 2. etcd's clients stand in the same queue.",
      .examples = {"quorumd lock nightly -- /usr/local/bin/backup", "quorumd lock migration --ttl 10s -- make migrate"},
      .run = run_lock};
}

command_spec elect_command() {
  return {
      .name = "elect",
      .summary = "stand for election under a name, or say who is elected",
      .arguments = {{"NAME"}, {"VALUE", true}, {"COMMAND", true, true}},
      .options = {{"listen", "", option_kind::flag, "print who is elected, and who is then, until interrupted"},
                  {"ttl", "60s", option_kind::duration, "so long an elected one that says nothing stays"}},
      .details =
          "Waits until it is elected: until nobody is who stood before. Then prints its key and VALUE, or runs the\n"
          "COMMAND behind --, as 'lock' does, and stays elected until that ends. etcd's clients vote alike.",
      .examples = {"quorumd elect scheduler host7", "quorumd elect scheduler host7 -- /usr/bin/scheduler",
                   "quorumd elect scheduler --listen"},
      .run = run_elect};
}

} // namespace quorumd::cli
