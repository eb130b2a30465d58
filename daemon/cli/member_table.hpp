#pragma once

#include "daemon/cli/error.hpp"
#include "wire/members.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace quorumd::cli {

/// A line for each member, under a header; in the end, whether a change is under way.
[[nodiscard]] std::string members_table(const wire::members_reply& m);
/// The same as an object, with every field.
[[nodiscard]] std::string members_json(const wire::members_reply& m);

/// What `quorumd member ACTION` names, each word `NAME` or `NAME=HOST:PORT`, as the action needs it.
[[nodiscard]] result<std::vector<wire::member_spec>> parse_members(wire::member_action action,
                                                                   const std::vector<std::string>& words);

/// The action by its word; the error says which there are.
[[nodiscard]] result<wire::member_action> parse_member_action(std::string_view word);

/// What is to be run for a new member, on its machine.
[[nodiscard]] std::string how_to_join(const wire::members_reply& m, const std::string& name);

} // namespace quorumd::cli
