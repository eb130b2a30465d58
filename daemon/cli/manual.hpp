#pragma once

#include "daemon/cli/args.hpp"

#include <span>
#include <string>

namespace quorumd::cli {

// Manual pages, as man(7) wants them; made from the table of commands, so that they say what the program does.

/// quorumd(1)
[[nodiscard]] std::string overview_manual(std::span<const command_spec> commands);
/// quorumd-put(1)
[[nodiscard]] std::string command_manual(const command_spec& c);
/// quorumd.yaml(5), from the table of keys.
[[nodiscard]] std::string configuration_manual();

} // namespace quorumd::cli
