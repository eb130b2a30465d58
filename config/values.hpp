#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace quorumd::config {

/// `50ms`, `2s`, `1m`, `1h`: a whole number and its unit, without a space. Nothing if the text is something else or
/// the number is too large.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
/// `512B`, `64KiB`, `64MiB`, `1GiB`, `1TiB`: a whole number and its unit, in bytes.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);
/// Decimal digits and nothing else.
[[nodiscard]] std::optional<std::uint64_t> parse_count(std::string_view text);

/// What the parsers above read back, in the largest unit that divides it.
[[nodiscard]] std::string format_duration(std::chrono::milliseconds value);
[[nodiscard]] std::string format_size(std::uint64_t bytes);

/// Whether the text can name a node or a cluster: 1 to 64 letters, digits, `.`, `_` and `-`, a letter or digit first.
[[nodiscard]] bool valid_name(std::string_view text);

/// The text in backquotes for a message: what a terminal would not show is written \xHH, a long text is cut.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// How many insertions, deletions, replacements and swaps of neighbours turn one text into the other.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

} // namespace quorumd::config
