#pragma once

#include "daemon/client/status.hpp"

#include <span>
#include <string>
#include <vector>

namespace quorumd::cli {

/// What the hashes of the members' keys say of one another. Two can be compared if they are at one revision and were
/// compacted at one.
struct hash_comparison {
  std::vector<std::string> agree;   ///< of the most that can be compared, those that have what most of them have; names
  std::vector<std::string> differ;  ///< of any that can be compared, those that have not
  std::vector<std::string> missing; ///< who did not answer, does not say, or is at another revision than the most

  /// All were compared, and agree.
  [[nodiscard]] bool whole() const { return differ.empty() && missing.empty(); }
};
/// Witnesses hold no keys and are passed over. Two of two that differ are both in `differ`.
[[nodiscard]] hash_comparison compare_hashes(std::span<const client::status_row> rows);

/// A line for a person.
[[nodiscard]] std::string comparison_text(const hash_comparison& c);
/// A heading and a line a member.
[[nodiscard]] std::string hash_table(std::span<const client::status_row> rows);
/// An object: the members with their hashes, and who agrees.
[[nodiscard]] std::string hash_json(std::span<const client::status_row> rows, const hash_comparison& c);

} // namespace quorumd::cli
