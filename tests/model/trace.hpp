#pragma once

#include "tests/consensus/raft/harness.hpp"
#include "tests/model/spec.hpp"

#include <cstdint>
#include <string>

namespace quorumd::model {

/// A core as the specification sees it: what its own public questions say.
struct observed {
  quorumd::term term;
  node_id vote;
  model::part part = model::part::follower; ///< a pre-candidate is a follower (thesis §9.6)
  log_index commit;
  model::log log;
};

[[nodiscard]] members members_of(const configuration& c);
[[nodiscard]] observed observe(const raft::core& c);
/// `term 2, leader, vote 1, commit 3, log 1 1 2`.
[[nodiscard]] std::string text_of(const observed& o);

/// Takes the server from where the model has it to what was observed, by transitions that the specification allows; if
/// there are none, which rule forbade it. An input of the core does what it does in one order: the term and the vote
/// first, then a role that is won, the log, the commit index, a role that is given up, and last the log's beginning; a
/// leader may commit, append and commit again. So the search tries each of these as far as it goes, until nothing is
/// missing or nothing moves.
[[nodiscard]] refusal explain(cluster& m, node_id s, const observed& after);

/// Holds every step of a cluster of bare cores against the specification: what each input changed, what each write made
/// durable, and what each message says.
class trace_check final : public raft::test::watcher {
 public:
  /// From now on; the cluster is new.
  explicit trace_check(raft::test::cluster& watched);

  /// The first step that the specification does not allow, or empty.
  [[nodiscard]] const std::string& broken() const { return broken_; }
  /// The step that it was; 0 for none.
  [[nodiscard]] std::uint64_t broken_at() const { return broken_at_; }
  /// How many were looked at: inputs, outputs, writes, starts, messages.
  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  /// How many of them the model had to move for: the others changed nothing that it knows.
  [[nodiscard]] std::uint64_t moves() const { return moves_; }

  void started(const raft::test::cluster::node& n) override;
  void stepped(const raft::test::cluster::node& n, const char* what, const raft::test::envelope* arrived) override;
  void writing(const raft::test::cluster::node& n) override;
  void durable(const raft::test::cluster::node& n) override;
  void sent(const raft::test::envelope& e) override;

 private:
  void look(const raft::test::cluster::node& n, const std::string& what);
  void complain(node_id s, const std::string& what, const std::string& rule, const observed* after);
  [[nodiscard]] bool unchanged(const raft::core& c, node_id s, bool log_too) const;

  cluster model_;
  std::uint64_t steps_ = 0;
  std::uint64_t moves_ = 0;
  std::uint64_t broken_at_ = 0;
  std::string broken_;
};

} // namespace quorumd::model
