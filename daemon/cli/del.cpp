#include "config/exit_codes.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/text.hpp"

namespace quorumd::cli {
namespace {

coro::task<int> del(session* s, std::string key, bool prefix) {
  std::string range_end;
  std::string first = key;
  if (prefix) set_prefix(first, range_end, key);
  wire::client_body body = kv::command(kv::delete_range{.key = first, .range_end = range_end});
  const coro::time_point deadline = s->deadline();
  const wire::call_result answer = co_await s->client.call(std::move(body), deadline);
  if (answer.has_error()) co_return complain(answer.error());
  const auto* done = body_of<kv::reply>(answer);
  const auto* gone = done == nullptr ? nullptr : std::get_if<kv::delete_range_reply>(&done->body);
  if (gone == nullptr) co_return complain(unexpected_answer(*s));
  std::string out;
  if (s->json)
    json_writer(out)
        .begin_object()
        .key("revision")
        .number(done->revision.value())
        .key("deleted")
        .number(gone->deleted)
        .end_object();
  else
    out = std::to_string(gone->deleted);
  const int code = print(out + "\n");
  co_return code == config::exit_code::ok && !prefix && gone->deleted == 0 ? config::exit_code::absent : code;
}

int run_del(const invocation& in) {
  const bool prefix = in.has("prefix");
  if (in.argument(0).empty() && !prefix) return complain(usage("del: the key is empty"));
  return run_client(in, [&](session& s) { return del(&s, in.argument(0), prefix); });
}

} // namespace

command_spec del_command() {
  return {.name = "del",
          .summary = "delete a key, or all keys with a prefix",
          .arguments = {{"KEY"}},
          .options = {{"prefix", "", option_kind::flag, "every key that begins with KEY; '' is every key"}},
          .details = "Prints how many keys were deleted. Exits with 1 if a single key was absent.",
          .examples = {"quorumd del greeting", "quorumd del /users/ --prefix"},
          .run = run_del};
}

} // namespace quorumd::cli
