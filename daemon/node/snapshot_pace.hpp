#pragma once

#include "coro/clock.hpp"
#include "coro/loop.hpp"
#include "coro/task.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

namespace quorumd::node {

/// How fast a snapshot is written, taken or received: piece by piece, with a pause where an operator wants one and
/// where the log's writes take longer than usual, since they share the disk. Never while it is urgent: while the volume
/// is full, where the snapshot is what makes room, and once the log has outgrown what gives cause for one by far.
/// Belongs to the group's loop.
class snapshot_pace {
 public:
  /// `rate` in bytes a second; 0: as fast as the disk allows.
  snapshot_pace(coro::loop& l, std::function<bool()> urgent, std::uint64_t rate)
      : loop_(l)
      , urgent_(std::move(urgent))
      , rate_(rate) {}

  /// A write of the log became durable so long after it was submitted: what is usual is learned while nothing is
  /// written here.
  void log_took(coro::duration d);
  /// After each piece that was written and synced: returns when the next may be.
  [[nodiscard]] coro::task<void> after_piece(std::size_t bytes, coro::duration took);

  /// The longest pause for the log's sake.
  static constexpr coro::duration pause_max = std::chrono::milliseconds(50);

 private:
  [[nodiscard]] coro::duration pause(std::size_t bytes, coro::duration took);

  coro::loop& loop_;
  const std::function<bool()> urgent_;
  const std::uint64_t rate_;
  coro::duration usual_{};   ///< of the log's writes; 0: not known yet
  coro::duration slowest_{}; ///< since the last piece
  coro::duration pause_{};   ///< for the log's sake
  coro::time_point wrote_;   ///< the last piece
};

} // namespace quorumd::node
