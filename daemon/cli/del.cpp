#include "config/exit_codes.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/key_range.hpp"
#include "daemon/cli/kv_output.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"

#include <utility>

namespace quorumd::cli {
namespace {

struct del_options {
  key_range range;
  bool prev_kv = false;
  spelling how = spelling::escaped;
  again retry = again::no;
};

coro::task<int> del(session* s, const del_options* o) {
  kv::command command = kv::delete_range{.key = o->range.key, .range_end = o->range.range_end, .prev_kv = o->prev_kv};
  const client::call_result answer = co_await send(s, std::move(command), o->retry);
  if (answer.has_error()) co_return complain(answer.error());
  const auto* done = body_of<kv::reply>(answer);
  const auto* gone = done == nullptr ? nullptr : std::get_if<kv::delete_range_reply>(&done->body);
  if (gone == nullptr) co_return complain(unexpected_answer(*s));
  std::string out;
  if (s->json) {
    json_writer w(out);
    w.begin_object().key("revision").number(done->revision.value()).key("deleted").number(gone->deleted);
    if (o->prev_kv) {
      w.key("prev_kvs").begin_array();
      for (const auto& v : gone->prev) append_json(w, shown_part::both, v);
      w.end_array();
    }
    w.end_object();
    out += '\n';
  } else {
    out = std::to_string(gone->deleted) + "\n";
    for (const auto& v : gone->prev) append_line(out, o->how, shown_part::both, v);
  }
  const int code = print(out);
  const bool absent = o->range.single() && gone->deleted == 0;
  co_return code == config::exit_code::ok&& absent ? config::exit_code::absent : code;
}

int run_del(const invocation& in) {
  auto range = key_range_of(in);
  if (range.has_error()) return complain(range.error());
  const del_options o{std::move(*range), in.has("prev-kv"), in.has("hex") ? spelling::hex : spelling::escaped,
                      retry_of(in)};
  if (in.has("hex") && (!o.prev_kv || in.json()))
    return complain(usage("del: --hex is for what --prev-kv prints as text"));
  return run_client(in, [&](session& s) { return del(&s, &o); });
}

std::vector<option_spec> del_option_table() {
  auto out = key_range_options();
  out.push_back({"prev-kv", "", option_kind::flag, "print what it deletes too, as key<TAB>value lines"});
  out.push_back({"hex", "", option_kind::flag, "every byte of that as \\xHH"});
  out.push_back(retry_option());
  return out;
}

} // namespace

command_spec del_command() {
  return {.name = "del",
          .summary = "delete a key, or the keys of a range",
          .arguments = {{"KEY"}},
          .options = del_option_table(),
          .details = "Prints how many keys were deleted. Exits with 1 if a single key was absent.",
          .examples = {"quorumd del greeting", "quorumd del /users/ --prefix", "quorumd del a --range-end n --prev-kv"},
          .run = run_del};
}

} // namespace quorumd::cli
