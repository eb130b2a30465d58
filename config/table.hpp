#pragma once

#include "config/config.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace quorumd::config {

// The kinds of value a key can have. `at` gives the setting that the key stands for.
struct duration_value {
  std::chrono::milliseconds& (*at)(settings&);
  std::chrono::milliseconds low, high;
};
struct size_value {
  std::uint64_t& (*at)(settings&);
  std::uint64_t low, high;
  std::uint64_t multiple_of = 1;
};
struct count_value {
  std::uint64_t& (*at)(settings&);
  std::uint64_t low, high;
};
struct name_value {
  std::string& (*at)(settings&);
};
struct path_value {
  std::filesystem::path& (*at)(settings&);
  std::size_t bytes_max;
};
struct address_value {
  address& (*at)(settings&);
  bool wildcard; ///< whether every interface will do
};
struct list_value {
  std::vector<std::string>& (*at)(settings&);
  std::string_view item = "a user's or group's name or number";
  std::string_view example = "[ann, bob]";
  bool colons = false; ///< whether an item may have some
};
/// One of the words of an enumeration.
template <class E>
struct choice_value {
  E& (*at)(settings&);
};
using level_value = choice_value<log_level>;
using compression_value = choice_value<compression>;
using etcd_version_value = choice_value<etcd_version>;
using switch_value = choice_value<bool>;
/// The mapping from names to addresses.
struct members_value {};

using value_spec =
    std::variant<duration_value, size_value, count_value, name_value, path_value, address_value, list_value,
                 level_value, compression_value, etcd_version_value, switch_value, members_value>;

/// One key. The table of them drives the parser, the overrides, the nearest known key and the documents; the defaults
/// are those of the structs.
struct key_spec {
  std::string_view path;
  value_spec value;
  std::string_view meaning;      ///< a sentence without its full stop
  std::string_view default_is{}; ///< in words, where the default is not a constant
  std::string_view example{};    ///< the example file's value; such a key is required
  [[nodiscard]] bool required() const { return !example.empty(); }
  [[nodiscard]] std::string_view section() const { return path.substr(0, path.find('.')); }
  [[nodiscard]] std::string_view leaf() const { return path.substr(path.find('.') + 1); }
};

[[nodiscard]] std::span<const key_spec> table();
/// The key of that path, or nullptr.
[[nodiscard]] const key_spec* find_key(std::string_view path);
/// The known key that is written most like this.
[[nodiscard]] const key_spec& nearest_key(std::string_view path);
/// The known section that is written most like this.
[[nodiscard]] std::string_view nearest_section(std::string_view name);
[[nodiscard]] bool is_section(std::string_view name);
/// A section's meaning: a sentence without its full stop.
[[nodiscard]] std::string_view section_meaning(std::string_view name);

/// What is wrong with a value, as `expected …, got …`; nothing if it was taken.
using complaint = std::optional<std::string>;

/// Reads one value of any kind but members_value; a list is separated by commas.
[[nodiscard]] complaint assign(const value_spec& value, settings& to, std::string_view text);
/// Reads the items of a list.
[[nodiscard]] complaint assign_list(const list_value& value, settings& to, std::vector<std::string> items);
/// Adds a member, or replaces the address of one that is there.
[[nodiscard]] complaint assign_member(settings& to, std::string_view name, std::string_view address_text);

/// `duration`, `size`, …
[[nodiscard]] std::string type_name(const value_spec& value);
/// `10ms to 10s`; empty where the type says all.
[[nodiscard]] std::string range_text(const value_spec& value);
/// What was expected: `a duration from 10ms to 10s, such as 50ms`.
[[nodiscard]] std::string expectation(const value_spec& value);
/// The value that is in force there, as it would be written.
[[nodiscard]] std::string value_text(const value_spec& value, const settings& from);

} // namespace quorumd::config
