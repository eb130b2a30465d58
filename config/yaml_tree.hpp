#pragma once

#include "config/config.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quorumd::config {

/// What a mistake is about: a position in a file, or an option of the command line (then without a line).
struct origin {
  std::string source;
  std::size_t line = 0;
  std::size_t column = 0;
};

[[nodiscard]] inline mistake mistake_at(const origin& at, std::string what) {
  return {at.source, at.line, at.column, std::move(what)};
}

/// The same about a key, which is named in front unless the origin names it already.
[[nodiscard]] inline mistake mistake_about(const origin& at, std::string_view key, const std::string& what) {
  const bool named = at.line == 0 && at.source.ends_with(std::string(" ").append(key));
  return mistake_at(at, named ? what : std::string(key).append(": ").append(what));
}

/// One value of a YAML document with where it stands, and where its key does.
struct yaml_node {
  enum class kind : std::uint8_t { nothing, scalar, list, map };

  std::string key;
  origin key_at;
  yaml_node::kind is = kind::nothing;
  origin at; ///< of a nothing: where its key stands, if it has one
  std::string text;
  std::vector<yaml_node> children;
  bool refused = false; ///< something stands here that was complained about already

  /// `a list`, for a message; a scalar is quoted.
  [[nodiscard]] std::string described() const;
};

/// Reads a text that should be one YAML document. What YAML allows and a configuration should not contain (keys given
/// twice, aliases, tags, keys that are not plain text, further documents) is added to `found`; a text that is not YAML
/// gives nothing but mistakes.
[[nodiscard]] std::optional<yaml_node> read_yaml(std::string_view text, const std::string& source,
                                                 std::vector<mistake>& found);

} // namespace quorumd::config
