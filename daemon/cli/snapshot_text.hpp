#pragma once

#include "daemon/cli/json.hpp"
#include "daemon/node/offline.hpp"

#include <string>

namespace quorumd::cli {

/// `n1 n2 n3, learner n4`
[[nodiscard]] std::string members_text(const node::roster& r);
/// The member `members` of an object: what is known of each.
void append_members(json_writer& w, const node::roster& r);

[[nodiscard]] std::string snapshot_text(const std::string& path, const node::snapshot_contents& c);
[[nodiscard]] std::string snapshot_json(const std::string& path, const node::snapshot_contents& c);

} // namespace quorumd::cli
