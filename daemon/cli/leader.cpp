#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/text.hpp"

#include <algorithm>

namespace quorumd::cli {
namespace {

int show(const session& s, const wire::members_reply& m) {
  const auto found = std::find_if(m.rows.begin(), m.rows.end(), [](const auto& r) { return r.leader; });
  if (found == m.rows.end()) return complain(error(2, "nobody leads at the moment"));
  std::string out;
  if (s.json) {
    json_writer w(out);
    w.begin_object().key("leader").text(found->name).key("client").text(found->client_address).end_object();
  } else {
    append_escaped(out, found->name);
  }
  return print(out + "\n");
}

coro::task<int> ask(session* s, const wire::client_body* what) {
  wire::client_body body = *what;
  const coro::time_point deadline = s->deadline();
  const wire::call_result answer = co_await s->client.call(std::move(body), deadline);
  if (answer.has_error()) co_return complain(answer.error());
  const auto* m = body_of<wire::members_reply>(answer);
  co_return m == nullptr ? complain(unexpected_answer(*s)) : show(*s, *m);
}

int run_leader(const invocation& in) {
  const std::string action = in.argument_count() == 0 ? "show" : in.argument(0);
  if (action != "show" && action != "transfer")
    return complain(usage("leader: " + shown(action) + " is none of show, transfer"));
  if (action == "show" && in.argument_count() > 1) return complain(usage("leader show takes no name"));
  wire::client_body body = wire::members_request{};
  if (action == "transfer") body = wire::leader_transfer{in.argument_count() > 1 ? in.argument(1) : std::string()};
  return run_client(in, [&body](session& s) { return ask(&s, &body); });
}

} // namespace

command_spec leader_command() {
  return {.name = "leader",
          .summary = "who leads, or hand the leadership over",
          .arguments = {{"show|transfer", true}, {"NAME", true}},
          .details = "  show             the leader's name (also without a word)\n"
                     "  transfer [NAME]  that member leads, or without a name the voter that holds most; prints the\n"
                     "                   new leader. It catches up first; requests wait meanwhile and are not lost.",
          .examples = {"quorumd leader", "quorumd leader transfer", "quorumd leader transfer n2"},
          .run = run_leader};
}

} // namespace quorumd::cli
