#pragma once

#include "consensus/types/ids.hpp"
#include "daemon/cli/error.hpp"

#include <string>

namespace quorumd::cli {

/// The lease that a command line names: up to sixteen hexadecimal digits, as `quorumd lease` and etcdctl print them.
[[nodiscard]] result<lease_id> lease_named(const std::string& text);

} // namespace quorumd::cli
