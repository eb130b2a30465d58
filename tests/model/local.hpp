#pragma once

#include "tests/consensus/raft/harness.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace quorumd::model {

/// What can happen to one node.
enum class event : std::uint8_t {
  deliver,  ///< a message arrives
  time_out, ///< it campaigns; unless pre-votes are explored, a quorum has granted them at once
  give_up,  ///< it leads, and hears from nobody for an election timeout
  beat,     ///< it leads, and sends heartbeats
  propose,  ///< it leads, and is asked for a command
  change,   ///< it leads, and is asked for other members
  persist,  ///< its oldest write becomes durable
  crash,    ///< it starts again from its disk
  compact,  ///< it takes a snapshot of all that it has applied, and keeps no entries before it
};

/// What the invariants look at, in small numbers.
struct summary {
  static constexpr std::size_t log_max = 24;
  std::uint8_t term = 0;
  std::uint8_t durable_term = 0;
  bool leads = false;
  bool writing = false;
  std::uint8_t start = 0;
  std::uint8_t last = 0;
  std::uint8_t commit = 0;
  std::array<std::uint8_t, log_max> terms{}; ///< of index start to last
};

/// One node, driven step by step: a bare core, its disk, and the writes under way. After each step its outputs are
/// carried out, and its clock stands still.
class local {
 public:
  local(const raft::options& o, const configuration& first);
  local(const local& other);
  local& operator=(const local&) = delete;

  /// Whether it would do something. Deliveries are another's business.
  [[nodiscard]] bool enabled(event e) const;
  struct question {
    event what = event::deliver;
    bool slow = false; ///< what is written meanwhile stays under way; else it is durable before the step ends
    const raft::test::envelope* arrived = nullptr; ///< of a delivery
    const configuration* target = nullptr;         ///< of a change
    bool pre_votes = false;                        ///< of a time-out: the others are asked
  };
  /// Does it; what it sends meanwhile is added to `sent`. Gives what promise it broke by itself, or nothing.
  [[nodiscard]] std::string step(const question& q, std::vector<raft::test::envelope>& sent);

  [[nodiscard]] summary sum_up() const;
  /// All that decides what it does next, as bytes.
  [[nodiscard]] std::string describe() const;
  [[nodiscard]] const raft::core& core() const { return *core_; }
  /// That are under way: only after a slow step. Until they are all durable every step leaves what it writes under way.
  [[nodiscard]] std::size_t writes() const { return writes_.size(); }

 private:
  void act(const question& q);
  void campaign(bool pre_votes);
  void propose();
  void persist();
  void restart();
  void compact();
  void pump();
  void carry_out(raft::ready& out);
  void load(const raft::load_request& l);
  void send(const std::vector<raft::outgoing>& messages);
  [[nodiscard]] std::string untrue(const raft::outgoing& o) const;
  [[nodiscard]] std::string taken_back(const summary& before) const;

  raft::options options_;
  std::unique_ptr<raft::core> core_;
  raft::test::disk disk_;
  std::vector<std::shared_ptr<const raft::ready>> writes_; ///< handed out, not durable
  log_index applied_;
  std::vector<raft::test::envelope>* sent_ = nullptr; ///< during a step
  std::string broken_;
};

} // namespace quorumd::model
