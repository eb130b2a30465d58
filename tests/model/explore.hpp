#pragma once

#include "tests/model/world.hpp"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace quorumd::model {

/// How much may happen.
struct bounds {
  std::size_t nodes = 3;              ///< at most nodes_max
  std::vector<std::uint64_t> voters;  ///< the members at first; empty: all nodes
  std::vector<std::uint64_t> target;  ///< the voters that a leader may make the members, once; empty: none
  std::uint8_t terms = 2;             ///< nobody goes beyond; at most terms_max
  std::uint8_t timeouts = any_number; ///< of followers and candidates, and of leaders that hear nobody
  std::uint8_t slow_disks = 1;        ///< how often a disk falls behind and its writes end one by one
  std::uint8_t entries = 2;           ///< commands of clients
  std::uint8_t crashes = 1;
  std::optional<std::uint8_t> duplicates; ///< copies of messages that arrive once more; nothing: any number
  std::uint8_t beats = 0;                 ///< heartbeats
  std::uint8_t compactions = 0;           ///< snapshots
  bool pre_votes = false;                 ///< they are messages too; else a candidate has them at once
  bool reduce = true;                     ///< leaves out orders that lead to the same
  bool compare = false; ///< nodes that count as being in the same state must do the same: each step is taken by both
  std::uint64_t states_max = 10'000'000;
  raft::mutant mutant = raft::mutant::none;
};

struct outcome {
  std::uint64_t states = 0;
  std::uint64_t transitions = 0;
  std::uint64_t together = 0;    ///< states of all nodes together, whatever is under way between them
  std::uint64_t depth = 0;       ///< of the last state
  std::uint64_t node_states = 0; ///< of single nodes
  std::uint64_t node_steps = 0;  ///< that the core took
  bool exhausted = false;        ///< there is no further state within the bounds; else states_max was reached
  std::string broken;            ///< which promise, or empty
  std::vector<std::string> path; ///< how to get there
};

/// Everything that some nodes can do within the bounds, breadth first: the real core, with messages lost, delivered in
/// any order and more than once, writes that become durable one by one, and crashes that lose what is not. So the first
/// broken promise that it meets is one that few steps lead to.
///
/// Three things keep it small without leaving out a state in which a promise could be broken.
///   - What adds nothing is left out: a step that changes no node and sends only what is under way already leads to a
///     world from which nothing can happen that could not happen before.
///   - An answer of a term that its receiver has durably left is taken away: it can do nothing there, ever.
///   - Steps of different nodes commute: each changes one node only, is possible as long as its own message is under
///   way,
///     and takes no other's message away. So of two such steps only one order need be tried. That is what sleep sets do
///     (Godefroid 1996, chapter 5): after a step those that were tried before it, and commute with it, sleep until
///     something happens that does not commute with them. Steps that use up the same budget do not commute, nor do,
///     where messages arrive once only, a delivery and a step that sends the same message anew. A state that is met
///     again with fewer steps asleep is gone through again for those that are awake now.
///
/// Without a change of members, and with pre-votes left out, the nodes are alike: then only node 1 stands first.
class explorer {
 public:
  explicit explorer(bounds b);

  /// Goes on until everything was seen, a promise is broken, or states_max is reached. `progress` is told at times.
  [[nodiscard]] outcome go(const std::function<void(const outcome&)>& progress = {});

  /// How the step that is being tried was reached, for when it aborts the process.
  [[nodiscard]] std::vector<std::string> path_to_current();

 private:
  struct visited {
    std::uint32_t parent = 0;
    std::uint32_t by = 0;          ///< the action's code
    std::uint32_t asleep_from = 0; ///< in asleep_
    std::uint16_t asleep = 0;
    std::uint16_t depth = 0;
  };
  struct digest {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    friend bool operator==(const digest&, const digest&) = default;
    template <class H>
    friend H AbslHashValue(H h, const digest& d) {
      return H::combine(std::move(h), d.low);
    }
  };
  /// A state that is gone through once more, for these actions.
  struct second_look {
    std::uint32_t state = 0;
    std::string packed;
    std::vector<std::uint32_t> awake;
  };
  using codes = std::vector<std::uint32_t>;

  [[nodiscard]] world first_world();
  void actions_of(const world& w, std::vector<action>& actions);
  void node_actions(const world& w, std::uint8_t n, std::vector<action>& actions);
  void expand(std::uint32_t state, const world& w, const codes* only);
  [[nodiscard]] bool try_action(std::uint32_t state, const world& w, const action& a);
  [[nodiscard]] bool adds_nothing(const world& w, const action& a, const step_table::result& r) const;
  void move(world& next, const action& a, const step_table::result& r) const;
  [[nodiscard]] bool idle(const world& w, std::uint32_t message) const;
  [[nodiscard]] bool commute(const world& w, const action& a, const action& b);
  void arrive(std::uint32_t from, const action& a);
  void add(std::uint32_t from, const action& a);
  void wake(std::uint32_t state);
  [[nodiscard]] codes asleep_at(std::uint32_t state) const;
  [[nodiscard]] std::vector<std::string> path_to(std::uint32_t state, const action& last, bool last_ends);
  [[nodiscard]] outcome result(bool exhausted) const;

  bounds bounds_;
  step_table steps_;
  absl::flat_hash_map<digest, std::uint32_t> ids_; ///< 128 bits: two states have the same with a chance of 2^-80
  absl::flat_hash_set<std::uint64_t> together_;
  std::vector<visited> states_;
  codes asleep_;                  ///< of all states, each in a piece
  std::deque<std::string> ahead_; ///< the states that were not expanded yet, packed
  std::deque<second_look> again_;
  std::uint32_t expanded_ = 0; ///< or being expanded
  std::uint64_t transitions_ = 0;
  std::uint32_t current_ = 0; ///< the state and the action that are being tried
  action current_action_;
  std::string broken_;
  std::vector<std::string> path_;

  // --- of one step at a time, kept for their memory
  world next_;
  std::string packed_;
  codes sleeping_; ///< in the state that the step leads to
};

} // namespace quorumd::model
