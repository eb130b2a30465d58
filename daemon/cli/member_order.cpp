#include "daemon/cli/member_order.hpp"

#include "config/address.hpp"
#include "config/values.hpp"
#include "daemon/cli/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>

namespace quorumd::cli {
namespace {

using client::member_action;

constexpr std::array actions{member_action::add,    member_action::remove, member_action::promote,
                             member_action::demote, member_action::update, member_action::replace};

bool brings_members(member_action a) {
  return a == member_action::add || a == member_action::replace;
}

/// Whether NAME has an address behind it: always, never, or as one likes.
enum class address_use : std::uint8_t { needed, none, optional };

address_use address_of(member_action a, bool with_priority) {
  if (a == member_action::replace || (a == member_action::update && with_priority)) return address_use::optional;
  return a == member_action::add || a == member_action::update ? address_use::needed : address_use::none;
}

std::string form_of(member_action a, bool with_priority) {
  switch (address_of(a, with_priority)) {
  case address_use::needed:
    return "NAME=HOST:PORT";
  case address_use::optional:
    return "NAME or NAME=HOST:PORT";
  default:
    return "a member's name";
  }
}

error mistake(member_action a, const std::string& what) {
  return usage("member " + std::string(client::name_of(a)) + ": " + what);
}

result<client::member_spec> read_spec(member_action a, std::string_view word, std::optional<std::uint8_t> priority) {
  const std::size_t equals = word.find('=');
  const bool has_address = equals != std::string_view::npos;
  const address_use use = address_of(a, priority.has_value());
  if ((has_address && use == address_use::none) || (!has_address && use == address_use::needed))
    return mistake(a, "expected " + form_of(a, priority.has_value()) + " and got " + shown(word));
  client::member_spec m{
      .name = std::string(word.substr(0, equals)), .address = {}, .new_name = {}, .priority = priority};
  if (const std::string wrong = mistake_in_member_name(m.name); !wrong.empty()) return mistake(a, wrong);
  if (!has_address) return m;
  const auto address = config::parse_address(word.substr(equals + 1));
  if (address.has_error()) return mistake(a, m.name + ": " + address.error().what);
  if (address->wildcard())
    return mistake(a, m.name + ": " + address->text() + " is every interface: say where the other members dial it");
  m.address = address->text();
  return m;
}

/// What cannot be of two members at once.
result<void> check_apart(member_action a, const std::vector<client::member_spec>& members) {
  for (auto m = members.begin(); m != members.end(); ++m)
    for (auto other = members.begin(); other != m; ++other) {
      if (m->name == other->name) return mistake(a, m->name + " is named twice");
      if (!m->address.empty() && m->address == other->address)
        return mistake(a, other->name + " and " + m->name + " have the same address, " + m->address);
    }
  return {};
}

result<void> check_options(const invocation& in, std::string_view action, bool changes, bool brings) {
  const auto stray = [&](std::string_view option, std::string_view where) {
    return usage("member " + std::string(action) + ": --" + std::string(option) + " goes with " + std::string(where));
  };
  if (in.has("force") && !changes) return stray("force", "a change of the members");
  for (const std::string_view option : {"no-promote", "no-wait"})
    if (in.has(option) && !brings) return stray(option, "add and replace");
  if (in.has("witness") && action != client::name_of(member_action::add)) return stray("witness", "add");
  if (in.has("as") && action != client::name_of(member_action::replace)) return stray("as", "replace");
  if (in.has("priority") && action != client::name_of(member_action::add) &&
      action != client::name_of(member_action::update))
    return stray("priority", "add and update");
  return {};
}

result<std::optional<std::uint8_t>> read_priority(const invocation& in, member_action a) {
  if (!in.has("priority")) return std::optional<std::uint8_t>();
  const std::string text = in.text("priority");
  unsigned value = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (wrong != std::errc() || end != text.data() + text.size() || value > client::priority_most)
    return mistake(a, "--priority: expected a number from 0 to " + std::to_string(client::priority_most) + " and got " +
                          shown(text));
  return std::optional(static_cast<std::uint8_t>(value));
}

result<void> take_new_name(const invocation& in, client::member_change& c) {
  if (!in.has("as")) return {};
  if (c.members.size() != 1) return mistake(c.action, "--as names one new member, and goes with one that it replaces");
  std::string name = in.text("as");
  if (const std::string wrong = mistake_in_member_name(name); !wrong.empty())
    return mistake(c.action, "--as: " + wrong);
  client::member_spec& m = c.members.front();
  if (name != m.name) m.new_name = std::move(name);
  return {};
}

} // namespace

std::vector<option_spec> member_options() {
  return {{"no-promote", "", option_kind::flag, "add, replace: the new members stay learners"},
          {"no-wait", "", option_kind::flag, "add, replace: do not wait until they are voters"},
          {"as", "NAME", option_kind::text, "replace: what the new member is called, if not the same"},
          {"witness", "", option_kind::flag, "add: the new members vote and hold no data, and never lead"},
          {"priority", "N", option_kind::text,
           "add, update: of the members that can lead, that of the highest does (0 to 100; 50 unless said)"},
          {"force", "", option_kind::flag, "change the members though it may cost the quorum"}};
}

result<member_order> read_member_order(const invocation& in) {
  const std::string& word = in.argument(0);
  const bool list = word == "list";
  const auto found = std::find_if(actions.begin(), actions.end(), [&](member_action a) { return word == name_of(a); });
  if (!list && found == actions.end()) return no_such_action(in.command(), word);
  const bool brings = !list && brings_members(*found);
  if (auto checked = check_options(in, word, !list, brings); checked.has_error()) return checked.error();
  if (list) {
    if (in.argument_count() > 1) return usage("member list: " + shown(in.argument(1)) + " is one argument too many");
    return member_order();
  }

  client::member_change c{
      .action = *found, .members = {}, .force = in.has("force"), .promote = brings && !in.has("no-promote")};
  const auto priority = read_priority(in, c.action);
  if (priority.has_error()) return priority.error();
  for (std::size_t i = 1; i < in.argument_count(); ++i) {
    auto m = read_spec(c.action, in.argument(i), *priority);
    if (m.has_error()) return m.error();
    m->witness = in.has("witness");
    c.members.push_back(std::move(*m));
  }
  if (c.members.empty())
    return mistake(c.action, form_of(c.action, priority->has_value()) + " is missing (see 'quorumd help member')");
  if (c.members.size() > client::member_rows_max)
    return mistake(c.action, "at most " + std::to_string(client::member_rows_max) + " members are changed at once");
  if (auto apart = check_apart(c.action, c.members); apart.has_error()) return apart.error();
  if (auto named = take_new_name(in, c); named.has_error()) return named.error();
  const bool wait = c.promote && !in.has("no-wait");
  return member_order{.change = std::move(c), .wait = wait};
}

std::vector<std::string_view> listed(std::string_view words) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at <= words.size();) {
    const std::size_t end = std::min(words.find('|', at), words.size());
    out.push_back(words.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

error no_such_action(const command_spec& command, std::string_view word) {
  const std::vector<std::string_view> words = listed(command.arguments.front().name);
  std::string all;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i != 0) all += i + 1 == words.size() ? " or " : ", ";
    all += words[i];
  }
  return usage(std::string(command.name) + ": expected " + all + ", not " + shown(word) + suggestion(word, words) +
               " (see 'quorumd help " + std::string(command.name) + "')");
}

std::string mistake_in_member_name(std::string_view name) {
  if (config::valid_name(name)) return {};
  return shown(name) + " is no name of a member: 1 to 64 letters, digits, '.', '_' and '-', a letter or digit first";
}

} // namespace quorumd::cli
