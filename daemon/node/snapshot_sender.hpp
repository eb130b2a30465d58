#pragma once

#include "coro/event.hpp"
#include "coro/task.hpp"
#include "coro/task_group.hpp"
#include "daemon/node/snapshot_place.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace quorumd::node {

/// Sends the newest snapshot to followers whose next entry is no longer in the log (paper §7): in chunks, as far ahead
/// of the receiver as its credits allow. One transfer a follower. Belongs to the group's loop.
class snapshot_sender {
 public:
  snapshot_sender(snapshot_context& context, coro::task_group& tasks)
      : context_(context)
      , tasks_(tasks) {}

  /// The core wants it sent, by the leader of that term.
  void start(node_id to, quorumd::term term);
  void take(node_id from, const wire::snapshot_credit& credit);
  void peer_lost(node_id peer);
  /// No longer the leader.
  void stop_all();
  /// Gives up transfers that stand still; called a few times a second.
  void keep_house();
  /// The lowest index that a transfer under way ends at: the log behind it must stay.
  [[nodiscard]] std::optional<log_index> pinned() const;

 private:
  struct transfer {
    explicit transfer(coro::loop& l)
        : changed(l) {}
    std::uint64_t number = 0;
    quorumd::term term;
    snapshot_mark mark;
    std::uint64_t credited = 0;
    std::uint64_t sent = 0;
    std::uint64_t total = 0;
    bool done = false;
    bool failed = false;
    std::string why;
    coro::time_point progress;
    coro::event changed;
  };
  [[nodiscard]] coro::task<void> send(node_id to, std::shared_ptr<transfer> t);
  [[nodiscard]] coro::task<void> send_chunks(node_id to, transfer& t, storage::snapshot_reader& reader);
  void fail(transfer& t, std::string why);

  snapshot_context& context_;
  coro::task_group& tasks_;
  std::map<node_id, std::shared_ptr<transfer>> transfers_;
  std::uint64_t next_number_ = 1;
};

} // namespace quorumd::node
