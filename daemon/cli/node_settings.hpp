#pragma once

#include "config/config.hpp"
#include "consensus/storage/error.hpp"
#include "daemon/cli/args.hpp"

#include <functional>
#include <string>
#include <vector>

namespace quorumd::cli {

/// Where a command that is about one node reads its configuration.
using settings_source = std::function<config::result<config::settings>()>;

/// The options that name it: --config, --data-dir, --name and --set.
[[nodiscard]] std::vector<option_spec> node_options();

/// What they say, to be read as often as need be; an error if they contradict one another.
[[nodiscard]] result<settings_source> settings_of(const invocation& in);

/// Tells a person what is wrong, and returns the exit code for it.
[[nodiscard]] int complain(const config::mistakes& m);
[[nodiscard]] int complain(const storage::error& e);

} // namespace quorumd::cli
