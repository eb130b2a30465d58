#pragma once

#include "consensus/types/ids.hpp"

#include <vector>

namespace quorumd {

/// Who votes in a group. Sorted, without repetition. `outgoing` is not empty only while a joint configuration is in
/// force (thesis §4.3); learners receive the log and do not vote.
struct configuration {
  std::vector<node_id> voters;
  std::vector<node_id> outgoing;
  std::vector<node_id> learners;

  friend bool operator==(const configuration&, const configuration&) = default;
};

/// What a snapshot replaces: every entry up to `index`, whose term it remembers, and the configuration in force there.
struct snapshot_mark {
  log_index index;
  quorumd::term term;
  configuration members;

  friend bool operator==(const snapshot_mark&, const snapshot_mark&) = default;
};

/// What a node must remember across a crash before it answers (paper figure 2).
struct hard_state {
  quorumd::term term;
  node_id vote;

  friend bool operator==(const hard_state&, const hard_state&) = default;
};

/// A stretch of the log in one term, from `first` to the next run's first.
struct term_run {
  log_index first;
  quorumd::term term;

  friend bool operator==(const term_run&, const term_run&) = default;
};

} // namespace quorumd
