#pragma once

#include "daemon/cli/args.hpp"

namespace quorumd::cli {

/// The subcommand that reads a node's files. It belongs to the executable, as serve does.
[[nodiscard]] command_spec inspect_command();

} // namespace quorumd::cli
