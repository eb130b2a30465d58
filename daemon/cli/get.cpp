#include "config/exit_codes.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/key_range.hpp"
#include "daemon/cli/kv_output.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/sorted_keys.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/text.hpp"

#include <algorithm>
#include <utility>

namespace quorumd::cli {
namespace {

struct get_options {
  std::string key; ///< as it was given
  bool single = false;
  spelling how = spelling::escaped;
  shown_part part = shown_part::both;
  bool sorted = false;
  kv::sort_target by = kv::sort_target::key;
  kv::sort_order order = kv::sort_order::ascend;
  std::uint64_t limit = 0;
  range_pages::what range;
};

coro::task<int> count(session* s, range_pages::what w) {
  kv::range_request r;
  r.key = w.key;
  r.range_end = w.range_end;
  r.revision = w.revision;
  r.count_only = true;
  client::client_body body =
      client::range_read{.request = r, .serializable = w.serializable, .max_age = w.max_age, .keep = {}};
  const coro::time_point deadline = s->deadline();
  const client::call_result answer = co_await s->client.call(std::move(body), deadline);
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

/// What get prints, as it comes; JSON in one piece at the end.
class get_printer {
 public:
  explicit get_printer(const get_options& o, bool json)
      : options_(o)
      , json_(json) {}

  /// False if there is no use in more.
  bool take(const kv::range_reply& page) {
    if (json_ && !begun_) writer_.begin_object().key("revision").number(page.revision.value()).key("kvs").begin_array();
    begun_ = true;
    for (const auto& v : page.kvs) take(v);
    return json_ || flush();
  }
  void take(const kv::key_value_view& v) {
    ++found_;
    if (json_)
      append_json(writer_, options_.part, v);
    else if (options_.part == shown_part::value || (options_.single && options_.part == shown_part::both))
      append_single_value(out_, options_.how, v.value);
    else
      append_line(out_, options_.how, options_.part, v);
  }
  bool flush() {
    const bool wanted = print_part(out_, code_);
    out_.clear();
    return wanted;
  }
  /// The exit code, given how many keys the range has.
  int finish(std::uint64_t in_range) {
    if (json_) {
      writer_.end_array().key("more").boolean(in_range > found_).key("count").number(in_range).end_object();
      out_ += '\n';
    }
    if (!flush() || found_ != 0 || !options_.single) return code_;
    if (!json_) complain("no key " + shown(options_.key));
    return config::exit_code::absent;
  }
  [[nodiscard]] int code() const { return code_; }

 private:
  const get_options& options_;
  const bool json_;
  bool begun_ = false;
  std::string out_;
  json_writer writer_{out_};
  std::uint64_t found_ = 0;
  int code_ = config::exit_code::ok;
};

coro::task<int> get(session* s, get_options o) {
  o.range.count = s->json;
  if (!o.sorted) o.range.limit = o.limit;
  range_pages pages(*s, o.range);
  get_printer printer(o, s->json);
  sorted_keys sorted(o.by, o.order, o.limit);
  while (!pages.done()) {
    const client::call_result answer = co_await pages.next();
    if (answer.has_error()) co_return complain(answer.error());
    const auto* page = body_of<kv::range_reply>(answer);
    if (page == nullptr) co_return complain(unexpected_answer(*s));
    if (!o.sorted) {
      if (!printer.take(*page)) co_return printer.code();
      continue;
    }
    kv::range_reply heading; // the revision, without the keys, which wait for the last page
    heading.revision = page->revision;
    if (!printer.take(heading)) co_return printer.code();
    for (const auto& v : page->kvs) sorted.add(v);
  }
  for (const auto& v : sorted.take()) printer.take(v);
  co_return printer.finish(pages.count());
}

/// The options for the order and the form of what is found.
result<void> take_output_options(const invocation& in, get_options& o) {
  const bool only_count = in.has("count-only");
  const bool only_keys = in.has("keys-only");
  const bool only_values = in.has("print-value-only");
  if (only_keys + only_count + only_values > 1)
    return usage("get: --keys-only, --print-value-only and --count-only exclude each other");
  o.sorted = in.has("sort-by") || in.has("order");
  if (only_count && (o.sorted || in.has("limit") || in.has("hex")))
    return usage("get: --count-only counts the whole range: --limit, --sort-by, --order and --hex mean nothing to it");
  if (in.has("hex") && in.json())
    return usage("get: --hex is for text; as JSON, what is not UTF-8 is base64 under key_base64 and value_base64");
  if (in.has("hex")) o.how = spelling::hex;
  o.part = only_keys ? shown_part::key : only_values ? shown_part::value : shown_part::both;
  const std::string by = in.text("sort-by", "key");
  o.by = by == "version"  ? kv::sort_target::version
         : by == "create" ? kv::sort_target::create
         : by == "modify" ? kv::sort_target::mod
         : by == "value"  ? kv::sort_target::value
                          : kv::sort_target::key;
  o.order = in.text("order") == "descend" ? kv::sort_order::descend : kv::sort_order::ascend;
  o.range.keys_only = only_keys && o.by != kv::sort_target::value;
  return {};
}

int run_get(const invocation& in) {
  get_options o;
  o.key = in.argument(0);
  auto range = key_range_of(in);
  if (range.has_error()) return complain(range.error());
  if (auto taken = take_output_options(in, o); taken.has_error()) return complain(taken.error());
  o.single = range->single();
  o.range.key = std::move(range->key);
  o.range.range_end = std::move(range->range_end);
  o.range.revision = revision(in.count("revision"));
  o.range.serializable = in.has("stale");
  if (in.has("stale") && in.has("max-age"))
    return complain(usage("get: --stale knows no bound: leave it or --max-age out"));
  o.range.max_age = in.duration("max-age", {});
  o.limit = in.count("limit");
  const bool only_count = in.has("count-only");
  return run_client(in, [&](session& s) { return only_count ? count(&s, o.range) : get(&s, o); });
}

std::vector<option_spec> get_option_table() {
  auto out = key_range_options();
  for (const option_spec& o : std::initializer_list<option_spec>{
           {.name = "revision", .value = "R", .kind = option_kind::count, .help = "as of that revision", .also = "rev"},
           {"stale", "", option_kind::flag, "this node's own state, which may lag behind"},
           {"max-age", "2s", option_kind::duration, "this node's own state, if it lacks nothing older than that"},
           {"limit", "N", option_kind::count, "at most so many keys"},
           {"sort-by", "key|version|create|modify|value", option_kind::choice, "in this order, all of them read first"},
           {"order", "ascend|descend", option_kind::choice, "of --sort-by, or of the keys"},
           {"keys-only", "", option_kind::flag, "leave the values out"},
           {"print-value-only", "", option_kind::flag, "the values alone, each as it is, with a line end"},
           {"count-only", "", option_kind::flag, "print how many keys there are"},
           {"hex", "", option_kind::flag, "every byte of keys and values as \\xHH"}})
    out.push_back(o);
  return out;
}

} // namespace

command_spec get_command() {
  return {.name = "get",
          .summary = "read a key, or the keys of a range",
          .arguments = {{"KEY"}},
          .options = get_option_table(),
          .details =
              "A single key prints its value alone, byte for byte; a text without a line end gets one. Of a range\n"
              "each key is a line key<TAB>value with \\t \\n \\\\ \\xHH escapes. Exits with 1 if the single key is\n"
              "absent. With --max-age a node that learned within that time what the leader had committed, and has it,\n"
              "answers by itself; else it asks the leader, and without one the read fails. As JSON there are 'count', "
              "of the whole range, and 'more', if --limit left some of it out;\n"
              "keys and values that are not UTF-8 are base64 under key_base64 and value_base64.",
          .examples = {"quorumd get greeting", "quorumd get /users/ --prefix --limit 10",
                       "quorumd get greeting --revision 42", "quorumd get config/ --prefix --max-age 2s",
                       "quorumd get '' --prefix --count-only",
                       "quorumd get /jobs/ --prefix --sort-by modify --order descend --limit 3",
                       "quorumd get a --range-end n --print-value-only"},
          .run = run_get};
}

} // namespace quorumd::cli
