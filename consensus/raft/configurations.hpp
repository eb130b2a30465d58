#pragma once

#include "consensus/types/configuration.hpp"
#include "consensus/types/entry.hpp"
#include "consensus/types/ids.hpp"

#include <vector>

namespace quorumd::raft {

/// The configurations that a log holds. The newest is in force from the moment it is appended, committed or not
/// (thesis §4.1); a truncation brings the one before it back.
class configurations {
 public:
  /// In force after `start`, and then the entries of kind `members` that follow it, all of which can be decoded.
  configurations(log_index start, configuration base, const std::vector<entry>& logged);

  [[nodiscard]] const configuration& current() const { return logged_.empty() ? base_ : logged_.back().members; }
  /// The index of the entry it came with; that of the log's start, if it stands before the kept log.
  [[nodiscard]] log_index index() const { return logged_.empty() ? start_ : logged_.back().from.index(); }
  /// The entry itself; null if it stands before the kept log.
  [[nodiscard]] const entry* origin() const { return logged_.empty() ? nullptr : &logged_.back().from; }
  /// The one in force at an index of the kept log, or its start.
  [[nodiscard]] const configuration& at(log_index index) const;

  /// The next entry of that kind; it can be decoded.
  void append(const entry& e);
  /// The log now ends before `from`: whether another one is in force.
  [[nodiscard]] bool truncate(log_index from);
  /// The log now starts at `start`, which it held.
  void compact(log_index start);
  /// The log starts anew.
  void restart(log_index start, configuration base);

 private:
  struct logged {
    entry from;
    configuration members;
  };
  log_index start_;
  configuration base_;
  std::vector<logged> logged_; ///< ascending
};

} // namespace quorumd::raft
