#pragma once

#include "daemon/client/status.hpp"

#include <span>
#include <string>
#include <vector>

namespace quorumd::client {

/// What the state hashes of a cluster's members say of one another.
struct verification {
  log_index at;                     ///< the highest index at which most of those that answered can be compared; 0: none
  std::vector<std::string> same;    ///< who holds there what a majority of the members with data holds; names
  std::vector<std::string> differ;  ///< who does not; all of them, where no majority agrees
  std::vector<std::string> missing; ///< who did not answer, or cannot be compared there
  /// Where some differ: the last mark at which all of them were equal, and the first at which they are not, as far back
  /// as they remember. Index 0: none.
  state_mark equal;
  state_mark unequal;

  /// All members were compared, and are equal.
  [[nodiscard]] bool whole() const { return at && differ.empty() && missing.empty(); }
};

/// Compares the rows of one answer. Witnesses hold nothing that could be compared.
[[nodiscard]] verification verify(std::span<const status_row> rows);

} // namespace quorumd::client
