#pragma once

#include "daemon/client/status.hpp"

#include <optional>
#include <span>
#include <string>

namespace quorumd::cli {

/// Why the member would take no put as the leader, for want of space: the alarm NOSPACE. Nothing: it would take some.
[[nodiscard]] std::optional<std::string> no_space(const client::status_row& r);

/// The table for a person, a line an alarm; empty if there is none.
[[nodiscard]] std::string alarms_table(std::span<const client::status_row> rows);
/// An array of objects, one an alarm.
[[nodiscard]] std::string alarms_json(std::span<const client::status_row> rows);

} // namespace quorumd::cli
