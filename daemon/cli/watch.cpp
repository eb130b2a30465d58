#include "config/exit_codes.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/key_range.hpp"
#include "daemon/cli/kv_output.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/run_other.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/text.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace quorumd::cli {
namespace {

/// So long a member waits for a change before it says that there is none: less than a client waits for a member that
/// may be gone.
constexpr std::chrono::milliseconds asks_every{1000};
constexpr std::chrono::milliseconds tries_every{500};

struct watch_wanted {
  key_range range;
  revision start;
  bool no_put = false;
  bool no_delete = false;
  bool prev_kv = false;
  spelling how = spelling::escaped;
  std::chrono::milliseconds progress{0}; ///< 0: none
  std::vector<std::string> command;      ///< run for each change; none: they are printed
};

std::string_view kind_of(const kv::event& e) {
  return e.deletion() ? "delete" : "put";
}

void append_text(std::string& out, const watch_wanted& w, const kv::event& e) {
  out += std::to_string(e.kv.mod_revision.value()) + '\t';
  out += kind_of(e);
  out += '\t';
  append_spelled(out, w.how, e.kv.key);
  if (!e.deletion() || w.prev_kv) out += '\t';
  append_spelled(out, w.how, e.kv.value);
  if (w.prev_kv) {
    out += '\t';
    if (e.prev) append_spelled(out, w.how, e.prev->value);
  }
  out += '\n';
}

void append_object(std::string& out, const kv::event& e) {
  json_writer w(out);
  w.begin_object().key("revision").number(e.kv.mod_revision.value()).key("type").text(kind_of(e));
  if (e.deletion()) {
    w.bytes("key", e.kv.key);
  } else {
    w.key("kv");
    append_json(w, shown_part::both, e.kv);
  }
  if (e.prev) {
    w.key("prev_kv");
    append_json(w, shown_part::both, *e.prev);
  }
  w.end_object();
  out += '\n';
}

/// What a watch does with what comes.
class watch_output {
 public:
  watch_output(const watch_wanted& w, bool json)
      : wanted_(w)
      , json_(json) {}

  /// False if it ends.
  bool take(const kv::event& e) {
    if (!wanted_.command.empty()) return run(e);
    if (json_)
      append_object(out_, e);
    else
      append_text(out_, wanted_, e);
    return true;
  }
  void progress(revision through) {
    if (json_) {
      json_writer(out_)
          .begin_object()
          .key("revision")
          .number(through.value())
          .key("type")
          .text("progress")
          .end_object();
      out_ += '\n';
    } else {
      out_ += std::to_string(through.value()) + "\tprogress\n";
    }
  }
  bool flush() {
    const bool goes_on = out_.empty() || print_part(out_, code_);
    out_.clear();
    return goes_on;
  }
  [[nodiscard]] int code() const { return code_; }

 private:
  bool run(const kv::event& e) {
    const auto ended =
        run_other(wanted_.command, {{"QUORUMD_WATCH_REVISION", std::to_string(e.kv.mod_revision.value())},
                                    {"QUORUMD_WATCH_EVENT", std::string(kind_of(e))},
                                    {"QUORUMD_WATCH_KEY", std::string(e.kv.key)},
                                    {"QUORUMD_WATCH_VALUE", std::string(e.kv.value)},
                                    {"QUORUMD_WATCH_PREV", std::string(e.prev ? e.prev->value : "")}});
    if (ended.has_error()) {
      code_ = complain(ended.error());
      return false;
    }
    code_ = *ended;
    return code_ == config::exit_code::ok;
  }

