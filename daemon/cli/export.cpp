#include "config/exit_codes.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/pair_lines.hpp"
#include "daemon/cli/progress.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"

#include <unistd.h>

namespace quorumd::cli {
namespace {

/// How many keys there are, for the progress bar; and the revision, so that both speak of the same.
coro::task<client::call_result> count_keys(session* s, const range_pages::what* w) {
  kv::range_request r;
  r.key = w->key;
  r.range_end = w->range_end;
  r.revision = w->revision;
  r.count_only = true;
  client::client_body body = client::range_read{
      .request = r, .serializable = w->serializable, .max_age = {}, .keep = std::chrono::seconds(30)};
  const coro::time_point deadline = s->deadline();
  client::call_result answer = co_await s->client.call(std::move(body), deadline);
  co_return answer;
}

std::string lost_revision(revision at) {
  return "the export's revision " + std::to_string(at.value()) +
         " is no longer kept: the node keeps it while the export reads on, until its history has grown by "
         "history.pinned_bytes_max, or it restarts. Export in less time, or raise history.pinned_bytes_max or "
         "history.keep_revisions";
}

coro::task<int> export_pairs(session* s, range_pages::what w, pair_format format, bool with_bar) {
  progress_bar bar("exported", s->loop.now());
  std::uint64_t total = 0;
  if (with_bar) {
    const client::call_result counted = co_await count_keys(s, &w);
    if (counted.has_error()) co_return complain(counted.error());
    const auto* found = body_of<kv::range_reply>(counted);
    if (found == nullptr) co_return complain(unexpected_answer(*s));
    total = found->count;
    if (!w.revision) w.revision = found->revision;
  }
  w.keep = true;
  range_pages pages(*s, std::move(w));
  std::uint64_t exported = 0;
  std::string out;
  int code = config::exit_code::ok;
  while (!pages.done()) {
    const client::call_result answer = co_await pages.next();
    if (answer.has_error()) {
      bar.clear();
      const int failed = complain(answer.error());
      if (answer.error().store().code() == kv::errc::compacted) remark(lost_revision(pages.revision()));
      co_return failed;
    }
    const auto* page = body_of<kv::range_reply>(answer);
    if (page == nullptr) co_return complain(unexpected_answer(*s));
    out.clear();
    for (const auto& v : page->kvs) append_pair(out, format, v.key, v.value);
    if (!print_part(out, code)) co_return code;
    exported += page->kvs.size();
    const double share = total == 0 ? -1 : static_cast<double>(exported) / static_cast<double>(total);
    bar.update(share, exported, s->loop.now());
  }
  co_return code;
}

int run_export(const invocation& in) {
  range_pages::what w;
  set_prefix(w.key, w.range_end, in.text("prefix"));
  w.revision = revision(in.count("revision"));
  w.serializable = in.has("stale");
  const auto format = in.text("format") == "jsonl" ? pair_format::jsonl : pair_format::lines;
  // The count is for the bar alone. On the same terminal as the lines a bar would only be in the way.
  const bool with_bar = ::isatty(STDERR_FILENO) == 1 && ::isatty(STDOUT_FILENO) != 1;
  return run_client(in, [&](session& s) { return export_pairs(&s, w, format, with_bar); });
}

} // namespace

command_spec export_command() {
  return {.name = "export",
          .summary = "print every key and value as of one revision",
          .options = {{"prefix", "P", option_kind::text, "only keys that begin with P"},
                      {"revision", "R", option_kind::count, "as of that revision, instead of the current one"},
                      {"stale", "", option_kind::flag, "the asked node's own state, which may lag behind"},
                      {"format", "lines|jsonl", option_kind::choice, "key<TAB>value lines, or a JSON object a line"}},
          .details =
              "Keys come in their order, all as they were at one revision, however long it takes. Lines have the\n"
              "escapes \\t \\n \\\\ \\xHH; with --format jsonl, key_base64 and value_base64 hold what is not UTF-8.\n"
              "An endpoint that falls silent is left for the next, and the export goes on there at its revision; it\n"
              "ends when nothing came for --timeout. What export prints, import reads.",
          .examples = {"quorumd export > backup.tsv", "quorumd export --prefix /users/ --format jsonl",
                       "quorumd export --stale --revision 4711 --endpoint 10.0.0.2:2379"},
          .run = run_export,
          .common = {.output = false},
          .bulk = true};
}

} // namespace quorumd::cli
