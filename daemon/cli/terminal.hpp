#pragma once

#include "daemon/cli/error.hpp"

#include <string>
#include <string_view>

namespace quorumd::cli {

/// Standard output is for results alone. Prints them, and returns the exit code: 0 also when whoever reads has seen
/// enough and closed the pipe.
[[nodiscard]] int print(std::string_view text);
/// Writes a part of a long result; false if there is no use in more: the exit code is then `print_code`.
[[nodiscard]] bool print_part(std::string_view text, int& print_code);

/// Whether messages on standard error are JSON, an object a line; decided once the command line is understood.
void speak_json(bool json);
[[nodiscard]] bool speaks_json();

/// A message to a person on standard error, after `quorumd: `; as JSON {"error": …}.
void complain(std::string_view message);
/// The same, returning the error's exit code, which as JSON is a member too.
[[nodiscard]] int complain(const error& e);
/// A message that is no failure; as JSON {"note": …}.
void remark(std::string_view message);
/// Writes a whole line to standard error.
void write_message(std::string line);

/// All of standard input.
[[nodiscard]] result<std::string> read_standard_input();

} // namespace quorumd::cli
