#pragma once

#include "config/config.hpp"

namespace quorumd::telemetry {

/// Sends what spdlog's default logger is told to standard error: with a time stamp for a person, with the journal's
/// severity prefix under systemd (which stamps the lines itself). Called once, before anything logs.
void set_up_log(config::log_level level);

/// From any thread.
void set_log_level(config::log_level level);

} // namespace quorumd::telemetry
