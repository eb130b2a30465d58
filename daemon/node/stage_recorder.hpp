#pragma once

#include "consensus/types/ids.hpp"
#include "coro/clock.hpp"
#include "coro/loop.hpp"
#include "daemon/node/group_metrics.hpp"
#include "daemon/node/put_timeline.hpp"
#include "daemon/node/request.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace quorumd::node {

/// Tells where the time of requests goes: the group says what happened, this notes when. The clock is read a few times
/// a turn, never for a single request, and nothing is allocated after the first turns. Nothing here decides anything.
///
/// Belongs to the group's loop.
class stage_recorder {
 public:
  explicit stage_recorder(const coro::loop& l);
  /// From now on these are the other members; sorted. What is known of those that stay, stays.
  void follow(const std::vector<node_id>& peers);

  // --- a turn ---
  void turn_begins();
  /// After the answers were handed to their sessions.
  void turn_ends();

  // --- writes ---
  /// The leader's core took them, the first at this index.
  void proposed(log_index first, std::span<const write_request> requests);
  /// What was proposed is encoded and queued for the peers and the log.
  void queued();
  void persisted(log_index up_to);
  /// A follower says that it holds everything up to `match`, and for how long it had the last of it in hand.
  void acknowledged(node_id by, log_index match, std::chrono::microseconds held);
  /// Entries up to this one are known committed.
  void committed(log_index up_to);
  /// Around a slice of applying, which may end within an entry.
  void slice_begins() { apply_began_ = look(); }
  void slice_ends(log_index before, log_index applied);
  /// Another may decide what stands at the indexes from here on, or has.
  void role_changed() { puts_.clear(); }

  void forwarded(std::uint64_t id, const arrival& a);
  void forward_answered(std::uint64_t id);

  /// A follower's acknowledgement leaves now that what it speaks of is durable: how long that took.
  [[nodiscard]] std::chrono::microseconds held(coro::time_point taken);
  /// When the turn began.
  [[nodiscard]] coro::time_point turn() const { return turn_; }

  // --- reads ---
  void read_taken(const read_request& r);
  /// What was taken since the last time is asked for under this number.
  void reads_asked(std::uint64_t sequence, bool by_lease);
  void reads_answered(std::uint64_t sequence, bool ok, log_index index, log_index applied);
  void read_served(const read_request& r);

  [[nodiscard]] group_metrics& metrics() { return metrics_; }
  [[nodiscard]] const group_metrics& metrics() const { return metrics_; }

 private:
  struct forward_slot {
    std::uint64_t id = 0;
    coro::time_point sent;
    coro::time_point received;
  };
  struct read_round {
    std::uint64_t sequence = 0;
    std::uint64_t count = 0;
    coro::time_point asked;
    coro::time_point answered;
    log_index index; ///< what it waits for; 0: for nothing
  };
  struct applied_part {
    coro::time_point at;
    std::uint64_t count;
  };
  [[nodiscard]] read_round& round_of(std::uint64_t sequence) { return rounds_[sequence % rounds_.size()]; }
  coro::time_point look() { return now_ = loop_.now(); }

  const coro::loop& loop_;
  group_metrics metrics_;
  coro::time_point turn_;
  coro::time_point now_; ///< as last read

  put_timeline puts_;
  put_timeline::cursor persisted_;
  put_timeline::cursor committed_;
  put_timeline::cursor applied_;
  put_timeline::cursor answered_;
  std::vector<put_timeline::cursor> acknowledged_; ///< as metrics_.peers
  coro::time_point proposed_at_;
  std::uint64_t unqueued_ = 0; ///< proposed and not yet queued
  coro::time_point apply_began_;
  log_index applied_to_;
  std::vector<applied_part> applied_now_; ///< in this turn
  std::vector<forward_slot> forwards_;

  std::array<read_round, 256> rounds_;
  std::uint64_t taken_ = 0;              ///< reads, not yet asked for
  std::uint64_t waiting_ = 0;            ///< rounds that wait for an index
  std::vector<coro::time_point> served_; ///< when the reads that were served in this turn had arrived
};

} // namespace quorumd::node
