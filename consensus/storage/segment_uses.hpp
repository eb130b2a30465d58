#pragma once

#include "consensus/types/ids.hpp"

#include <cstdint>
#include <map>
#include <optional>

namespace quorumd::storage {

/// Which segments hold live entries, and whose: the log needs every segment from the oldest used one on.
class segment_uses {
 public:
  void add(std::uint64_t segment, group_id group, std::uint64_t bytes) {
    uses_[segment][group] += 1;
    live_bytes_ += bytes;
  }
  /// What was added before.
  void remove(std::uint64_t segment, group_id group, std::uint64_t bytes) {
    const auto it = uses_.find(segment);
    const auto of_group = it->second.find(group);
    live_bytes_ -= bytes;
    if (--of_group->second == 0) it->second.erase(of_group);
    if (it->second.empty()) uses_.erase(it);
  }

  /// The lowest segment with a live entry; nothing if there is none at all.
  [[nodiscard]] std::optional<std::uint64_t> oldest() const {
    if (uses_.empty()) return std::nullopt;
    return uses_.begin()->first;
  }
  /// A group that has entries in the oldest one; there is one.
  [[nodiscard]] group_id group_of_oldest() const { return uses_.begin()->second.begin()->first; }
  /// What all live entries take on the disk.
  [[nodiscard]] std::uint64_t live_bytes() const { return live_bytes_; }

 private:
  std::map<std::uint64_t, std::map<group_id, std::uint64_t>> uses_; ///< runs of a group, by sequence
  std::uint64_t live_bytes_ = 0;
};

} // namespace quorumd::storage
