#include "daemon/cli/status.hpp"

#include "config/exit_codes.hpp"
#include "config/values.hpp"
#include "consensus/types/hex.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/pages.hpp"
#include "daemon/cli/session.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/cli/text.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

namespace quorumd::cli {
namespace {

constexpr std::array<std::string_view, 13> columns{"id",         "name",    "role",     "leader", "term",
                                                   "commit",     "applied", "revision", "keys",   "store_bytes",
                                                   "disk_bytes", "version", "lag"};
constexpr std::string_view unreachable = "unreachable";

std::string name_of_leader(std::span<const client::status_row> rows, node_id leader) {
  if (!leader) return "-";
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const auto& r) { return r.id == leader; });
  return found == rows.end() || found->name.empty() ? hex64(leader.value()) : found->name;
}

std::vector<std::string> cells_of(std::span<const client::status_row> rows, const client::status_row& r) {
  std::string name;
  append_escaped(name, r.name);
  if (!r.error.empty()) {
    std::vector<std::string> out{hex64(r.id.value()), name, std::string(unreachable)};
    out.resize(columns.size(), "-");
    std::string why;
    append_escaped(why, r.error);
    out.push_back(why);
    return out;
  }
  std::vector<std::string> out{hex64(r.id.value()),
                               name,
                               client::role_of(r),
                               name_of_leader(rows, r.leader),
                               std::to_string(r.term.value()),
                               std::to_string(r.commit.value()),
                               std::to_string(r.applied.value()),
                               std::to_string(r.revision.value()),
                               std::to_string(r.keys),
                               std::to_string(r.store_bytes),
                               std::to_string(r.disk_bytes),
                               r.version,
                               std::to_string(r.lag)};
  if (r.corrupt.empty()) return out;
  std::string why = "CORRUPT: ";
  append_escaped(why, r.corrupt);
  out.push_back(why);
  return out;
}

std::uint64_t quota_of(const client::status_row& r) {
  return r.settings ? r.settings->quota_bytes : 0;
}

bool is_nearly_full(const client::status_row& r) {
  const std::uint64_t quota = quota_of(r);
  return r.error.empty() && quota != 0 && r.store_bytes >= kv::nearly_used_from(quota);
}

void append_rows(json_writer& w, std::span<const client::status_row> rows) {
  w.begin_array();
  for (const auto& r : rows) {
    w.begin_object().key("id").text(hex64(r.id.value())).key("name").text(r.name);
    if (!r.error.empty()) {
      w.key("role").text(unreachable);
      for (std::size_t i = 3; i < columns.size(); ++i) w.key(columns[i]).null();
      for (const char* key : {"quota_bytes", "nearly_full", "speaks"}) w.key(key).null();
      w.key("error").text(r.error).end_object();
      continue;
    }
    w.key("role").text(client::role_of(r)).key("leader");
    if (r.leader)
      w.text(hex64(r.leader.value()));
    else
      w.null();
    w.key("term").number(r.term.value()).key("commit").number(r.commit.value());
    w.key("applied").number(r.applied.value()).key("revision").number(r.revision.value());
    w.key("keys").number(r.keys).key("store_bytes").number(r.store_bytes).key("disk_bytes").number(r.disk_bytes);
    w.key("version").text(r.version).key("lag").number(r.lag);
    w.key("quota_bytes").number(quota_of(r)).key("nearly_full").boolean(is_nearly_full(r));
    w.key("speaks").number(std::uint64_t{r.speaks});
    if (!r.corrupt.empty()) w.key("corrupt").text(r.corrupt);
    w.end_object();
  }
  w.end_array();
}

constexpr auto verify_at_most = std::chrono::seconds(2); // until slower members have an index in common with the others
constexpr auto verify_interval = std::chrono::milliseconds(100);

int show_verified(const session& s, std::span<const client::status_row> rows, const client::verification& v) {
  const std::string text = verification_text(v);
  int code = print(s.json ? verified_json(rows, v) : status_table(rows) + text + "\n");
  if (code != config::exit_code::ok || v.whole()) return code;
  code = v.differ.empty() ? config::exit_code::unavailable : config::exit_code::corruption;
  return complain(error(code, v.differ.empty() ? text
                                               : text + ": keep the data directories, and take the members that differ "
                                                        "out of service (docs/operations.md)"));
}

/// Whether everybody who answered could be compared.
bool settled(std::span<const client::status_row> rows, const client::verification& v) {
  const auto silent = std::count_if(rows.begin(), rows.end(), [](const auto& r) { return !r.error.empty(); });
  return v.at && v.missing.size() == static_cast<std::size_t>(silent);
}

