#include "config/values.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <vector>

namespace quorumd::config {

namespace {

struct unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array duration_units{unit{"ms", 1}, unit{"s", 1'000}, unit{"m", 60'000}, unit{"h", 3'600'000}};
constexpr std::array size_units{unit{"B", 1}, unit{"KiB", 1ull << 10}, unit{"MiB", 1ull << 20}, unit{"GiB", 1ull << 30},
                                unit{"TiB", 1ull << 40}};

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

template <std::size_t N>
std::optional<std::uint64_t> parse_with_unit(std::string_view text, const std::array<unit, N>& units) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_count(text.substr(0, digits));
  if (!number) return std::nullopt;
  for (const unit& u : units) {
    if (u.name != text.substr(digits)) continue;
    constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
    if (*number > most / u.factor) return std::nullopt;
    return *number * u.factor;
  }
  return std::nullopt;
}

template <std::size_t N>
std::string format_with_unit(std::uint64_t value, const std::array<unit, N>& units) {
  const unit* best = &units.front();
  for (const unit& u : units)
    if (value != 0 && value % u.factor == 0) best = &u;
  return std::to_string(value / best->factor).append(best->name);
}

} // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto value = parse_with_unit(text, duration_units);
  if (!value) return std::nullopt;
  return std::chrono::milliseconds(*value);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  return parse_with_unit(text, size_units);
}

std::optional<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string format_duration(std::chrono::milliseconds value) {
  return format_with_unit(static_cast<std::uint64_t>(value.count()), duration_units);
}

std::string format_size(std::uint64_t bytes) {
  return format_with_unit(bytes, size_units);
}

bool valid_name(std::string_view text) {
  if (text.empty() || text.size() > 64) return false;
  if (!is_letter(text.front()) && !is_digit(text.front())) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '-'; });
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t shown_max = 80;
  constexpr std::string_view hex = "0123456789abcdef";
  std::string out = "`";
  for (const char c : text.substr(0, shown_max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f)
      out.append("\\x").append(1, hex[byte >> 4]).append(1, hex[byte & 15]);
    else
      out.push_back(c);
  }
  return out.append(text.size() > shown_max ? "`..." : "`");
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Row i holds the distances of a's first i characters to every beginning of b.
  std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before_last, last);
    std::swap(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = a[i - 1] == b[j - 1];
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row[b.size()];
}

} // namespace quorumd::config
