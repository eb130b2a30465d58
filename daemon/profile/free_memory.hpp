#pragma once

#include "coro/loop.hpp"
#include "coro/task.hpp"

namespace quorumd::profile {

/// Gives memory back to the system that the process was done with a while ago, as after a burst of large replies: a
/// little at a time, and never the last 32 MiB, which the next burst would only ask for again. Ends by cancellation.
[[nodiscard]] coro::task<void> run_freeing_memory(coro::loop* home);

} // namespace quorumd::profile
