#include "config/exit_codes.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/text.hpp"

namespace quorumd::cli {
namespace {

struct get_options {
  std::string key;
  bool prefix = false;
  bool keys_only = false;
  range_pages::what range;
};

/// A single value: as it is, but a text that does not end its line is given an end.
std::string single_value(std::string_view value) {
  std::string out(value);
  if (is_utf8(value) && value.find('\0') == std::string_view::npos && !value.ends_with('\n')) out += '\n';
  return out;
}

void append_json(json_writer& w, const kv::key_value_view& v, bool keys_only) {
  w.begin_object().bytes("key", v.key);
  if (!keys_only) w.bytes("value", v.value);
  w.key("create_revision").number(v.create_revision.value()).key("mod_revision").number(v.mod_revision.value());
  w.key("version").number(v.version).end_object();
}

void append_line(std::string& out, const kv::key_value_view& v, bool keys_only) {
  append_escaped(out, v.key);
  if (!keys_only) {
    out += '\t';
    append_escaped(out, v.value);
  }
  out += '\n';
}

coro::task<int> count(session* s, range_pages::what w) {
  kv::range_request r;
  r.key = w.key;
  r.range_end = w.range_end;
  r.revision = w.revision;
  r.count_only = true;
  wire::client_body body = wire::range_read{.request = r, .serializable = w.serializable};
  const coro::time_point deadline = s->deadline();
  const wire::call_result answer = co_await s->client.call(std::move(body), deadline);
  if (answer.has_error()) co_return complain(answer.error());
  const auto* found = body_of<kv::range_reply>(answer);
  if (found == nullptr) co_return complain(unexpected_answer(*s));
  std::string out;
  if (s->json)
    json_writer(out)
        .begin_object()
        .key("revision")
        .number(found->revision.value())
        .key("count")
        .number(found->count)
        .end_object();
  else
    out = std::to_string(found->count);
  co_return print(out + "\n");
}

coro::task<int> get(session* s, get_options o) {
  range_pages pages(*s, o.range);
  std::string out;
  json_writer json(out);
  std::uint64_t found = 0;
  int code = config::exit_code::ok;
  while (!pages.done()) {
    const wire::call_result answer = co_await pages.next();
    if (answer.has_error()) co_return complain(answer.error());
    const auto* page = body_of<kv::range_reply>(answer);
    if (page == nullptr) co_return complain(unexpected_answer(*s));
    if (s->json && found == 0 && out.empty())
      json.begin_object().key("revision").number(page->revision.value()).key("kvs").begin_array();
    for (const auto& v : page->kvs) {
      ++found;
      if (s->json)
        append_json(json, v, o.keys_only);
      else if (o.prefix || o.keys_only)
        append_line(out, v, o.keys_only);
      else
        out += single_value(v.value);
    }
    if (!s->json) {
      if (!print_part(out, code)) co_return code;
      out.clear();
    }
  }
  if (s->json) {
    json.end_array().end_object();
    code = print(out + "\n");
  }
  if (found == 0 && !o.prefix && code == config::exit_code::ok) {
    if (!s->json) complain("no key " + shown(o.key));
    code = config::exit_code::absent;
  }
  co_return code;
}

int run_get(const invocation& in) {
  get_options o;
  o.key = in.argument(0);
  o.prefix = in.has("prefix");
  o.keys_only = in.has("keys-only");
  if (o.key.empty() && !o.prefix) return complain(usage("get: the key is empty"));
  if (o.keys_only && in.has("count-only"))
    return complain(usage("get: --keys-only and --count-only exclude each other"));
  o.range.key = o.key;
  if (o.prefix) set_prefix(o.range.key, o.range.range_end, o.key);
  o.range.revision = revision(in.count("revision"));
  o.range.limit = in.count("limit");
  o.range.keys_only = o.keys_only;
  o.range.serializable = in.has("stale");
  const bool only_count = in.has("count-only");
  return run_client(in, [&](session& s) { return only_count ? count(&s, o.range) : get(&s, o); });
}

} // namespace

command_spec get_command() {
  return {.name = "get",
          .summary = "read a key, or all keys with a prefix",
          .arguments = {{"KEY"}},
          .options = {{"prefix", "", option_kind::flag, "every key that begins with KEY; '' is every key"},
                      {"revision", "R", option_kind::count, "as of that revision"},
                      {"stale", "", option_kind::flag, "this node's own state, which may lag behind"},
                      {"limit", "N", option_kind::count, "at most so many keys"},
                      {"keys-only", "", option_kind::flag, "leave the values out"},
                      {"count-only", "", option_kind::flag, "print how many keys there are"}},
          .details =
              "A single key prints its value alone, byte for byte; a text without a line end gets one. With --prefix\n"
              "each key is a line key<TAB>value with \\t \\n \\\\ \\xHH escapes. Exits with 1 if the single key is\n"
              "absent. As JSON, keys and values that are not UTF-8 are base64 under key_base64 and value_base64.",
          .examples = {"quorumd get greeting", "quorumd get /users/ --prefix --limit 10",
                       "quorumd get greeting --revision 42", "quorumd get '' --prefix --count-only"},
          .run = run_get};
}

} // namespace quorumd::cli
