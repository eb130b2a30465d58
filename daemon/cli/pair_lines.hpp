#pragma once

#include "daemon/cli/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace quorumd::cli {

enum class pair_format : std::uint8_t {
  lines, ///< key<TAB>value, escaped
  jsonl, ///< a JSON object a line
};

struct key_value {
  std::string key;
  std::string value;
};

/// A line of export's, with its end.
void append_pair(std::string& out, pair_format format, std::string_view key, std::string_view value);
/// The opposite, from a line without its end. The error says what is wrong with it.
[[nodiscard]] result<key_value> parse_pair(pair_format format, std::string_view line);

/// Cuts import's input into pairs, whatever the pieces in which it comes.
class pair_lines {
 public:
  /// A longer line is a mistake: no key and value that a request can carry take so much.
  static constexpr std::size_t line_bytes_max = std::size_t{16} * 1024 * 1024;

  explicit pair_lines(pair_format f)
      : format_(f) {}

  void feed(std::string_view piece);
  /// No more comes: a last line without an end counts.
  void finish() { finished_ = true; }
  /// The next pair; nothing until more is fed. The error names the line by its number.
  [[nodiscard]] result<std::optional<key_value>> next();

  [[nodiscard]] std::uint64_t line_number() const { return line_number_; }
  /// Bytes of the lines given so far.
  [[nodiscard]] std::uint64_t taken_bytes() const { return taken_bytes_; }

 private:
  pair_format format_;
  std::string buffer_;
  std::size_t begin_ = 0;
  std::size_t searched_ = 0; ///< no line end before this
  std::uint64_t line_number_ = 0;
  std::uint64_t taken_bytes_ = 0;
  bool finished_ = false;
};

} // namespace quorumd::cli
