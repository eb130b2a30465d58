#pragma once

#include "daemon/cli/error.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quorumd::cli {

/// Whether the bytes are well-formed UTF-8 (no overlong forms, no surrogates).
[[nodiscard]] bool is_utf8(std::string_view bytes);

/// Appends the bytes so that they fit into a field of a line: a tab becomes \t, a line feed \n, a backslash \\, other
/// control characters and what is not UTF-8 \xHH; the rest stands for itself.
void append_escaped(std::string& out, std::string_view bytes);

/// Appends \xHH.
void append_hex_escape(std::string& out, std::uint8_t byte);

/// Appends what append_escaped() was given, from what it wrote. The error names the column, from 1.
[[nodiscard]] result<void> append_unescaped(std::string& out, std::string_view text);

/// RFC 4648, with padding.
void append_base64(std::string& out, std::string_view bytes);
/// Nothing unless it is base64 with its padding.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

/// For a message: in single quotes, escaped, and cut after 60 bytes.
[[nodiscard]] std::string shown(std::string_view bytes);

/// `1234567` as `1,234,567`.
[[nodiscard]] std::string grouped(std::uint64_t number);

/// `1 key`, `2 keys`.
[[nodiscard]] std::string counted(std::uint64_t number, std::string_view noun);

/// `n1, n2 and n3`, escaped.
[[nodiscard]] std::string listed(std::span<const std::string> names);

/// Lines of cells one below the other. The first line says how many columns there are; what another has beyond them is
/// a note behind it.
[[nodiscard]] std::string in_columns(std::span<const std::vector<std::string>> lines);

} // namespace quorumd::cli
