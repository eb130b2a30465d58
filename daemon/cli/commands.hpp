#pragma once

#include "daemon/cli/args.hpp"

#include <span>
#include <string>
#include <vector>

namespace quorumd::cli {

// One file a subcommand; each returns its grammar and help.
[[nodiscard]] command_spec serve_command();
[[nodiscard]] command_spec put_command();
[[nodiscard]] command_spec get_command();
[[nodiscard]] command_spec del_command();
[[nodiscard]] command_spec watch_command();
[[nodiscard]] command_spec lease_command();
[[nodiscard]] command_spec lock_command();
[[nodiscard]] command_spec elect_command();
[[nodiscard]] command_spec txn_command();
[[nodiscard]] command_spec compact_command();
[[nodiscard]] command_spec settings_command();
[[nodiscard]] command_spec import_command();
[[nodiscard]] command_spec export_command();
[[nodiscard]] command_spec status_command();
[[nodiscard]] command_spec alarm_command();
[[nodiscard]] command_spec hash_command();
[[nodiscard]] command_spec member_command();
[[nodiscard]] command_spec leader_command();
[[nodiscard]] command_spec health_command();
[[nodiscard]] command_spec latency_command();
[[nodiscard]] command_spec top_command();
[[nodiscard]] command_spec profile_command();
[[nodiscard]] command_spec bench_command();
[[nodiscard]] command_spec check_config_command();
[[nodiscard]] command_spec inspect_command();
[[nodiscard]] command_spec snapshot_command();
[[nodiscard]] command_spec recover_command();
[[nodiscard]] command_spec completion_command();
[[nodiscard]] command_spec help_command();
[[nodiscard]] command_spec version_command();

/// Every subcommand, in the order of the help.
[[nodiscard]] std::span<const command_spec> all_commands();

/// `quorumd 0.1.0 (commit 0123456789ab)`
[[nodiscard]] std::string version_text();

/// The whole program, given its subcommands and its command line without the name; the result is the exit code.
[[nodiscard]] int run(std::span<const command_spec> commands, std::vector<std::string> words);

} // namespace quorumd::cli
