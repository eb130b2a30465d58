#pragma once

#include "tests/sim/checkers/history.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace quorumd::sim {

struct linearizability_options {
  std::uint64_t explored_max = 2'000'000; ///< revisions tried; beyond, the verdict is undecided
  bool compacts_itself = false;           ///< the store may forget history without a client's asking
  /// Which operations can have made a revision, by what is known of the log. They are only tried first: with a good
  /// guess a good history needs no search, and a bad guess cannot make a bad one pass.
  std::map<std::uint64_t, std::vector<std::uint64_t>> guesses;
};

struct judgement {
  enum class verdict : std::uint8_t { linearizable, violation, undecided };
  verdict is = verdict::linearizable;
  std::string why; ///< what cannot be, and how far the history could be explained
  std::uint64_t explored = 0;
};

/// Whether there is one order of all operations that a single store could have run: every acknowledged operation
/// between its invocation and its return with the answer that it gave, every unknown one at some moment after its
/// invocation or never, none that was not applied. Stale reads may lie in the past but must have been true once.
///
/// Every response carries the store's revision, which orders the whole history: acknowledged operations have their
/// place, real-time order is checked against it in one pass, and only the revisions that nobody acknowledged need the
/// search of Wing and Gong, with Lowe's cache: which of the unknown writes made them?
[[nodiscard]] judgement check_linearizable(const std::vector<operation>& history, linearizability_options o = {});

} // namespace quorumd::sim
