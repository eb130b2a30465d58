#pragma once

#include "consensus/types/configuration.hpp"
#include "consensus/types/entry.hpp"
#include "consensus/types/ids.hpp"

#include <cstdint>
#include <variant>
#include <vector>

namespace quorumd::raft {

/// Asks for a vote (paper §5.2), or whether one would be given (thesis §9.6). `transfer` says that the leader asked
/// for this election, so that the receiver's lease of the leader does not count (thesis §3.10).
struct vote_request {
  quorumd::term term; ///< of the election; for a pre-vote the term that would follow
  log_index last_index;
  quorumd::term last_term;
  bool pre_vote = false;
  bool transfer = false;
};

/// A refusal is of an election of the responder's term, or of the pre-vote for a later one.
struct vote_response {
  quorumd::term term; ///< the responder's own, or for a granted pre-vote the term that was asked about
  bool pre_vote = false;
  bool granted = false;
};

/// Entries after (prev_index, prev_term), or none (paper §5.3). `round` numbers the quorum probes of one leadership;
/// every answer to a message of the responder's term gives it back.
struct append_request {
  quorumd::term term;
  log_index prev_index;
  quorumd::term prev_term;
  log_index commit;
  std::uint64_t round = 0;
  std::vector<entry> entries;
};

/// Accepted: everything up to `match` equals the leader's log and is durable here. Refused: the entry at `rejected`
/// (the request's prev_index) is missing or of another term; `conflict_term` is the term found there (0: the log ends
/// before it) and `conflict_index` that term's first index, or the index after the last entry.
struct append_response {
  quorumd::term term;
  bool accepted = false;
  log_index match;
  log_index rejected;
  quorumd::term conflict_term;
  log_index conflict_index;
  std::uint64_t round = 0;
  /// The drivers': for how many microseconds the sender had what `match` speaks of in hand; 0: not said.
  std::uint32_t held_us = 0;
};

/// Says that the leader lives; `commit` is at most what this follower has matched.
struct heartbeat {
  quorumd::term term;
  log_index commit;
  std::uint64_t round = 0;
  std::uint64_t sent_us = 0; ///< the leader's clock, which alone can read it
};

/// Also answers any message of a leader or candidate of an older term, then with round 0: the term is all that it says.
struct heartbeat_response {
  quorumd::term term;
  std::uint64_t round = 0;
  std::uint64_t sent_us = 0;    ///< of the heartbeat, given back
  std::uint32_t promise_us = 0; ///< for so long from now on nobody else is helped to lead; 0: nothing is promised
};

/// A snapshot of the leader of `term` has arrived whole and is durable in a file: given to the core by the driver
/// that received its chunks.
struct install_snapshot {
  quorumd::term term;
  snapshot_mark mark;
};

/// The leader asks its most advanced follower to campaign at once (thesis §3.10).
struct timeout_now {
  quorumd::term term;
};

/// Names a read: unique per node and boot, so that a late answer is never taken for another read's.
struct read_context {
  boot_id boot;
  std::uint64_t sequence = 0;

  friend bool operator==(const read_context&, const read_context&) = default;
};

/// A follower asks the leader for a read index (thesis §6.4).
struct read_index_request {
  quorumd::term term; ///< the follower's
  read_context context;
};

/// The index that the follower must have applied before it serves the read; refused when the sender cannot say.
struct read_index_response {
  quorumd::term term;
  read_context context;
  bool ok = false;
  log_index index;
};

using message =
    std::variant<vote_request, vote_response, append_request, append_response, heartbeat, heartbeat_response,
                 install_snapshot, timeout_now, read_index_request, read_index_response>;

/// A message with its receiver.
struct outgoing {
  node_id to;
  raft::message message;
};

} // namespace quorumd::raft
