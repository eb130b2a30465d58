#pragma once

#include "daemon/cli/error.hpp"

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace quorumd::cli {

/// Starts another program with this one's standard streams and environment, and these variables besides; its process
/// id, or why it cannot be run.
[[nodiscard]] result<pid_t> start_other(const std::vector<std::string>& words,
                                        const std::vector<std::pair<std::string, std::string>>& variables);
/// Its exit code, or 128 and the number of the signal that ended it; nothing while it runs.
[[nodiscard]] std::optional<int> end_of_other(pid_t pid);
/// The same, once it has ended.
[[nodiscard]] result<int> run_other(const std::vector<std::string>& words,
                                    const std::vector<std::pair<std::string, std::string>>& variables);

} // namespace quorumd::cli
