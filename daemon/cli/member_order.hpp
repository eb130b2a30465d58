#pragma once

#include "daemon/cli/args.hpp"
#include "daemon/client/members.hpp"

#include <optional>
#include <string>
#include <vector>

namespace quorumd::cli {

/// What a command line of `member` asks for.
struct member_order {
  std::optional<client::member_change> change; ///< none: the members are listed
  bool wait = false;                           ///< until each new member is a voter
};

/// `member`'s options, which not all of its actions take.
[[nodiscard]] std::vector<option_spec> member_options();

/// Understands the action, the members and the options behind it. The error names which of them is wrong.
[[nodiscard]] result<member_order> read_member_order(const invocation& in);

/// The words of a text that lists them with bars between: `show|transfer`.
[[nodiscard]] std::vector<std::string_view> listed(std::string_view words);
/// The error for a word that is none of those that stand in `command`'s first argument.
[[nodiscard]] error no_such_action(const command_spec& command, std::string_view word);
/// Nothing, or what is wrong with a member's name.
[[nodiscard]] std::string mistake_in_member_name(std::string_view name);

} // namespace quorumd::cli
