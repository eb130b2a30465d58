#pragma once

#include "consensus/raft/core.hpp"
#include "consensus/raft/load_slot.hpp"
#include "consensus/raft/ring.hpp"
#include "consensus/types/ids.hpp"

#include <cstddef>
#include <cstdint>

namespace quorumd::raft {

/// The appends to one follower that are not acknowledged yet, bounded in number and bytes.
class append_window {
 public:
  append_window(std::uint32_t appends_max, std::size_t bytes_max)
      : appends_max_(appends_max)
      , bytes_max_(bytes_max) {}

  [[nodiscard]] bool full() const { return appends_.size() >= appends_max_ || bytes_ >= bytes_max_; }
  [[nodiscard]] std::size_t size() const { return appends_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  void add(log_index last, std::size_t bytes) {
    appends_.push_back({last, bytes});
    bytes_ += bytes;
  }
  /// Everything up to `match` arrived.
  void free_to(log_index match) {
    while (!appends_.empty() && appends_.front().last <= match) {
      bytes_ -= appends_.front().bytes;
      appends_.pop_front();
    }
  }
  void clear() {
    appends_.clear();
    bytes_ = 0;
  }

 private:
  struct in_flight {
    log_index last;
    std::size_t bytes = 0;
  };
  ring<in_flight> appends_;
  std::size_t bytes_ = 0;
  std::uint32_t appends_max_;
  std::size_t bytes_max_;
};

/// What a leader knows of one follower. While it does not know where the logs meet it probes with one append at a
/// time; then it replicates optimistically within the window; a follower behind the kept log gets a snapshot and no
/// appends meanwhile.
class follower_progress {
 public:
  using state_type = decltype(peer_progress::state);

  follower_progress(node_id peer, std::uint32_t appends_max, std::size_t bytes_max)
      : window(appends_max, bytes_max)
      , id_(peer) {}

  /// A new leader knows nothing: it probes at the end of its log.
  void reset(log_index last);
  /// Everything up to `match` is durable at the follower. `first_kept` is the leader's first kept index.
  void accepted(log_index match, log_index first_kept);
  /// The follower lacks the entry at `rejected` and says that `hint` may be the next one to send. False if the
  /// refusal is stale: of an append that was superseded (case 47).
  [[nodiscard]] bool refused(log_index rejected, log_index hint);
  /// An append with entries up to `last` leaves; `last` is next - 1 if it has none.
  void sent(log_index last, std::size_t bytes);
  /// Probing from `next`, with at most one append outstanding.
  void become_probe(log_index next);
  /// The follower needs a snapshot, which will bring it to `pending` or beyond.
  void become_snapshot(log_index pending);
  /// The driver's word on it (case 55).
  void snapshot_ended(bool success);
  /// What was sent may be lost.
  void unreachable();
  /// A heartbeat was answered: one more probe may go out, and whatever is missing is due again.
  void heartbeat_answered();
  void heartbeat_sent();

  [[nodiscard]] node_id id() const { return id_; }
  [[nodiscard]] log_index match() const { return match_; }
  [[nodiscard]] log_index next() const { return next_; }
  [[nodiscard]] state_type state() const { return state_; }
  /// Whether an append may be sent at all; it must not when the answer to a probe is outstanding.
  [[nodiscard]] bool paused() const;
  /// Whether an append is due even without entries: to find where the logs meet, or whether one got lost.
  [[nodiscard]] bool wants_probe() const { return state_ == state_type::probe ? !probe_sent_ : check_due_; }

  append_window window;
  load_slot load;

  // --- kept for the leader, which alone changes them
  bool writable = true;       ///< the stream has room
  bool heard = false;         ///< since this leadership began
  std::uint64_t heard_at = 0; ///< the tick of the last answer
  std::uint64_t round = 0;    ///< the highest quorum round that was answered
  std::uint64_t lease_us = 0; ///< until when by the leader's clock it helps nobody else; 0: it promised nothing
  std::uint64_t near_at = 0;  ///< the last tick at which it was not far behind; kept where there are witnesses
  log_index commit_told;      ///< the highest commit index that was sent
  bool notice_sent = false;   ///< a heartbeat that only tells the commit index is unanswered

 private:
  node_id id_;
  log_index match_;
  log_index next_ = log_index(1);
  state_type state_ = state_type::probe;
  bool probe_sent_ = false;
  bool probe_allowed_ = false; // by the last periodic heartbeat
  bool check_due_ = false;
  log_index match_at_heartbeat_;
  log_index pending_snapshot_;
};

} // namespace quorumd::raft
