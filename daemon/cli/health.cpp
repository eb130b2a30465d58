#include "config/exit_codes.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"

namespace quorumd::cli {
namespace {

coro::task<int> health(session* s) {
  client::client_body body = client::health_request{};
  const coro::time_point deadline = s->deadline();
  const client::call_result answer = co_await s->client.call(std::move(body), deadline);
  if (answer.has_error()) co_return complain(answer.error());
  const auto* h = body_of<client::health_reply>(answer);
  if (h == nullptr) co_return complain(unexpected_answer(*s));
  if (!h->serving && !s->json)
    complain(s->client.endpoint() + ": cannot serve a linearizable read: " + std::string(h->reason));
  std::string out;
  if (s->json) {
    json_writer w(out);
    w.begin_object().key("endpoint").text(s->client.endpoint()).key("serving").boolean(h->serving);
    w.key("reason").text(h->reason).end_object();
    out += '\n';
  } else if (h->serving) {
    out = "ok\n";
  }
  const int code = print(out);
  co_return h->serving ? code : config::exit_code::unavailable;
}

int run_health(const invocation& in) {
  return run_client(in, [](session& s) { return health(&s); });
}

} // namespace

command_spec health_command() {
  return {.name = "health",
          .summary = "whether this node can serve a linearizable read",
          .details = "For container health checks: exits with 0 if it can, else with 2 and the reason.",
          .examples = {"quorumd health", "quorumd health --endpoint 127.0.0.1:12379 --timeout 1s"},
          .run = run_health};
}

} // namespace quorumd::cli
