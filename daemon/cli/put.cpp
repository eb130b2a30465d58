#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/kv_output.hpp"
#include "daemon/cli/lease_name.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"

#include <utility>

namespace quorumd::cli {
namespace {

struct put_options {
  std::string key;
  std::string value;
  bool prev_kv = false;
  spelling how = spelling::escaped;
  again retry = again::no;
  lease_id lease{};
};

coro::task<int> put(session* s, const put_options* o) {
  kv::command command = kv::put{.key = o->key, .value = o->value, .lease = o->lease, .prev_kv = o->prev_kv};
  const client::call_result answer = co_await send(s, std::move(command), o->retry);
  if (answer.has_error()) co_return complain(answer.error());
  const auto* done = body_of<kv::reply>(answer);
  const auto* was = done == nullptr ? nullptr : std::get_if<kv::put_reply>(&done->body);
  if (was == nullptr) co_return complain(unexpected_answer(*s));
  std::string out;
  if (s->json) {
    json_writer w(out);
    w.begin_object().key("revision").number(done->revision.value());
    if (was->prev) append_json(w.key("prev_kv"), shown_part::both, *was->prev);
    w.end_object();
    out += '\n';
  } else {
    out = "OK\n";
    if (was->prev) append_line(out, o->how, shown_part::both, *was->prev);
  }
  co_return print(out);
}

int run_put(const invocation& in) {
  put_options o{in.argument(0), in.argument(1), in.has("prev-kv"), in.has("hex") ? spelling::hex : spelling::escaped,
                retry_of(in)};
  if (o.key.empty()) return complain(usage("put: the key is empty"));
  if (in.has("lease")) {
    const auto lease = lease_named(in.text("lease"));
    if (lease.has_error()) return complain(lease.error());
    o.lease = *lease;
  }
  if (in.has("hex") && (!o.prev_kv || in.json()))
    return complain(usage("put: --hex is for what --prev-kv prints as text"));
  if (o.value == "-") {
    auto input = read_standard_input();
    if (input.has_error()) return complain(input.error());
    o.value = std::move(*input);
  }
  return run_client(in, [&](session& s) { return put(&s, &o); });
}

} // namespace

command_spec put_command() {
  return {.name = "put",
          .summary = "set a key",
          .arguments = {{"KEY"}, {"VALUE"}},
          .options = {{"prev-kv", "", option_kind::flag, "print what it replaces too, as key<TAB>value"},
                      {"hex", "", option_kind::flag, "every byte of that as \\xHH"},
                      {"lease", "ID", option_kind::text, "the key is deleted when that lease ends"},
                      retry_option()},
          .details =
              "VALUE '-' reads the value from standard input, byte for byte. Prints OK once a majority has it on\n"
              "disk; as JSON, the revision that it made.",
          .examples = {"quorumd put greeting hello", "quorumd put logo - < logo.png", "quorumd put -- -dashed-key -5",
                       "quorumd put greeting hi --prev-kv", "quorumd put ticket 7 --retry --timeout 30s"},
          .run = run_put};
}

} // namespace quorumd::cli
