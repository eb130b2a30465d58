#pragma once

#include "wire/byte_buffer.hpp"
#include "wire/peer_codec.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace quorumd::wire {

struct outbound_options {
  std::size_t pause_bytes = std::size_t{32} * 1024 * 1024;  ///< full from here on; room again at half of it
  std::size_t bytes_max = std::size_t{64} * 1024 * 1024;    ///< nobody who heeds full() gets here
  std::size_t block_bytes = std::size_t{256} * 1024;        ///< of one class written before it is chosen again
  std::size_t coalesce_bytes = std::size_t{64} * 1024;      ///< up to here all classes leave in one write
  std::size_t bulk_credit_bytes = std::size_t{1024} * 1024; ///< of log after which one bulk frame gets its turn
  bool bulk_first = false; ///< a deliberate bug that the simulator must find; never in production
};

/// What waits to be written to one stream: whole frames, encoded when they are queued, in three classes. Whatever
/// queued up while the last write was in flight leaves in the next: control before log before bulk, and a class never
/// starves: after each credit of log bytes a bulk frame goes. Frames are never split by others, dropped or reordered
/// within their class; heartbeats of one group are merged into the latest, and those of all groups into one frame.
///
/// Pure: whoever owns it writes next() and says how much of it was written().
class outbound_queue {
 public:
  explicit outbound_queue(outbound_options o = {})
      : options_(o) {}

  /// Queues what encode(buffer) appends: whole frames.
  template <class Encode>
  void push(traffic t, Encode&& encode) {
    byte_buffer& lane = lanes_[static_cast<std::size_t>(t)];
    const std::size_t before = lane.size();
    std::forward<Encode>(encode)(lane);
    queued_bytes_ += lane.size() - before;
  }
  void push(const peer_message& m);
  void push(group_id group, const raft::message& m);

  /// The bytes to write next; empty if there are none. The same until written(), but for its end, which may move on.
  [[nodiscard]] std::span<const std::byte> next();
  /// So many bytes at the front of next() were written.
  void written(std::size_t n);
  /// Whether a frame is written in part: then only its rest may follow.
  [[nodiscard]] bool mid_block() const { return begun_; }

  /// Frames and merged heartbeats that wait.
  [[nodiscard]] std::size_t bytes() const;
  [[nodiscard]] bool empty() const { return bytes() == 0; }
  /// Whether whoever can should stop queueing, until there is room again.
  [[nodiscard]] bool full();
  [[nodiscard]] bool over_limit() const { return bytes() > options_.bytes_max; }

 private:
  void encode_heartbeats_waiting();
  void choose();
  void choose_lane(traffic t, std::size_t bytes_max);
  [[nodiscard]] byte_buffer& lane(traffic t) { return lanes_[static_cast<std::size_t>(t)]; }

  outbound_options options_;
  std::array<byte_buffer, traffic_classes> lanes_;
  std::vector<group_heartbeat> heartbeats_;
  std::vector<group_heartbeat_response> heartbeat_responses_;
  std::size_t queued_bytes_ = 0; ///< in the lanes

  traffic current_ = traffic::control; ///< whose front is being written
  std::size_t block_left_ = 0;
  bool begun_ = false;
  std::size_t log_bytes_since_bulk_ = 0;
  bool full_ = false;
};

} // namespace quorumd::wire
