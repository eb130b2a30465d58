#include "config/table.hpp"
#include "config/values.hpp"

#include <algorithm>
#include <span>

namespace quorumd::config {

namespace {

template <class... Fs>
struct overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
overloaded(Fs...) -> overloaded<Fs...>;

using words = std::span<const std::string_view>;

constexpr std::string_view level_words[]{"trace", "debug", "info", "warn", "error"};
constexpr std::string_view compression_words[]{"none", "zstd"};
constexpr std::string_view etcd_version_words[]{"3.4.23", "3.5.21"};
constexpr std::string_view switch_words[]{"false", "true"};
/// In the order of the enumerators.
words words_of(const level_value&) {
  return level_words;
}
words words_of(const compression_value&) {
  return compression_words;
}
words words_of(const etcd_version_value&) {
  return etcd_version_words;
}
words words_of(const switch_value&) {
  return switch_words;
}

constexpr std::string_view name_form =
    "a name of at most 64 letters, digits, `.`, `_` and `-`, a letter or digit first";

complaint unlike(const value_spec& value, std::string_view text) {
  return "expected " + expectation(value) + ", got " + in_quotes(text);
}

/// Splits at commas; an empty text is an empty list.
std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    items.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
    if (text.empty()) items.emplace_back();
  }
  return items;
}

template <class Spec, class T>
complaint take_number(const Spec& spec, settings& to, std::string_view text, std::optional<T> value) {
  if (!value || *value < spec.low || *value > spec.high) return unlike(spec, text);
  spec.at(to) = *value;
  return std::nullopt;
}

complaint take_size(const size_value& spec, settings& to, std::string_view text) {
  const auto value = parse_size(text);
  if (value && *value % spec.multiple_of != 0) return unlike(spec, text);
  return take_number(spec, to, text, value);
}

complaint take_address(const address_value& spec, settings& to, std::string_view text) {
  const auto value = parse_address(text);
  if (!value) return value.error().what;
  if (!spec.wildcard && value->wildcard())
    return "expected an address that can be dialed, got " + in_quotes(text) + ", which means every interface";
  spec.at(to) = *value;
  return std::nullopt;
}

complaint take_path(const path_value& spec, settings& to, std::string_view text) {
  if (text.empty() || text.find('\0') != std::string_view::npos) return unlike(spec, text);
  if (text.size() > spec.bytes_max)
    return "expected " + expectation(spec) + ", got one of " + std::to_string(text.size()) +
           " bytes: " + in_quotes(text);
  spec.at(to) = std::filesystem::path(text);
  return std::nullopt;
}

complaint take_name(const name_value& spec, settings& to, std::string_view text) {
  if (!valid_name(text)) return unlike(spec, text);
  spec.at(to) = text;
  return std::nullopt;
}

template <class E>
complaint take_choice(const choice_value<E>& spec, settings& to, std::string_view text) {
  const words all = words_of(spec);
  const auto found = std::find(all.begin(), all.end(), text);
  if (found == all.end()) return unlike(spec, text);
  spec.at(to) = static_cast<E>(found - all.begin());
  return std::nullopt;
}

std::string listed(words all) {
  std::string out;
  for (const std::string_view word : all) out.append(out.empty() ? "" : ", ").append(word);
  return out;
}

std::string join(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const std::string& item : items) out.append(out.size() > 1 ? ", " : "").append(item);
  return out + "]";
}

std::string from_to(const std::string& low, const std::string& high) {
  return low + " to " + high;
}

/// A setting of settings that are not to be changed.
template <class Spec>
const auto& read(const Spec& spec, const settings& from) {
  return spec.at(const_cast<settings&>(from)); // `at` takes what it can change, and here nothing does
}

std::string default_text(const value_spec& value) {
  return value_text(value, settings{});
}

} // namespace

complaint assign(const value_spec& value, settings& to, std::string_view text) {
  return std::visit(overloaded{
                        [&](const duration_value& v) { return take_number(v, to, text, parse_duration(text)); },
                        [&](const size_value& v) { return take_size(v, to, text); },
                        [&](const count_value& v) { return take_number(v, to, text, parse_count(text)); },
                        [&](const name_value& v) { return take_name(v, to, text); },
                        [&](const path_value& v) { return take_path(v, to, text); },
                        [&](const address_value& v) { return take_address(v, to, text); },
                        [&](const list_value& v) { return assign_list(v, to, split(text)); },
                        [&]<class E>(const choice_value<E>& v) { return take_choice(v, to, text); },
                        [&](const members_value& v) { return unlike(v, text); },
                    },
                    value);
}

