#pragma once

#include "config/config.hpp"

#include <functional>

namespace quorumd::daemon {

/// Reads the configuration again, as it was read for the start.
using reread = std::function<config::result<config::settings>()>;

/// Runs the daemon until SIGTERM or SIGINT; the exit code (config/exit_codes.hpp). Logs to standard error. SIGHUP takes
/// from a configuration read again what can be changed while it runs (daemon/reload.hpp).
[[nodiscard]] int serve(const config::settings& settings, const reread& again);

} // namespace quorumd::daemon
