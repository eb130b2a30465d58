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

/// A message to a person on standard error, after `quorumd: `.
void complain(std::string_view message);
/// The same, returning the error's exit code.
[[nodiscard]] int complain(const error& e);

/// All of standard input.
[[nodiscard]] result<std::string> read_standard_input();

} // namespace quorumd::cli
