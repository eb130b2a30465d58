#pragma once

#include "consensus/types/ids.hpp"
#include "coro/mailbox.hpp"
#include "metrics/histogram.hpp"

#include <cstdint>
#include <vector>

namespace quorumd::node {

/// Of the snapshots that were sent to members, since the start.
struct snapshot_traffic {
  std::uint64_t file_bytes = 0; ///< of their files
  std::uint64_t wire_bytes = 0; ///< what these took in the messages: fewer, if they were packed
};

/// What the turns of one group measure: nanoseconds, but for the batches, which count. Belongs to the group's loop.
struct group_metrics {
  using histogram = metrics::histogram;

  /// A write that a client of this node, or a follower for one of its own, gave to this leader. The stages follow each
  /// other, but for `encode` and `sync`, which are parts of `commit`.
  struct put_stages {
    histogram inbox;   ///< handed over by its session until a turn began to work on it
    histogram propose; ///< until it was in the core's log
    histogram encode;  ///< from there until it was queued for every peer and for this log
    histogram sync;    ///< from there (proposed) until it was durable here
    histogram commit;  ///< from there (proposed) until a majority was known to hold it
    histogram apply;   ///< until the state machine had it
    histogram answer;  ///< until its answer was handed to the session
    histogram whole;   ///< from its arrival to that
    histogram forward; ///< on a follower: sent to the leader until the answer was back
    histogram batch;   ///< proposed at a time
  } put;

  struct read_stages {
    histogram inbox; ///< handed over by its session until a turn took it
    histogram round; ///< until its index was known: a round of the leader's, and the way there for a follower
    histogram apply; ///< until that index was applied
    histogram whole; ///< from its arrival until its answer was handed to the session
    histogram batch; ///< asked for at a time
    histogram lease; ///< of these, needed no round, since the leader that was asked had a lease
  } read;

  /// What a leader sees of a follower.
  struct peer_stages {
    node_id id;
    histogram acknowledged; ///< proposed until the follower's answer was here
    histogram wire;         ///< of that, neither it nor this node's turn had it in hand: queues, sockets, the network
    histogram sync;         ///< of that, it wrote, as it says itself
  };
  std::vector<peer_stages> peers; ///< sorted by id

  histogram turn;           ///< one turn
  histogram hold;           ///< on a follower: entries taken until they were durable and acknowledged
  histogram apply_slice;    ///< committed entries applied in one go
  histogram apply_batch;    ///< so many
  histogram snapshot_slice; ///< one slice of records for a snapshot, on the group's loop
  snapshot_traffic snapshots_sent;
  std::uint64_t leader_changes = 0; ///< a leader became known, after another one or none
  /// Of this node's clients, that ended without a result: in time, for want of a leader, or with a connection to it.
  std::uint64_t writes_failed = 0;
};

/// How the mailboxes of a group fared.
struct group_mailboxes {
  coro::mailbox_metrics writes;
  coro::mailbox_metrics reads;
  coro::mailbox_metrics peers;
  coro::mailbox_metrics calls;
};

/// Requests that stand in a group's queues at the moment.
struct queue_depths {
  std::uint64_t proposed = 0;  ///< in the log, not yet applied
  std::uint64_t forwarded = 0; ///< sent to the leader
  std::uint64_t waiting = 0;   ///< for a leader, or for their turn
  std::uint64_t reads = 0;     ///< asked for, or to be served
  std::uint64_t sessions = 0;  ///< of clients, that are open
};

} // namespace quorumd::node
