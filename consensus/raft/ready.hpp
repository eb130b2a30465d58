#pragma once

#include "consensus/raft/message.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace quorumd::raft {

/// The number of one output that has something to persist; dense from 1. persisted(n) covers all up to n.
using write_number = strong_u64<struct write_number_tag>;

enum class role : std::uint8_t { follower, pre_candidate, candidate, leader };

/// What others want to know of the group and need not survive.
struct soft_state {
  raft::role role = role::follower;
  node_id leader; ///< 0: unknown
  quorumd::term term;
  /// A leader that has committed an entry of its own term (it may serve reads).
  bool serving = false;

  friend bool operator==(const soft_state&, const soft_state&) = default;
};

/// A read whose index is known: serve it once `index` is applied. Not ok: no longer the leader, or it refused; the
/// read may be asked again.
struct read_state {
  read_context context;
  bool ok = false;
  log_index index;
};

/// Entries that the core needs from the log; answered by loaded() with the same ticket. The answer may hold fewer
/// entries than asked (at least one), never others.
struct load_request {
  std::uint64_t ticket = 0;
  log_index first;
  log_index last;
  std::size_t bytes_max = 0;
};

/// One output of the core; the driver carries it out in this order:
///   1. hand `messages` to the transport,
///   2. write `hard`, `install` or `entries`, and `commit` as write `number`, sync, and call persisted(number),
///   3. hand `after_persist` to the transport once `number` is durable (at once if number is 0),
///   4. apply `committed` and call applied().
/// `install` and `entries` may both be present: the log starts anew at the mark and the entries follow it.
struct ready {
  write_number number; ///< 0: nothing to persist, and `after_persist` is empty
  std::optional<hard_state> hard;
  /// The log now starts after this mark and everything in it before is replaced. The snapshot itself is already
  /// durable in its file. The driver swaps the state machine once `number` is durable, then calls applied(index).
  std::optional<snapshot_mark> install;
  /// To append; the first one's index says where: whatever the log held from there on is overwritten.
  std::vector<entry> entries;
  /// To remember with the write, never beyond what this write makes durable; informative.
  log_index commit;

  std::vector<outgoing> messages;
  std::vector<outgoing> after_persist;

  /// To apply, in order, without gaps to the last ones handed out.
  std::vector<entry> committed;
  std::vector<read_state> reads;
  std::vector<load_request> loads;
  /// Followers that need a snapshot (paper §7): the driver sends one and reports through snapshot_sent().
  std::vector<node_id> snapshots;
  std::optional<soft_state> soft; ///< present when it changed
  bool members = false;           ///< other members are in force: core::members() and members_entry() say which

  /// Empty entry vectors of former appends, which take() fills again: no member of an output.
  std::vector<std::vector<entry>> recycled;

  /// Empties it and keeps its memory, that of the appends which are still in it included.
  void clear();
  [[nodiscard]] bool empty() const;
};

} // namespace quorumd::raft