complaint assign_list(const list_value& value, settings& to, std::vector<std::string> items) {
  for (const std::string& item : items)
    if (item.empty() || item.find_first_of(value.colons ? " \t\n," : " \t\n:,") != std::string::npos)
      return "expected " + std::string(value.item) + ", got " + in_quotes(item);
  value.at(to) = std::move(items);
  return std::nullopt;
}

complaint assign_member(settings& to, std::string_view name, std::string_view address_text) {
  if (!valid_name(name)) return "expected as a member's name " + std::string(name_form) + ", got " + in_quotes(name);
  const auto parsed = parse_address(address_text);
  if (!parsed) return parsed.error().what;
  if (parsed->wildcard())
    return "expected an address that can be dialed, got " + in_quotes(address_text) + ", which means every interface";
  auto& members = to.cluster.members;
  const auto known = std::find_if(members.begin(), members.end(), [&](const member& m) { return m.name == name; });
  if (known != members.end())
    known->peer = *parsed;
  else
    members.push_back({std::string(name), *parsed});
  return std::nullopt;
}

std::string type_name(const value_spec& value) {
  return std::visit(overloaded{
                        [](const duration_value&) { return "duration"; },
                        [](const size_value&) { return "size"; },
                        [](const count_value&) { return "number"; },
                        [](const name_value&) { return "name"; },
                        [](const path_value&) { return "path"; },
                        [](const address_value&) { return "address"; },
                        [](const list_value&) { return "list"; },
                        [](const level_value&) { return "level"; },
                        [](const compression_value&) { return "compression"; },
                        [](const etcd_version_value&) { return "version"; },
                        [](const switch_value&) { return "switch"; },
                        [](const members_value&) { return "name: address"; },
                    },
                    value);
}

std::string range_text(const value_spec& value) {
  return std::visit(
      overloaded{
          [](const duration_value& v) { return from_to(format_duration(v.low), format_duration(v.high)); },
          [](const size_value& v) {
            std::string range = from_to(format_size(v.low), format_size(v.high));
            return v.multiple_of > 1 ? range + ", a multiple of " + format_size(v.multiple_of) : range;
          },
          [](const count_value& v) { return from_to(std::to_string(v.low), std::to_string(v.high)); },
          [](const name_value&) { return std::string("1 to 64 letters, digits, `.`, `_`, `-`"); },
          [](const path_value& v) { return "at most " + std::to_string(v.bytes_max) + " bytes"; },
          [](const address_value&) { return std::string(); },
          [](const list_value&) { return std::string(); },
          []<class E>(const choice_value<E>& v) { return listed(words_of(v)); },
          [](const members_value&) { return "1 to " + std::to_string(members_max) + " members"; },
      },
      value);
}

std::string expectation(const value_spec& value) {
  const std::string range = range_text(value);
  return std::visit(
      overloaded{
          [&](const duration_value&) { return "a duration from " + range + ", such as " + default_text(value); },
          [&](const size_value&) { return "a size from " + range + ", such as " + default_text(value); },
          [&](const count_value&) { return "a whole number from " + range; },
          [&](const name_value&) { return std::string(name_form); },
          [&](const path_value&) { return "a path of " + range; },
          [&](const address_value&) { return std::string("HOST:PORT, such as 127.0.0.1:2379"); },
          [&](const list_value& v) { return "a list of names, such as " + std::string(v.example); },
          [&]<class E>(const choice_value<E>&) { return "one of " + range; },
          [&](const members_value&) {
            return "a mapping from " + range + "' names to their addresses, such as `n1: 127.0.0.1:2380`";
          },
      },
      value);
}

std::string value_text(const value_spec& value, const settings& from) {
  return std::visit(
      overloaded{
          [&](const duration_value& v) { return format_duration(read(v, from)); },
          [&](const size_value& v) { return format_size(read(v, from)); },
          [&](const count_value& v) { return std::to_string(read(v, from)); },
          [&](const name_value& v) { return std::string(read(v, from)); },
          [&](const path_value& v) { return read(v, from).string(); },
          [&](const address_value& v) { return read(v, from).host.empty() ? std::string() : read(v, from).text(); },
          [&](const list_value& v) { return join(read(v, from)); },
          [&]<class E>(const choice_value<E>& v) {
            return std::string(words_of(v)[static_cast<std::size_t>(read(v, from))]);
          },
          [&](const members_value&) {
            std::vector<std::string> items;
            items.reserve(from.cluster.members.size());
            for (const member& m : from.cluster.members) items.push_back(m.name + ": " + m.peer.text());
            return join(items);
          },
      },
      value);
}

} // namespace quorumd::config