coro::task<int> status(session* s, bool verified) {
  for (const coro::time_point until = s->loop.now() + verify_at_most;;) {
    const auto rows = co_await ask_members(s);
    if (rows.has_error()) co_return complain(rows.error());
    if (!verified) {
      const int code = print(s->json ? status_json(*rows) : status_table(*rows));
      for (const std::string& note : {mixed_versions(*rows), nearly_full(*rows)})
        if (!note.empty()) remark(note);
      co_return code;
    }
    const client::verification v = client::verify(*rows);
    if (settled(*rows, v) || s->loop.now() >= until) co_return show_verified(*s, *rows, v);
    // A member that is behind tells nobody when it has caught up.
    co_await s->loop.timers().sleep_for(verify_interval);
  }
}

int run_status(const invocation& in) {
  return run_client(in, [verified = in.has("verify")](session& s) { return status(&s, verified); });
}

} // namespace

std::string status_table(std::span<const client::status_row> rows) {
  std::vector<std::vector<std::string>> lines{{columns.begin(), columns.end()}};
  for (const auto& r : rows) lines.push_back(cells_of(rows, r));
  return in_columns(lines);
}

std::string nearly_full(std::span<const client::status_row> rows) {
  std::string members;
  std::uint64_t quota = 0;
  for (const client::status_row& r : rows) {
    if (!is_nearly_full(r)) continue;
    quota = quota_of(r);
    members += members.empty() ? "" : ", ";
    append_escaped(members, r.name);
    members += " has " + std::to_string(r.store_bytes * 100 / quota) + " % of it";
  }
  if (members.empty()) return {};
  return "storage.quota_bytes=" + config::format_size(quota) + " is nearly used: " + members +
         ". Once it is used up puts are refused: delete keys, or raise it with 'quorumd settings "
         "storage.quota_bytes=…'";
}

std::string mixed_versions(std::span<const client::status_row> rows) {
  std::uint16_t least = UINT16_MAX;
  std::uint16_t most = 0;
  for (const client::status_row& r : rows) {
    if (!r.error.empty()) continue;
    least = std::min(least, r.speaks);
    most = std::max(most, r.speaks);
  }
  if (least >= most) return {};
  std::string names;
  for (const client::status_row& r : rows) {
    if (!r.error.empty() || r.speaks != least) continue;
    names += names.empty() ? "" : ", ";
    append_escaped(names, r.name);
  }
  return "the cluster speaks version " + std::to_string(least) + " of its protocol and not yet " +
         std::to_string(most) + ", which these do not know: " + names +
         ". What came with it, changes of members for one, waits until they are upgraded";
}

std::string status_json(std::span<const client::status_row> rows) {
  std::string out;
  json_writer w(out);
  append_rows(w, rows);
  return out + "\n";
}

std::string verified_json(std::span<const client::status_row> rows, const client::verification& v) {
  std::string out;
  json_writer w(out);
  const auto names = [&w](std::string_view key, const std::vector<std::string>& list) {
    w.key(key).begin_array();
    for (const std::string& name : list) w.text(name);
    w.end_array();
  };
  w.begin_object().key("members");
  append_rows(w, rows);
  w.key("index").number(v.at.value());
  names("same", v.same);
  names("differ", v.differ);
  names("not_compared", v.missing);
  w.end_object();
  return out + "\n";
}

command_spec status_command() {
  return {
      .name = "status",
      .summary = "a row for each node of the cluster",
      .options = {{"verify", "", option_kind::flag,
                   "compare the members' states: 71 if one differs, 2 if one cannot be compared"}},
      .details =
          "Columns: id (hexadecimal), name, role (leader, follower, candidate), leader (its name; its id as JSON),\n"
          "term, commit, applied, revision, keys, store_bytes (about what the state takes in memory, with its "
          "history:\n"
          "what storage.quota_bytes bounds), disk_bytes, version, lag (entries committed and not yet applied there). "
          "A member that does not answer has the role 'unreachable' and the reason behind its row. While some members\n"
          "run an earlier version, which keeps the others from using what they know, a note says which; another says\n"
          "whose store has used four fifths of storage.quota_bytes (nearly_full as JSON).",
      .examples = {"quorumd status", "quorumd status --verify",
                   "quorumd status --endpoint 10.0.0.1:2379,10.0.0.2:2379 --output json"},
      .run = run_status};
}

} // namespace quorumd::cli
