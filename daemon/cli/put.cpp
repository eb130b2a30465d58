#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"

namespace quorumd::cli {
namespace {

coro::task<int> put(session* s, std::string key, std::string value) {
  wire::client_body body = kv::command(kv::put{.key = key, .value = value});
  const coro::time_point deadline = s->deadline();
  const wire::call_result answer = co_await s->client.call(std::move(body), deadline);
  if (answer.has_error()) co_return complain(answer.error());
  const auto* done = body_of<kv::reply>(answer);
  if (done == nullptr) co_return complain(unexpected_answer(*s));
  std::string out;
  if (s->json)
    json_writer(out).begin_object().key("revision").number(done->revision.value()).end_object();
  else
    out = "OK";
  co_return print(out + "\n");
}

int run_put(const invocation& in) {
  if (in.argument(0).empty()) return complain(usage("put: the key is empty"));
  std::string value = in.argument(1);
  if (value == "-") {
    auto input = read_standard_input();
    if (input.has_error()) return complain(input.error());
    value = std::move(*input);
  }
  return run_client(in, [&](session& s) { return put(&s, in.argument(0), value); });
}

} // namespace

command_spec put_command() {
  return {.name = "put",
          .summary = "set a key",
          .arguments = {{"KEY"}, {"VALUE"}},
          .details =
              "VALUE '-' reads the value from standard input, byte for byte. Prints OK once a majority has it on\n"
              "disk; as JSON, the revision that it made.",
          .examples = {"quorumd put greeting hello", "quorumd put logo - < logo.png", "quorumd put -- -dashed-key -5"},
          .run = run_put};
}

} // namespace quorumd::cli
