#pragma once

#include "harness.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace quorumd::raft::test {

/// A page of text that says what is done to a few bare cores, and what they do. Its blocks are separated by empty
/// lines: lines of commands, `----`, and what came of them, which run() writes. A line that begins with `#` is for the
/// reader.
///
///     nodes 5 members 1 2 3      the first command; `+ 4` for learners
///     campaign 1 · elect 1       it campaigns · and all settles, and it leads
///     propose 1 TEXT · change 1 1 4 5 · transfer 1 to 2 · snapshot 1 [keep 2]
///     settle · run 10 (ticks of all, with all that follows) · tick 1 5
///     cut 1 2 · isolate 3 · heal · lose appends to 2 3 · lose nothing
///     crash 1 · restart 1 · slow disk 1 · quick disk 1
///     show messages · hide messages
///
/// What is told: messages as they leave (`1 > 2  …`, `lost` for those that do not arrive) while they are shown, but for
/// heartbeats; and of each node what changed. In a log each entry is its term, `*` marks other members.
class transcript final : private watcher {
 public:
  /// The page with what really came of its commands. A command that is none throws std::runtime_error with its line.
  [[nodiscard]] std::string run(std::string_view page);

 private:
  void started(const cluster::node&) override {}
  void stepped(const cluster::node&, const char*, const envelope*) override {}
  void writing(const cluster::node&) override {}
  void durable(const cluster::node&) override {}
  void sent(const envelope& e) override;

  void obey(const std::vector<std::string>& words);
  void begin(const std::vector<std::string>& words);
  void tell(std::string line) { told_ += std::move(line) + '\n'; }
  void tell_states();
  [[nodiscard]] std::string state_of(const cluster::node& n) const;

  std::unique_ptr<cluster> cluster_;
  std::map<std::uint64_t, std::string> states_; ///< as they were told last
  std::string told_;
  bool shows_messages_ = false;
};

} // namespace quorumd::raft::test
