#include "daemon/cli/alarm.hpp"

#include "config/values.hpp"
#include "consensus/types/hex.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/member_order.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/status.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/text.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace quorumd::cli {

std::optional<std::string> no_space(const client::status_row& r) {
  if (!r.error.empty()) return std::nullopt;
  const std::uint64_t quota = r.settings ? r.settings->quota_bytes : 0;
  if (quota != 0 && r.store_bytes >= quota)
    return "the store holds " + std::to_string(r.store_bytes) + " bytes, and storage.quota_bytes is " +
           config::format_size(quota) + ": puts are refused until keys are deleted or it is raised";
  if (r.accepting) return std::nullopt;
  return std::string("its volume has no room beyond storage.reserve_bytes: puts are refused ") +
         (r.role == raft::role::leader ? "until there is some" : "if it leads");
}

namespace {

struct alarm {
  std::string_view name;
  std::string reason;
};

std::vector<alarm> alarms_of(const client::status_row& r) {
  std::vector<alarm> all;
  if (const auto why = no_space(r)) all.push_back({"NOSPACE", *why});
  if (r.error.empty() && !r.corrupt.empty()) all.push_back({"CORRUPT", r.corrupt});
  return all;
}

coro::task<int> list_alarms(session* s) {
  const auto rows = co_await ask_members(s);
  if (rows.has_error()) co_return complain(rows.error());
  const int code = print(s->json ? alarms_json(*rows) : alarms_table(*rows));
  if (const std::string note = nearly_full(*rows); !note.empty()) remark(note);
  std::vector<std::string> silent;
  for (const client::status_row& r : *rows)
    if (!r.error.empty()) silent.push_back(r.name);
  if (!silent.empty()) remark("nothing is known of " + listed(silent) + ", which did not answer");
  co_return code;
}

int run_alarm(const invocation& in) {
  const std::string action = in.argument(0);
  if (action != "list") return complain(no_such_action(in.command(), action));
  return run_client(in, [](session& s) { return list_alarms(&s); });
}

} // namespace

std::string alarms_table(std::span<const client::status_row> rows) {
  std::vector<std::vector<std::string>> lines{{"id", "name", "role", "alarm", "reason"}};
  for (const client::status_row& r : rows) {
    std::string name;
    append_escaped(name, r.name);
    for (const alarm& a : alarms_of(r)) {
      std::string why;
      append_escaped(why, a.reason);
      lines.push_back({hex64(r.id.value()), name, client::role_of(r), std::string(a.name), why});
    }
  }
  return lines.size() == 1 ? std::string() : in_columns(lines);
}

std::string alarms_json(std::span<const client::status_row> rows) {
  std::string out;
  json_writer w(out);
  w.begin_array();
  for (const client::status_row& r : rows) {
    for (const alarm& a : alarms_of(r)) {
      w.begin_object().key("id").text(hex64(r.id.value())).key("name").text(r.name);
      w.key("role").text(client::role_of(r)).key("alarm").text(a.name).key("reason").text(a.reason).end_object();
    }
  }
  w.end_array();
  return out + "\n";
}

command_spec alarm_command() {
  return {.name = "alarm",
          .summary = "list what keeps members from serving",
          .arguments = {{.name = "list"}},
          .details =
              "A line an alarm, with its member and the reason; nothing is printed while there is none.\n"
              "NOSPACE: the member would refuse puts for want of space. It ends by itself with its cause: make\n"
              "room on the volume, delete keys, or raise storage.quota_bytes.\n"
              "CORRUPT: what the member holds differs from what a majority holds, so that it serves nothing. Run\n"
              "'quorumd member replace' and start it with an empty data directory; keep the old one for whoever\n"
              "looks for the cause.\n"
              "Of members that do not answer nothing is known, which a note says; so does one when four fifths of the "
              "quota\n"
              "are used.",
          .examples = {"quorumd alarm list", "quorumd alarm list --output json"},
          .run = run_alarm};
}

} // namespace quorumd::cli
