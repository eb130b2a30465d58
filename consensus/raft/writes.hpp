#pragma once

#include "consensus/raft/ready.hpp"
#include "consensus/raft/ring.hpp"
#include "consensus/types/ids.hpp"

#include <cstdint>
#include <optional>

namespace quorumd::raft {

/// The writes that were handed out and are not durable yet, and the index up to which the log in memory is durable.
/// Overwriting an entry takes its claim away from every write in flight, so that the completion of a write counts
/// only for entries that still stand.
class write_tracker {
 public:
  explicit write_tracker(log_index durable)
      : durable_(durable) {}

  /// A new write, after which the whole log up to `last` is durable. `hard` says that it carries term and vote.
  [[nodiscard]] write_number begin(log_index last, bool hard, std::uint64_t tick);
  /// Write n and all before it are durable.
  void finish(write_number n, std::uint64_t tick);
  /// The entries from `from` on are being replaced.
  void truncated(log_index from);

  /// Everything up to here is durable and as it stands in memory.
  [[nodiscard]] log_index durable() const { return durable_; }
  [[nodiscard]] write_number finished() const { return finished_; }
  [[nodiscard]] write_number begun() const { return begun_; }
  /// The write that makes the entries up to `index` durable; 0 if they are; nothing if none in flight does.
  [[nodiscard]] std::optional<write_number> covering(log_index index) const;
  /// The write in flight that carries the newest term and vote handed out; 0 if they are durable.
  [[nodiscard]] write_number hard() const { return hard_ > finished_ ? hard_ : write_number(); }
  /// Since when no write has finished although one is in flight. A write that waits behind another is no older than the
  /// end of that one: what counts is how long the disk stands still, not how much is queued.
  [[nodiscard]] std::optional<std::uint64_t> waiting_since() const;

 private:
  struct in_flight {
    log_index last; // what it makes durable of the log as it now stands
    std::uint64_t tick = 0;
  };

  ring<in_flight> writes_; // finished_ + 1 to begun_
  log_index durable_;
  write_number finished_;
  write_number begun_;
  write_number hard_;
  std::uint64_t finished_at_ = 0; // the tick
};

} // namespace quorumd::raft
