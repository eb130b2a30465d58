#include "config/values.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/text.hpp"

namespace quorumd::cli {
namespace {

coro::task<int> compact(session* s, revision at) {
  client::client_body body = kv::command(kv::compact{at});
  const coro::time_point deadline = s->deadline();
  const client::call_result answer = co_await s->client.call(std::move(body), deadline);
  if (answer.has_error()) co_return complain(answer.error());
  if (body_of<kv::reply>(answer) == nullptr) co_return complain(unexpected_answer(*s));
  std::string out;
  if (s->json)
    json_writer(out).begin_object().key("compacted").number(at.value()).end_object();
  else
    out = "compacted revision " + std::to_string(at.value());
  co_return print(out + "\n");
}

int run_compact(const invocation& in) {
  const auto at = config::parse_count(in.argument(0));
  if (!at || *at == 0) return complain(usage("compact: R is a revision from 1, not " + shown(in.argument(0))));
  return run_client(in, [&](session& s) { return compact(&s, revision(*at)); });
}

} // namespace

command_spec compact_command() {
  return {.name = "compact",
          .summary = "forget the history before a revision",
          .arguments = {{"R"}},
          .details = "Afterwards reads at revisions below R fail; what the keys hold now is untouched.",
          .examples = {"quorumd compact 1000"},
          .run = run_compact};
}

} // namespace quorumd::cli
