#pragma once

#include "daemon/kv/command.hpp"
#include "daemon/kv/result.hpp"
#include "tests/sim/checkers/history.hpp"

namespace quorumd::sim {

/// The operation as the store's command; its views point into the operation.
[[nodiscard]] kv::command command_of(const operation& o);

/// Writes what the store answered into the operation. False: it answered another kind of command.
[[nodiscard]] bool take_reply(const kv::reply& r, operation& o);
void take_reply(const kv::range_reply& r, operation& o);

} // namespace quorumd::sim
