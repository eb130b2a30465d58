#pragma once

#include "daemon/client/status.hpp"

#include <span>
#include <string>
#include <vector>

namespace quorumd::cli {

/// What the state hashes of a cluster's members say of one another.
struct verification {
  log_index at;                     ///< the highest index at which all that answered can be compared; 0: none yet
  std::vector<std::string> same;    ///< who holds there what most do; names
  std::vector<std::string> differ;  ///< who does not
  std::vector<std::string> missing; ///< who did not answer, or has no index in common with the others yet

  /// All members were compared, and are equal.
  [[nodiscard]] bool whole() const { return at && differ.empty() && missing.empty(); }
};

/// Compares the rows of one answer at the highest index for which each has a mark. Two of two that differ are both in
/// `differ`.
[[nodiscard]] verification verify(std::span<const client::status_row> rows);

/// A line for a person.
[[nodiscard]] std::string verification_text(const verification& v);

} // namespace quorumd::cli
