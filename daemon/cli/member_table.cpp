#include "daemon/cli/member_table.hpp"

#include "consensus/types/hex.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/text.hpp"

#include <algorithm>
#include <utility>

namespace quorumd::cli {
namespace {

const std::vector<std::string> headings{"name",   "role",     "leader",    "address",
                                        "client", "priority", "connected", "behind"};

std::string cell(std::string_view text) {
  if (text.empty()) return "-";
  std::string out;
  append_escaped(out, text);
  return out;
}

/// A follower knows of its own streams only: that it has none to a member does not say that the leader has none.
std::string connected_cell(const client::members_reply& m, const client::member_row& r) {
  if (r.connected) return "yes";
  return m.from_leader ? "no" : "-";
}

std::vector<std::string> cells_of(const client::members_reply& m, const client::member_row& r) {
  std::vector<std::string> out{
      cell(r.name),           r.witness && r.role == client::member_role::voter ? "witness" : name_of(r.role),
      r.leader ? "yes" : "-", cell(r.address),
      cell(r.client_address), std::to_string(r.priority),
      connected_cell(m, r),   m.from_leader ? std::to_string(r.behind) : "-"};
  if (r.role == client::member_role::learner && r.promotes)
    out.emplace_back(r.witness ? "a witness once it has caught up" : "a voter once it has caught up");
  return out;
}

void append_text_or_null(json_writer& w, std::string_view name, std::string_view text) {
  w.key(name);
  if (text.empty())
    w.null();
  else
    w.text(text);
}

void append_number_or_null(json_writer& w, std::string_view name, bool known, std::uint64_t value) {
  w.key(name);
  if (known)
    w.number(value);
  else
    w.null();
}

void append_row(json_writer& w, const client::members_reply& m, const client::member_row& r) {
  w.begin_object().key("id").text(hex64(r.id.value())).key("name").text(r.name).key("address").text(r.address);
  append_text_or_null(w, "client_address", r.client_address);
  w.key("role").text(name_of(r.role)).key("promotes").boolean(r.promotes).key("leader").boolean(r.leader);
  w.key("witness").boolean(r.witness).key("priority").number(r.priority);
  w.key("connected");
  if (r.connected || m.from_leader)
    w.boolean(r.connected);
  else
    w.null();
  append_number_or_null(w, "match", bool(r.match), r.match.value());
  append_number_or_null(w, "behind", m.from_leader, r.behind);
  append_text_or_null(w, "incarnation", r.incarnation ? hex64(r.incarnation.value()) : std::string());
  w.end_object();
}

const client::member_row* find_row(const client::members_reply& m, std::string_view name) {
  const auto found = std::find_if(m.rows.begin(), m.rows.end(), [&](const auto& r) { return r.name == name; });
  return found == m.rows.end() ? nullptr : &*found;
}

/// Whom a new member asks who the cluster is: the leader if that stays, else any voter that does.
std::string_view whom_to_ask(const client::member_change& c, const client::members_reply& m,
                             std::string_view endpoint) {
  const std::vector<std::string> names = new_names(c);
  std::string_view found;
  for (const client::member_row& r : m.rows) {
    const bool changes =
        std::any_of(c.members.begin(), c.members.end(), [&](const auto& s) { return s.name == r.name; });
    const bool is_new = std::find(names.begin(), names.end(), r.name) != names.end();
    if (changes || is_new || r.role != client::member_role::voter || r.client_address.empty()) continue;
    if (found.empty() || r.leader) found = r.client_address;
  }
  return found.empty() ? endpoint : found;
}

} // namespace

const client::member_row* leader_of(const client::members_reply& m) {
  const auto found = std::find_if(m.rows.begin(), m.rows.end(), [](const auto& r) { return r.leader; });
  return found == m.rows.end() ? nullptr : &*found;
}

std::string members_table(const client::members_reply& m) {
  std::vector<std::vector<std::string>> lines{headings};
  for (const client::member_row& r : m.rows) lines.push_back(cells_of(m, r));
  return in_columns(lines) + (m.changing ? "a change of the members is under way\n" : "");
}

std::string members_json(const client::members_reply& m) {
  std::string out;
  json_writer w(out);
  w.begin_object().key("cluster").text(hex64(m.cluster.value())).key("cluster_name").text(m.cluster_name);
  w.key("index").number(m.index.value()).key("changing").boolean(m.changing);
  w.key("from_leader").boolean(m.from_leader).key("members").begin_array();
  for (const client::member_row& r : m.rows) append_row(w, m, r);
  w.end_array().end_object();
  return out + "\n";
}

std::vector<std::string> new_names(const client::member_change& c) {
  std::vector<std::string> out;
  out.reserve(c.members.size());
  for (const client::member_spec& s : c.members) out.push_back(s.new_name.empty() ? s.name : s.new_name);
  return out;
}

std::vector<std::string> join_commands(const client::member_change& c, const client::members_reply& m,
                                       std::string_view endpoint) {
  const std::string whom(whom_to_ask(c, m, endpoint));
  const std::vector<std::string> names = new_names(c);
  std::vector<std::string> out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const client::member_row* row = find_row(m, names[i]);
    const std::string& given = c.members[i].address;
    const std::string address = !given.empty() || row == nullptr ? given : row->address;
    out.push_back("quorumd serve --join " + whom + " --set node.name=" + names[i] +
                  " --set listen.peer=" + (address.empty() ? "HOST:PORT" : address) + " --data-dir /var/lib/quorumd");
  }
  return out;
}

std::vector<std::string> promotion::take(const client::members_reply& m) {
  std::vector<std::string> voters;
  if (m.index < since_) return voters; // of a node that has not heard of the change yet
  std::uint64_t match = 0;
  std::uint64_t behind = 0;
  for (const std::string& name : names_) {
    const auto waits = std::find(waiting_.begin(), waiting_.end(), name);
    const client::member_row* row = find_row(m, name);
    if (row == nullptr) {
      if (waits != waiting_.end() && gone_.empty()) gone_ = name;
      continue;
    }
    match += row->match.value();
    behind += row->behind;
    if (waits == waiting_.end() || row->role != client::member_role::voter) continue;
    voters.push_back(name);
    waiting_.erase(waits);
  }
  if (!m.from_leader) return voters;
  if (!std::exchange(begun_, true)) first_match_ = match;
  match_ = std::max(first_match_, match);
  behind_ = behind;
  return voters;
}

double promotion::share() const {
  if (!begun_ || match_ + behind_ == 0) return -1;
  return static_cast<double>(match_) / static_cast<double>(match_ + behind_);
}

} // namespace quorumd::cli