  const watch_wanted& wanted_;
  const bool json_;
  std::string out_;
  int code_ = config::exit_code::ok;
};

/// A member that is left, or finds no others, costs time and no more: another one knows the rest.
bool passes(wire::request_errc code) {
  switch (code) {
  case wire::request_errc::none:
  case wire::request_errc::unknown:
  case wire::request_errc::timeout:
  case wire::request_errc::no_quorum:
  case wire::request_errc::not_leader:
  case wire::request_errc::overloaded:
  case wire::request_errc::shutting_down:
    return true;
  default:
    return false;
  }
}

int complain_of_end(const client::call_error& e, const watch_wanted& w) {
  if (e.code() != wire::request_errc::store || e.store().code() != kv::errc::compacted) return complain(e);
  const std::string floor = std::to_string(e.store().bound().value());
  return complain(error(config::exit_code::unavailable, "the changes from revision " + std::to_string(w.start.value()) +
                                                            " on are no longer kept: those from " + floor +
                                                            " on are: watch with --revision " + floor +
                                                            ", and read the keys for what was before"));
}

coro::task<int> watch(session* s, watch_wanted* w) {
  watch_output output(*w, s->json);
  kv::change_place next{w->start};
  coro::time_point told = s->loop.now();
  bool begun = false;
  bool lost = false;
  for (;;) {
    client::client_body body = client::watch_request{.key = w->range.key,
                                                     .range_end = w->range.range_end,
                                                     .start = next,
                                                     .no_put = w->no_put,
                                                     .no_delete = w->no_delete,
                                                     .prev_kv = w->prev_kv,
                                                     .wait = std::min(asks_every, s->timeout / 2)};
    const coro::time_point deadline = s->deadline();
    const client::call_result answer = co_await s->client.call(std::move(body), deadline);
    if (answer.has_error()) {
      w->start = next.at;
      if (!begun || !passes(answer.error().code())) co_return complain_of_end(answer.error(), *w);
      if (!std::exchange(lost, true)) remark(answer.error().message() + "; the watch goes on when a member answers");
      co_await s->loop.timers().sleep_for(tries_every);
      continue;
    }
    const auto* found = body_of<client::watch_reply>(answer);
    if (found == nullptr) co_return complain(unexpected_answer(*s));
    begun = true;
    lost = false;
    for (const kv::event& e : found->events) {
      if (!output.take(e)) co_return output.code();
      told = s->loop.now();
    }
    next = found->next;
    if (w->progress.count() != 0 && s->loop.now() - told >= w->progress) {
      output.progress(next.at.prev());
      told = s->loop.now();
    }
    if (!output.flush()) co_return output.code();
  }
}

int run_watch(const invocation& in) {
  auto range = key_range_of(in);
  if (range.has_error()) return complain(range.error());
  watch_wanted w{.range = std::move(*range),
                 .start = revision(in.count("revision")),
                 .no_put = in.text("only") == "delete",
                 .no_delete = in.text("only") == "put",
                 .prev_kv = in.has("prev-kv"),
                 .how = in.has("hex") ? spelling::hex : spelling::escaped,
                 .progress = in.duration("progress", {}),
                 .command = {}};
  for (std::size_t i = 1; i < in.argument_count(); ++i) w.command.push_back(in.argument(i));
  if (in.has("hex") && (in.json() || !w.command.empty())) return complain(usage("watch: --hex is for text"));
  if (in.has("progress") && !w.command.empty())
    return complain(usage("watch: --progress is for what is printed, and a command prints for itself"));
  return run_client(in, [&](session& s) { return watch(&s, &w); });
}

std::vector<option_spec> watch_option_table() {
  auto out = key_range_options();
  for (const option_spec& o : std::initializer_list<option_spec>{
           {.name = "revision",
         .value = "R",
         .kind = option_kind::count,
         .help = "from that revision on, not from now",
         .also = "rev"},
           {"prev-kv", "", option_kind::flag, "show what each change took the place of"},
           {"only", "put|delete", option_kind::choice, "only those"},
           {"progress", "10s", option_kind::duration, "after so long without a change, say up to where there was none"},
           {"hex", "", option_kind::flag, "every byte of keys and values as \\xHH"}})
    out.push_back(o);
  return out;
}

} // namespace

command_spec watch_command() {
  return {.name = "watch",
          .summary = "print the changes of a key, or of the keys of a range, as they come",
          .arguments = {{"KEY"}, {"COMMAND", true, true}},
          .options = watch_option_table(),
          .details =
              "Each change is a line REVISION<TAB>put<TAB>KEY<TAB>VALUE or REVISION<TAB>delete<TAB>KEY, in order and\n"
              "once, whatever becomes of the member that was asked. Behind -- stands a command that is run for\n"
              "each instead, one after the other, with QUORUMD_WATCH_EVENT (put or delete), QUORUMD_WATCH_KEY,\n"
              "_VALUE, _PREV and _REVISION in its environment; the watch ends with its exit code if that is not 0.\n"
              "As JSON each change is an object on a line. Runs until it is interrupted, or until the changes that\n"
              "it needs are compacted: exit code 2, and the message says from where on they are kept.",
          .examples = {"quorumd watch config", "quorumd watch /jobs/ --prefix --revision 42 --prev-kv",
                       "quorumd watch /jobs/ --prefix --only delete --progress 10s",
                       "quorumd watch config -- systemctl reload myservice"},
          .run = run_watch};
}

} // namespace quorumd::cli
