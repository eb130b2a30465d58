#pragma once

#include "daemon/cli/verify.hpp"
#include "daemon/client/status.hpp"

#include <span>
#include <string>

namespace quorumd::cli {

/// The table for a person: a heading and a line a node.
[[nodiscard]] std::string status_table(std::span<const client::status_row> rows);
/// Whose store has used four fifths of its quota, for a person; empty: nobody's.
[[nodiscard]] std::string nearly_full(std::span<const client::status_row> rows);
/// Which members keep the cluster from using what the others know, for a person; empty: none does.
[[nodiscard]] std::string mixed_versions(std::span<const client::status_row> rows);
/// An array of objects; what is not known of an unreachable node is null, and `error` says why.
[[nodiscard]] std::string status_json(std::span<const client::status_row> rows);
/// An object: that array as `members`, and who holds the same.
[[nodiscard]] std::string verified_json(std::span<const client::status_row> rows, const client::verification& v);

} // namespace quorumd::cli
