#pragma once

#include <string>
#include <string_view>

namespace quorumd::cli {

/// For a subcommand of etcdctl, of another store's tool, or of habit: which command does that here, or that none does
/// in this version. Empty for any other word.
[[nodiscard]] std::string other_command(std::string_view word);

/// The same for an option, without its dashes.
[[nodiscard]] std::string other_option(std::string_view name);

} // namespace quorumd::cli
