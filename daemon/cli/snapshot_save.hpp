#pragma once

#include "daemon/cli/args.hpp"

namespace quorumd::cli {

/// `snapshot save FILE`; the exit code.
[[nodiscard]] int run_save(const invocation& in);

} // namespace quorumd::cli
