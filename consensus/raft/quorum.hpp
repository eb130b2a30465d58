#pragma once

#include "consensus/types/configuration.hpp"
#include "consensus/types/ids.hpp"
#include "consensus/types/invariant.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace quorumd::raft {

enum class vote_result : std::uint8_t { pending, won, lost };

/// The largest value that a majority of the voters has reached, where value_of(node_id) says how far one is. An empty
/// set binds nobody: the largest number there is.
template <class ValueOf>
[[nodiscard]] std::uint64_t majority_value(const std::vector<node_id>& voters, const ValueOf& value_of) {
  if (voters.empty()) return std::numeric_limits<std::uint64_t>::max();
  QUORUMD_INVARIANT(voters.size() <= voters_max, "a configuration has at most voters_max voters");
  std::array<std::uint64_t, voters_max> values;
  for (std::size_t i = 0; i < voters.size(); ++i) values[i] = value_of(voters[i]);
  const auto end = values.begin() + static_cast<std::ptrdiff_t>(voters.size());
  const auto at = values.begin() + static_cast<std::ptrdiff_t>((voters.size() - 1) / 2);
  std::nth_element(values.begin(), at, end);
  return *at;
}

/// The same for a configuration: while a joint one is in force both halves must have reached it (thesis §4.3).
template <class ValueOf>
[[nodiscard]] std::uint64_t quorum_value(const configuration& members, const ValueOf& value_of) {
  return std::min(majority_value(members.voters, value_of), majority_value(members.outgoing, value_of));
}

/// Whether the predicate holds for a quorum.
template <class Predicate>
[[nodiscard]] bool quorum_holds(const configuration& members, const Predicate& holds) {
  return quorum_value(members, [&](node_id id) { return holds(id) ? std::uint64_t{1} : std::uint64_t{0}; }) != 0;
}

/// The votes of one election. A grant counts for good; a refusal only as long as no grant of the same voter arrives,
/// since it may answer an earlier pre-vote of the same term.
class ballot {
 public:
  void record(node_id voter, bool granted) {
    for (auto& [id, vote] : votes_)
      if (id == voter) {
        vote = vote || granted;
        return;
      }
    votes_.emplace_back(voter, granted);
  }

  [[nodiscard]] vote_result result(const configuration& members) const {
    if (quorum_holds(members, [&](node_id id) { return answer(id) == 1; })) return vote_result::won;
    // Lost once those who may still grant are no quorum.
    if (!quorum_holds(members, [&](node_id id) { return answer(id) != 0; })) return vote_result::lost;
    return vote_result::pending;
  }

 private:
  // 1 granted, 0 refused, -1 not answered yet
  [[nodiscard]] int answer(node_id voter) const {
    for (const auto& [id, vote] : votes_)
      if (id == voter) return vote ? 1 : 0;
    return -1;
  }

  std::vector<std::pair<node_id, bool>> votes_;
};

/// Whether the node votes in the configuration, or in the one that it leads away from.
[[nodiscard]] inline bool is_voter(const configuration& members, node_id id) {
  const auto in = [id](const std::vector<node_id>& set) { return std::find(set.begin(), set.end(), id) != set.end(); };
  return in(members.voters) || in(members.outgoing);
}

/// Whether the node votes, and will when a change under way is over.
[[nodiscard]] inline bool stays_voter(const configuration& members, node_id id) {
  return std::find(members.voters.begin(), members.voters.end(), id) != members.voters.end();
}

/// Whether the node belongs to the configuration, voting or not.
[[nodiscard]] inline bool is_member(const configuration& members, node_id id) {
  return is_voter(members, id) ||
         std::find(members.learners.begin(), members.learners.end(), id) != members.learners.end();
}

} // namespace quorumd::raft
