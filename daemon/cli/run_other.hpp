#pragma once

#include "daemon/cli/error.hpp"

#include <string>
#include <utility>
#include <vector>

namespace quorumd::cli {

/// Runs another program with this one's standard streams and environment, and these variables besides; waits until it
/// has ended. Its exit code, or 128 and the number of the signal that ended it; an error if it cannot be run.
[[nodiscard]] result<int> run_other(const std::vector<std::string>& words,
                                    const std::vector<std::pair<std::string, std::string>>& variables);

} // namespace quorumd::cli
