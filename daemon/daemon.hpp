#pragma once

#include "config/config.hpp"

namespace quorumd::daemon {

/// Runs the daemon until SIGTERM or SIGINT; the exit code (config/exit_codes.hpp). Logs to standard error.
[[nodiscard]] int serve(const config::settings& settings);

} // namespace quorumd::daemon
