#pragma once

#include "coro/event.hpp"
#include "coro/task.hpp"
#include "coro/task_group.hpp"
#include "daemon/node/snapshot_place.hpp"
#include "daemon/node/snapshot_taker.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace quorumd::node {

/// Sends the newest snapshot to followers whose next entry is no longer in the leader's log (paper §7), as leader or
/// because the leader said so: in chunks, as far ahead
/// of the receiver as its credits allow. One transfer a follower. The receiver checks what arrives; when it refuses
/// that, this node reads its own file too, and has another one taken if it is damaged. Chunks are packed where they are
/// read, by the worker. Belongs to the group's loop.
class snapshot_sender {
 public:
  snapshot_sender(snapshot_context& context, snapshot_taker& taker, coro::task_group& tasks);

  /// The core wants it sent, by the leader of that term.
  void start(node_id to, quorumd::term term);
  /// The leader wants this follower's sent, and hears how it ends.
  void start(node_id leader, const wire::snapshot_order& o);
  /// A member asks for one that goes so far, since it cannot start without. Another is taken if there is none: it asks
  /// again.
  void offer(node_id to, quorumd::term term, log_index at_least);
  void take(node_id from, const wire::snapshot_credit& credit);
  void peer_lost(node_id peer);
  /// The leader is another, or none any more.
  void stop_all();
  /// Gives up transfers whose receivers say nothing; called a few times a second.
  void keep_house();
  /// Another snapshot is the newest now.
  void renewed();
  /// The lowest index, not below `floor`, that a transfer under way ends at, or may end at: the log behind it must
  /// stay.
  [[nodiscard]] std::optional<log_index> pinned(log_index floor) const;

 private:
  struct transfer {
    explicit transfer(coro::loop& l)
        : changed(l) {}
    std::uint64_t number = 0;
    quorumd::term term;
    snapshot_mark mark;
    node_id leader;             ///< that ordered it; 0: this node leads
    std::uint64_t order = 0;    ///< its number
    bool awaited = false;       ///< this node's core waits for its end
    log_index at_least;         ///< what is asked for; 0: any will do
    log_index pinned;           ///< the mark's index; until that is known, where the log began
    std::uint64_t renewals = 0; ///< when its file was opened
    std::uint64_t credited = 0;
    std::uint64_t sent = 0;
    std::uint64_t total = 0;
    bool waits_for_newer = false; ///< one that goes far enough is being taken, or was
    bool done = false;
    bool refused = false; ///< by the receiver
    bool failed = false;
    std::string why;
    /// Since when nothing is heard of the receiver, which is to say something; nothing while this node reads.
    std::optional<coro::time_point> waits_since;
    coro::event changed;
    [[nodiscard]] bool ended() const { return done || refused || failed; }
  };
  using open_reader = std::unique_ptr<storage::snapshot_reader>;
  transfer& begin(node_id to, quorumd::term term, node_id leader = {}, std::uint64_t order = 0,
                  log_index at_least = {});
  void report(const transfer& t, wire::report_status status, std::string text = {});
  [[nodiscard]] coro::task<void> send(node_id to, std::shared_ptr<transfer> t);
  // References: the caller awaits in the same statement.
  [[nodiscard]] coro::task<void> send_file(node_id to, transfer& t);
  [[nodiscard]] coro::task<open_reader> open(node_id to, transfer& t);
  [[nodiscard]] coro::task<void> wait_for_newer(transfer& t);
  [[nodiscard]] coro::task<void> send_chunks(node_id to, transfer& t, storage::snapshot_reader& reader);
  [[nodiscard]] coro::task<void> check_own(transfer& t, storage::snapshot_reader& reader);
  void found_damaged(transfer& t, const storage::error& e);
  void fail(transfer& t, std::string why);

  snapshot_context& context_;
  snapshot_taker& taker_;
  coro::task_group& tasks_;
  std::map<node_id, std::shared_ptr<transfer>> transfers_;
  std::uint64_t next_number_ = 1;
  std::uint64_t renewals_ = 0;
  coro::time_point reported_;
  bool damaged_ = false; ///< the newest snapshot: transfers wait for another
};

} // namespace quorumd::node
