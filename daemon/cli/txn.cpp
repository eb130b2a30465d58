#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/kv_output.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/txn_text.hpp"

#include <unistd.h>

namespace quorumd::cli {
namespace {

/// As etcdctl prints it: an empty line, then OK, or the number deleted, or keys and values in turn.
struct text_printer {
  std::string& out;
  bool hex = false;

  void line(std::string_view bytes) const {
    if (hex)
      append_spelled(out, spelling::hex, bytes);
    else
      out += bytes;
    out += '\n';
  }
  void pair(const kv::key_value_view& v) const {
    line(v.key);
    line(v.value);
  }
  void operator()(const kv::put_reply& p) const {
    out += "OK\n";
    if (p.prev) pair(*p.prev);
  }
  void operator()(const kv::delete_range_reply& d) const {
    out += std::to_string(d.deleted) + "\n";
    for (const auto& v : d.prev) pair(v);
  }
  void operator()(const kv::range_reply& r) const {
    if (r.kvs.empty() && r.count != 0) out += std::to_string(r.count) + "\n";
    for (const auto& v : r.kvs) pair(v);
  }
  void operator()(const kv::txn_reply& t) const {
    out += t.succeeded ? "SUCCESS\n" : "FAILURE\n";
    for (const auto& r : t.responses) {
      out += '\n';
      std::visit(*this, r.what);
    }
  }
};

struct json_printer {
  json_writer& w;

  void operator()(const kv::put_reply& p) const {
    w.begin_object().key("put").boolean(true);
    if (p.prev) append_json(w.key("prev_kv"), shown_part::both, *p.prev);
    w.end_object();
  }
  void operator()(const kv::delete_range_reply& d) const {
    w.begin_object().key("deleted").number(d.deleted);
    if (!d.prev.empty()) list("prev_kvs", d.prev);
    w.end_object();
  }
  void operator()(const kv::range_reply& r) const {
    w.begin_object().key("count").number(r.count).key("more").boolean(r.more);
    list("kvs", r.kvs);
    w.end_object();
  }
  void operator()(const kv::txn_reply& t) const {
    w.begin_object();
    members(t);
    w.end_object();
  }
  void members(const kv::txn_reply& t) const {
    w.key("succeeded").boolean(t.succeeded).key("responses").begin_array();
    for (const auto& r : t.responses) std::visit(*this, r.what);
    w.end_array();
  }
  void list(std::string_view name, const std::vector<kv::key_value_view>& kvs) const {
    w.key(name).begin_array();
    for (const auto& v : kvs) append_json(w, shown_part::both, v);
    w.end_array();
  }
};

coro::task<int> txn(session* s, const parsed_txn* t, bool hex, again retry) {
  kv::command command = t->what;
  const client::call_result answer = co_await send(s, std::move(command), retry);
  if (answer.has_error()) co_return complain(answer.error());
  const auto* done = body_of<kv::reply>(answer);
  const auto* ran = done == nullptr ? nullptr : std::get_if<kv::txn_reply>(&done->body);
  if (ran == nullptr) co_return complain(unexpected_answer(*s));
  std::string out;
  if (s->json) {
    json_writer w(out);
    w.begin_object().key("revision").number(done->revision.value());
    json_printer{w}.members(*ran);
    w.end_object();
    out += '\n';
  } else {
    text_printer{out, hex}(*ran);
  }
  co_return print(out);
}

int run_txn(const invocation& in) {
  const bool hex = in.has("hex");
  if (hex && in.json())
    return complain(usage("txn: --hex is for text; as JSON, what is not UTF-8 is base64 under key_base64 and "
                          "value_base64"));
  if (::isatty(STDIN_FILENO) == 1)
    remark("reading compares, an empty line, operations, an empty line, operations otherwise; Ctrl-D ends it");
  const auto text = read_standard_input();
  if (text.has_error()) return complain(text.error());
  const auto parsed = parse_txn(*text);
  if (parsed.has_error()) return complain(usage("txn: " + parsed.error().message()));
  return run_client(in, [&](session& s) { return txn(&s, &*parsed, hex, retry_of(in)); });
}

} // namespace

command_spec txn_command() {
  return {
      .name = "txn",
      .summary = "compare, then do one thing or the other, all at once",
      .options = {{"hex", "", option_kind::flag, "every byte of keys and values as \\xHH"}, retry_option()},
      .details =
          "Reads etcdctl's text form from standard input: lines of compares, an empty line, the operations if all\n"
          "compares hold, an empty line, the operations otherwise.\n"
          "  compares:   mod(\"k\") > \"0\"   create(\"k\") = \"0\"   version(\"k\") != \"3\"   value(\"k\") = \"x\"\n"
          "  operations: put K V [--prev-kv]\n"
          "              get K [RANGE_END] [--prefix] [--limit N] [--rev R] [--keys-only] [--count-only]\n"
          "              del K [RANGE_END] [--prefix] [--prev-kv]\n"
          "Words may stand in double quotes, where \\t \\n \\r \\\" \\\\ \\xHH are escapes, or in single quotes, "
          "where\n"
          "everything stands for itself. Prints SUCCESS or FAILURE, then what each operation gave.",
      .examples = {"printf 'create(\"lock\") = \"0\"\\n\\nput lock me\\n\\nget lock\\n' | quorumd txn",
                   "quorumd txn --output json < swap.txn"},
      .run = run_txn};
}

} // namespace quorumd::cli
