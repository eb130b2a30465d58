#pragma once

#include "tests/model/local.hpp"

#include <absl/container/flat_hash_map.h>

#include <compare>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace quorumd::model {

/// What may happen next, and to which node.
struct action {
  event what = event::deliver;
  std::uint8_t node = 0;
  bool again = false;        ///< of a delivery: another copy stays under way
  bool slow = false;         ///< what is written meanwhile stays under way
  std::uint32_t message = 0; ///< of a delivery

  [[nodiscard]] std::uint32_t code() const {
    return static_cast<std::uint32_t>(what) | static_cast<std::uint32_t>(node) << 4 |
           static_cast<std::uint32_t>(again) << 7 | static_cast<std::uint32_t>(slow) << 8 | message << 9;
  }
  [[nodiscard]] static action of(std::uint32_t code) {
    return {.what = static_cast<event>(code & 15),
            .node = static_cast<std::uint8_t>(code >> 4 & 7),
            .again = (code >> 7 & 1) != 0,
            .slow = (code >> 8 & 1) != 0,
            .message = code >> 9};
  }
  friend auto operator<=>(const action&, const action&) = default;
};

/// Every state that a single node was found in, every message that was ever sent, and what each step leads to, each by
/// a number of its own. What all nodes do together is then a matter of numbers: the real core runs once for each step
/// that it can take, not once for each way in which the nodes' steps fall together.
class step_table {
 public:
  struct settings {
    configuration target; ///< of a change of members
    bool pre_votes = false;
    bool compare = false; ///< nodes that count as being in the same state must do the same
  };
  explicit step_table(settings s)
      : settings_(std::move(s)) {}

  struct result {
    std::uint32_t after = 0;
    std::vector<std::uint32_t> sent; ///< ascending, each once
    std::string broken;              ///< by the node alone
  };

  /// The number of a state.
  [[nodiscard]] std::uint32_t add(std::unique_ptr<local> state);
  /// What the action makes of the node in that state; the reference stays good.
  [[nodiscard]] const result& step(std::uint32_t state, const action& a);

  [[nodiscard]] const local& state(std::uint32_t id) const { return *states_[id].state; }
  [[nodiscard]] const summary& summary_of(std::uint32_t id) const { return states_[id].sum; }
  [[nodiscard]] const raft::test::envelope& message(std::uint32_t id) const { return messages_[id].what; }
  [[nodiscard]] std::uint8_t receiver(std::uint32_t id) const { return messages_[id].to; }
  /// An answer of a term before this one changes nothing at its receiver, and is answered by nothing; 0 for messages of
  /// which that is not so.
  [[nodiscard]] std::uint8_t idle_after(std::uint32_t id) const { return messages_[id].idle_after; }
  [[nodiscard]] std::size_t states() const { return states_.size(); }
  [[nodiscard]] std::size_t messages() const { return messages_.size(); }
  /// How many steps the core took.
  [[nodiscard]] std::size_t steps() const { return results_.size(); }

 private:
  struct known_state {
    std::unique_ptr<local> state;
    summary sum;
    std::unique_ptr<local> twin;      ///< to compare with: another that came to this state
    std::vector<std::uint32_t> taken; ///< the steps, to compare
  };
  struct known_message {
    raft::test::envelope what;
    std::uint8_t to = 0;
    std::uint8_t idle_after = 0;
  };
  [[nodiscard]] std::uint32_t add(raft::test::envelope e);
  [[nodiscard]] local::question question_of(const action& a) const;
  void add_twin(std::uint32_t state, std::unique_ptr<local> other);
  void compare(const known_state& known, const action& a);

  settings settings_;
  std::string difference_; ///< the first one between two nodes in the same state
  std::vector<known_state> states_;
  std::deque<known_message> messages_;
  std::deque<result> results_;
  absl::flat_hash_map<std::string, std::uint32_t> state_ids_;
  absl::flat_hash_map<std::string, std::uint32_t> message_ids_;
  absl::flat_hash_map<std::uint64_t, std::uint32_t> result_ids_;
};

/// What the action is, in words.
[[nodiscard]] std::string text_of(const step_table& steps, const action& a);

} // namespace quorumd::model
