#include "daemon/cli/text.hpp"

#include <absl/strings/escaping.h>

#include <algorithm>
#include <cstdint>

namespace quorumd::cli {
namespace {

constexpr char hex_digits[] = "0123456789abcdef";

std::uint8_t byte_at(std::string_view s, std::size_t i) {
  return static_cast<std::uint8_t>(s[i]);
}

/// How many bytes the UTF-8 character at the start takes; 0 if there is none.
std::size_t character_bytes(std::string_view s) {
  const std::uint8_t first = byte_at(s, 0);
  if (first < 0x80) return 1;
  std::size_t length = 0;
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xbf;
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3;
    if (first == 0xe0) low = 0xa0;
    if (first == 0xed) high = 0x9f;
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4;
    if (first == 0xf0) low = 0x90;
    if (first == 0xf4) high = 0x8f;
  } else {
    return 0;
  }
  if (s.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if (byte_at(s, i) < low || byte_at(s, i) > high) return 0;
    low = 0x80;
    high = 0xbf;
  }
  return length;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

error bad_escape(std::size_t at, const std::string& what) {
  return usage("column " + std::to_string(at + 1) + ": " + what);
}

} // namespace

void append_hex_escape(std::string& out, std::uint8_t byte) {
  out += "\\x";
  out += hex_digits[byte >> 4];
  out += hex_digits[byte & 15];
}

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t n = character_bytes(bytes);
    if (n == 0) return false;
    bytes.remove_prefix(n);
  }
  return true;
}

void append_escaped(std::string& out, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::uint8_t c = byte_at(bytes, 0);
    std::size_t n = 1;
    if (c == '\t') {
      out += "\\t";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\\') {
      out += "\\\\";
    } else if (c < 0x20 || c == 0x7f || character_bytes(bytes) == 0) {
      append_hex_escape(out, c);
    } else {
      n = character_bytes(bytes);
      out.append(bytes.substr(0, n));
    }
    bytes.remove_prefix(n);
  }
}

result<void> append_unescaped(std::string& out, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\t') return bad_escape(i, "a tab inside a field is written \\t");
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    const char kind = i + 1 < text.size() ? text[i + 1] : '\0';
    if (kind == 't') {
      out += '\t';
    } else if (kind == 'n') {
      out += '\n';
    } else if (kind == '\\') {
      out += '\\';
    } else if (kind == 'x') {
      const int high = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
      const int low = i + 3 < text.size() ? hex_value(text[i + 3]) : -1;
      if (high < 0 || low < 0) return bad_escape(i, "\\x is followed by two hexadecimal digits");
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      return bad_escape(i, "after a backslash comes t, n, xHH or another backslash");
    }
    ++i;
  }
  return {};
}

void append_base64(std::string& out, std::string_view bytes) {
  out += absl::Base64Escape({bytes.data(), bytes.size()});
}

std::optional<std::string> decode_base64(std::string_view text) {
  // Abseil also takes texts without padding, with dots for it, and with spaces anywhere.
  std::string out;
  if (text.size() % 4 != 0 || text.find_first_of(". \t\n\v\f\r") != std::string_view::npos) return std::nullopt;
  if (!absl::Base64Unescape({text.data(), text.size()}, &out)) return std::nullopt;
  return out;
}

std::string shown(std::string_view bytes) {
  constexpr std::size_t shown_max = 60;
  std::string out = "'";
  append_escaped(out, bytes.substr(0, shown_max));
  out += bytes.size() > shown_max ? "…'" : "'";
  return out;
}

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string counted(std::uint64_t number, std::string_view noun) {
  std::string out = grouped(number) + " ";
  out += noun;
  if (number != 1) out += 's';
  return out;
}

std::string listed(std::span<const std::string> names) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i != 0) out += i + 1 == names.size() ? " and " : ", ";
    append_escaped(out, names[i]);
  }
  return out;
}

std::string in_columns(std::span<const std::vector<std::string>> lines) {
  if (lines.empty()) return {};
  std::vector<std::size_t> widths(lines.front().size());
  for (const auto& line : lines)
    for (std::size_t i = 0; i < std::min(widths.size(), line.size()); ++i)
      widths[i] = std::max(widths[i], line[i].size());
  std::string out;
  for (const auto& line : lines) {
    std::string text;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (i != 0) text += "  ";
      text += line[i];
      if (i < widths.size()) text.append(widths[i] - line[i].size(), ' ');
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  }
  return out;
}

} // namespace quorumd::cli
