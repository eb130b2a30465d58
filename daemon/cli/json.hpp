#pragma once

#include "daemon/cli/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace quorumd::cli {

/// Writes JSON into a string, piece by piece and in order, so that a long result never stands in memory as a tree; the
/// caller keeps objects and arrays balanced, commas come by themselves. Texts and numbers are Boost.JSON's.
class json_writer {
 public:
  explicit json_writer(std::string& out)
      : out_(out) {}

  json_writer& begin_object();
  json_writer& end_object();
  json_writer& begin_array();
  json_writer& end_array();
  json_writer& key(std::string_view name);
  /// The text is UTF-8; what is not becomes U+FFFD.
  json_writer& text(std::string_view value);
  /// Exact, also beyond 2^53.
  json_writer& number(std::uint64_t value);
  /// With so many decimals; JSON has no infinity, which becomes null.
  json_writer& number(double value, int decimals);
  json_writer& boolean(bool value);
  json_writer& null();
  /// The member `name`, or, where the bytes are not UTF-8, the member `name_base64`.
  json_writer& bytes(std::string_view name, std::string_view value);

 private:
  void before_value();

  std::string& out_;
  bool comma_ = false;
  bool after_key_ = false;
};

/// A line of the jsonl form.
struct json_pair {
  std::string key;
  std::string value;
};

/// Reads an object of exactly `key` (or `key_base64`) and `value` (or `value_base64`), each a string, as json_writer
/// writes them; members in any order. The error names the column, from 1.
[[nodiscard]] result<json_pair> parse_json_pair(std::string_view line);

} // namespace quorumd::cli
