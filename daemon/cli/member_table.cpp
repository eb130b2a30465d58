#include "daemon/cli/member_table.hpp"

#include "config/address.hpp"
#include "config/values.hpp"
#include "daemon/cli/args.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/text.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace quorumd::cli {
namespace {

using wire::member_action;
using wire::member_role;

constexpr std::array<std::string_view, 7> columns{"name", "role", "leader", "peer", "client", "connected", "behind"};

struct named_action {
  std::string_view word;
  member_action action;
};
constexpr std::array actions{
    named_action{"add", member_action::add},         named_action{"remove", member_action::remove},
    named_action{"promote", member_action::promote}, named_action{"demote", member_action::demote},
    named_action{"update", member_action::update},   named_action{"replace", member_action::replace},
};

std::string hex(std::uint64_t n) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(n));
  return digits;
}

/// `joining` and `leaving` while a change is under way.
std::string_view word_of(member_role role) {
  switch (role) {
  case member_role::voter:
    return "voter";
  case member_role::learner:
    return "learner";
  case member_role::incoming:
    return "joining";
  case member_role::outgoing:
    return "leaving";
  }
  return "unknown";
}

std::string escaped(std::string_view text) {
  std::string out;
  append_escaped(out, text);
  return out.empty() ? "-" : out;
}

std::vector<std::string> cells_of(const wire::members_reply& all, const wire::member_row& m) {
  return {escaped(m.name),
          std::string(word_of(m.role)),
          m.leader ? "yes" : "no",
          escaped(m.address),
          escaped(m.client_address),
          m.connected ? "yes" : "no",
          all.from_leader ? std::to_string(m.behind) : "-"};
}

} // namespace

std::string members_table(const wire::members_reply& m) {
  std::vector<std::vector<std::string>> lines{{columns.begin(), columns.end()}};
  for (const wire::member_row& row : m.rows) lines.push_back(cells_of(m, row));
  std::array<std::size_t, columns.size()> widths{};
  for (const auto& line : lines)
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  std::string out;
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      out += line[i];
      if (i + 1 < line.size()) out.append(widths[i] - line[i].size() + 2, ' ');
    }
    out += "\n";
  }
  if (m.changing) out += "a change of the members is under way\n";
  return out;
}

std::string members_json(const wire::members_reply& m) {
  std::string out;
  json_writer w(out);
  w.begin_object().key("cluster").text(m.cluster_name).key("cluster_id").text(hex(m.cluster.value()));
  w.key("index").number(m.index.value()).key("changing").boolean(m.changing).key("members").begin_array();
  for (const wire::member_row& row : m.rows) {
    w.begin_object().key("id").text(hex(row.id.value())).key("name").text(row.name);
    w.key("role").text(word_of(row.role)).key("promotes").boolean(row.promotes).key("leader").boolean(row.leader);
    w.key("peer").text(row.address).key("client").text(row.client_address).key("connected").boolean(row.connected);
    w.key("match");
    if (row.match)
      w.number(row.match.value());
    else
      w.null();
    w.key("behind");
    if (m.from_leader)
      w.number(row.behind);
    else
      w.null();
    w.key("incarnation");
    if (row.incarnation)
      w.text(hex(row.incarnation.value()));
    else
      w.null();
    w.end_object();
  }
  w.end_array().end_object();
  return out + "\n";
}

result<member_action> parse_member_action(std::string_view word) {
  for (const named_action& a : actions)
    if (a.word == word) return a.action;
  std::array<std::string_view, actions.size() + 1> words{"list"};
  for (std::size_t i = 0; i < actions.size(); ++i) words[i + 1] = actions[i].word;
  std::string all;
  for (const std::string_view w : words) all += (all.empty() ? "" : ", ") + std::string(w);
  return usage("member: " + shown(word) + " is none of " + all + suggestion(word, words));
}

result<std::vector<wire::member_spec>> parse_members(member_action action, const std::vector<std::string>& words) {
  const bool needs_address = action == member_action::add || action == member_action::update;
  const bool takes_address = needs_address || action == member_action::replace;
  std::vector<wire::member_spec> all;
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    const bool has_address = equals != std::string::npos;
    wire::member_spec m{.name = word.substr(0, equals), .address = {}, .new_name = {}};
    if (!config::valid_name(m.name)) return usage("member: " + shown(m.name) + " cannot be a member's name");
    if (has_address && !takes_address) return usage("member: expected the name of a member alone, got " + shown(word));
    if (!has_address && needs_address)
      return usage("member: expected " + m.name +
                   "=HOST:PORT, with the address at which the other members reach it (its listen.peer)");
    if (has_address) {
      m.address = word.substr(equals + 1);
      const auto address = config::parse_address(m.address);
      if (!address) return usage("member: " + m.name + ": " + address.error().what);
      if (address->wildcard())
        return usage("member: " + m.name + ": " + shown(m.address) +
                     " can be listened on, and not be dialed: name the address at which the other members reach it");
    }
    if (std::any_of(all.begin(), all.end(), [&](const auto& other) { return other.name == m.name; }))
      return usage("member: " + m.name + " is named twice");
    all.push_back(std::move(m));
  }
  if (all.empty()) return usage(needs_address ? "member: expected NAME=HOST:PORT" : "member: expected a member's NAME");
  return all;
}

std::string how_to_join(const wire::members_reply& m, const std::string& name) {
  std::string client = "HOST:PORT";
  for (const wire::member_row& row : m.rows)
    if (!row.client_address.empty() && row.name != name && (client == "HOST:PORT" || row.leader))
      client = row.client_address;
  const auto row = std::find_if(m.rows.begin(), m.rows.end(), [&](const auto& r) { return r.name == name; });
  const std::string peer = row == m.rows.end() ? "HOST:PORT" : row->address;
  return "quorumd serve --name " + name + " --join " + client + " --data-dir DIR --set listen.peer=" + peer +
         " --set listen.client=HOST:PORT";
}

} // namespace quorumd::cli
