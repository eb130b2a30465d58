#pragma once

#include "coro/event.hpp"
#include "coro/task.hpp"
#include "daemon/node/snapshot_place.hpp"
#include "daemon/node/state_writer.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace quorumd::node {

/// When a snapshot is due: after so many bytes of log on the disk or so many entries, whichever comes first, and when
/// the volume is full.
struct snapshot_policy {
  std::uint64_t every_bytes = std::uint64_t{256} * 1024 * 1024; ///< twice that is kept for a follower that is sent one
  std::uint64_t every_entries = 1'000'000;
  std::uint64_t trailing_entries = 10'000; ///< of log kept behind it, so that a briefly absent follower needs none
  std::uint64_t trailing_bytes = std::uint64_t{64} * 1024 * 1024; ///< likewise, on the disk
  std::size_t slice_bytes = std::size_t{256} * 1024;              ///< taken from the store in one go
  std::uint64_t rate = 0; ///< bytes a second that one is written or received with; 0: as the disk allows
  /// Another number for each member: they take theirs up to a quarter of the way earlier, each at moments of its own.
  /// 0: none is earlier.
  std::uint64_t stagger = 0;
  /// A failed one, or one for want of room, unless the state has shrunk to half meanwhile.
  coro::duration retry_after = std::chrono::seconds(5);
};

/// Takes snapshots of the state machine while it goes on being written: a cursor yields bounded slices of the pinned
/// revision, a worker writes them. Published only when everything up to its index is durable in the local log, which
/// may then begin later. Belongs to the group's loop.
class snapshot_taker {
 public:
  snapshot_taker(snapshot_policy policy, snapshot_context& context)
      : policy_(policy)
      , context_(context)
      , due_(context.loop)
      , persisted_(context.loop)
      , last_taken_(context.state.applied()) {}

  /// Endless: takes one whenever it is due. Cancelled to end.
  [[nodiscard]] coro::task<void> run();

  /// Whether one is being taken for so long that the log has meanwhile given cause for two more.
  [[nodiscard]] bool overdue() const;
  /// The state machine moved on.
  void applied();
  /// Looks at the bytes of the log and at the room for it; called a few times a second.
  void keep_house();
  /// The log's durable end moved on.
  void log_persisted() {
    if (waits_for_log_) persisted_.set();
  }
  /// The state is about to be replaced by a snapshot of that index: what is being taken of it is given up.
  void forget(log_index installed);
  /// The newest one cannot be read: another is taken, though nothing was applied since. Asked again and again until
  /// there is one.
  void take_now();
  /// Why the last one could not be taken; empty: it could, or none was.
  [[nodiscard]] const std::string& last_failure() const { return last_failure_; }

 private:
  [[nodiscard]] coro::task<storage::result<storage::snapshot_file>> take();
  [[nodiscard]] coro::task<storage::result<void>> write_blocks(storage::snapshot_writer& writer);
  void shorten_log();
  /// A part of the way to the next snapshot that this member leaves out this time.
  [[nodiscard]] std::uint64_t earlier(std::uint64_t whole) const;
  [[nodiscard]] log_index keep_from() const;
  void failed(const storage::error& e);
  [[nodiscard]] bool too_early() const;

  const snapshot_policy policy_;
  snapshot_context& context_;
  coro::event due_;
  coro::event persisted_;
  std::optional<state_blocks> blocks_; ///< of the one that is being taken, until they are written
  wire::byte_buffer block_;
  snapshot_mark mark_;     ///< of the one that is being taken
  snapshot_mark newest_;   ///< of the last one taken in this life of the node, unless another was installed since
  log_index shortened_to_; ///< where the log was last made to begin
  bool kept_for_transfers_ = false; ///< then; it may be shorter once they are over
  log_index last_taken_;
  coro::time_point not_before_;
  std::uint64_t found_no_room_ = 0; ///< for a state of so many bytes; 0: did not fail for that
  std::string last_failure_;
  bool taking_ = false;
  bool forgotten_ = false;
  std::optional<coro::time_point> stuck_since_; ///< the log that this waits for has no room
  bool hopeless_ = false;                       ///< the log waits for the room that the file takes
  bool waits_for_log_ = false;
};

} // namespace quorumd::node
