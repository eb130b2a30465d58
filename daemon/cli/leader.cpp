#include "config/exit_codes.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/member_order.hpp"
#include "daemon/cli/member_table.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/text.hpp"

#include <utility>

namespace quorumd::cli {
namespace {

constexpr auto look_interval = std::chrono::milliseconds(100);

int show(const session& s, const client::members_reply& m) {
  const client::member_row* leader = leader_of(m);
  if (leader == nullptr)
    return complain(error(config::exit_code::unavailable, s.client.endpoint() + ": it knows of no leader"));
  if (s.json) return print(members_json(m));
  std::string name;
  append_escaped(name, leader->name);
  return print(name + "\n");
}

/// Shows who leads. After a transfer nobody may for a moment, which is waited for.
coro::task<int> ask(session* s, client::client_body first) {
  const bool transfers = std::holds_alternative<client::leader_transfer>(first);
  const coro::time_point deadline = s->deadline();
  for (client::client_body body = std::move(first);;) {
    const client::call_result answer = co_await s->client.call(std::move(body), deadline);
    if (answer.has_error()) co_return complain(answer.error());
    const auto* m = body_of<client::members_reply>(answer);
    if (m == nullptr) co_return complain(unexpected_answer(*s));
    if (!transfers || leader_of(*m) != nullptr || s->loop.now() + look_interval >= deadline) co_return show(*s, *m);
    co_await s->loop.timers().sleep_for(look_interval);
    body = client::members_request{};
  }
}

int run_leader(const invocation& in) {
  const std::string action = in.argument_count() == 0 ? "show" : in.argument(0);
  if (action != "show" && action != "transfer") return complain(no_such_action(in.command(), action));
  if (action == "show") {
    if (in.argument_count() > 1)
      return complain(usage("leader show: " + shown(in.argument(1)) + " is one argument too many"));
    return run_client(in, [](session& s) { return ask(&s, client::members_request{}); });
  }
  client::leader_transfer t;
  if (in.argument_count() > 1) {
    t.to = in.argument(1);
    if (const std::string wrong = mistake_in_member_name(t.to); !wrong.empty())
      return complain(usage("leader transfer: " + wrong));
  }
  return run_client(in, [&](session& s) { return ask(&s, t); });
}

} // namespace

command_spec leader_command() {
  return {.name = "leader",
          .summary = "print who leads, or hand the leadership over",
          .arguments = {{.name = "show|transfer", .optional = true}, {.name = "NODE", .optional = true}},
          .details = "show, or nothing, prints the leader's name; ends with 2 if the node that answers knows of none.\n"
                     "transfer hands the leadership to NODE, a voter, or to the one that follows best, and prints the\n"
                     "new leader's name. Nothing that was acknowledged is lost; writes wait for the new leader.",
          .examples = {"quorumd leader", "quorumd leader transfer", "quorumd leader transfer n2 --timeout 10s"},
          .run = run_leader};
}

} // namespace quorumd::cli
