#pragma once

#include "tests/sim/run.hpp"

#include <string>
#include <vector>

namespace quorumd::sim {

/// What happened in a run, for a person.
struct explanation {
  std::string complaint;          ///< empty: nothing was wrong
  std::vector<std::string> lines; ///< by virtual time, as in a trace: who led when, faults, members, and what is wrong
};

/// The history of a run in about a hundred lines: who led from when to when, the faults, members that came and went,
/// snapshots that were installed. If it fails, also the complaint, how each member stood, and the clients' operations
/// that concern it. The run is a process of its own: what breaks an invariant is explained up to there.
[[nodiscard]] explanation explain(const run_spec& s);

/// Which operations a complaint is about: those of the keys, revisions and operations that it names, nearest first;
/// if it names none, those that were under way in the second before it. As they were asked, no more than so many.
[[nodiscard]] std::vector<operation> concerned(const std::vector<operation>& history, const std::string& complaint,
                                               coro::time_point at, std::size_t most);

} // namespace quorumd::sim
