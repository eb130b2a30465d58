#pragma once

#include "daemon/cli/args.hpp"

#include <span>
#include <string>

namespace quorumd::cli {

// Scripts that complete subcommands, their options, and the values that can be told; made from the table of commands.

[[nodiscard]] std::string bash_completion(std::span<const command_spec> commands);
[[nodiscard]] std::string zsh_completion(std::span<const command_spec> commands);
[[nodiscard]] std::string fish_completion(std::span<const command_spec> commands);

} // namespace quorumd::cli
