#pragma once

#include "daemon/cli/args.hpp"

namespace quorumd::cli {

/// The subcommand that is the daemon. It belongs to the executable and not to the library, so that the command line's
/// tests need no daemon.
[[nodiscard]] command_spec serve_command();

} // namespace quorumd::cli
