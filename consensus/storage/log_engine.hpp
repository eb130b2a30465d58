#pragma once

#include "consensus/storage/group_log.hpp"
#include "consensus/storage/segment_pool.hpp"
#include "consensus/storage/wal.hpp"
#include "consensus/storage/wal_recovery.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace quorumd::storage {

/// A request to let the log of a group begin later.
struct truncation {
  group_id group;
  snapshot_mark mark;
  log_index keep_from;
};

/// The synchronous half of the log: encodes one batch into one buffer, writes it with one call, syncs it with one, and
/// remembers where each entry lies. write() runs on the log's worker, one at a time; the rest may be called from any
/// thread and does not touch the disk.
class log_engine {
 public:
  log_engine(opened_log opened, const wal_options& options, coro::entropy& random, segment_pool& pool);
  void set_clock(const coro::clock& c) { clock_ = &c; }

  enum class outcome : std::uint8_t {
    nothing, ///< there was nothing to write
    written, ///< everything is durable
    starved, ///< the segment is full and the next one is not prepared yet: call again with the same
    no_room, ///< the batch is larger than a segment and the volume has no room for the rest: likewise
  };
  /// Truncations that cannot be written yet, since what they keep is not durable, stay in the vector; the others
  /// leave it.
  [[nodiscard]] result<outcome> write(std::span<const storage::write> writes, std::vector<truncation>& truncations);

  /// Whether opening a new segment would free enough old ones to be worth it.
  [[nodiscard]] bool roll_would_free() const;
  /// Whether a batch is wanted only for that, and could be written.
  [[nodiscard]] bool wants_roll() const { return pool_.has_ready() && roll_would_free(); }

  /// Whether live entries of the oldest segment are wanted, to be moved with one of the next batches.
  [[nodiscard]] bool wants_piece() const;
  /// Reads some of them; on the preparation worker. `corrupt` names what is not as it was written.
  [[nodiscard]] result<void> read_piece(file_system& fs);

  /// Where the entries lie, and holds their segments so that none is recycled meanwhile.
  struct located {
    std::vector<entry_run> runs;
    std::vector<std::shared_ptr<const segment>> segments; ///< one for each run
  };
  [[nodiscard]] located find(group_id group, log_index first, log_index last, std::size_t bytes_max) const;
  [[nodiscard]] std::uint64_t logged_since(group_id group, log_index index) const;
  [[nodiscard]] log_index first_within(group_id group, std::uint64_t bytes) const;
  void add_to(wal_stats& s) const;
  void add_to(log_metrics& m) const;

  /// What a write takes in a batch, at most.
  [[nodiscard]] static std::size_t encoded_bytes_max(const storage::write& w);

 private:
  /// Entries of one group that stand together in one segment, to be written again.
  struct piece {
    group_id group;
    std::vector<entry_run> runs; ///< where they stand
    std::uint32_t count = 0;
    std::vector<std::byte> bytes;
  };
  struct roll {
    segment_pool::prepared next;
    segment_header header;
  };
  [[nodiscard]] bool must_roll(std::size_t records_bytes) const;
  [[nodiscard]] segment_header next_header(std::uint64_t sequence);
  [[nodiscard]] bool oldest_should_move() const; // under the mutex
  [[nodiscard]] std::optional<piece> take_piece(bool writing);
  void encode_openings();
  void encode(const piece& p);
  void encode_truncations(std::vector<truncation>& truncations);
  void encode(const storage::write& w);
  [[nodiscard]] std::size_t openings_bytes_max() const;
  [[nodiscard]] std::optional<roll> begin_roll();
  [[nodiscard]] result<void> make_room(std::optional<roll>& opening, std::size_t records_bytes);
  [[nodiscard]] result<outcome> commit(std::optional<roll>& opening);
  [[nodiscard]] result<void> put(std::span<const std::byte> bytes, std::uint64_t offset);
  /// After the sync: the batch counts.
  [[nodiscard]] std::optional<contradiction> remember(std::uint64_t records_at);
  void free_below(std::uint64_t oldest);
  const wal_options options_;
  coro::entropy& random_;
  segment_pool& pool_;
  const coro::clock* clock_ = nullptr;

  // The log worker's:
  std::unique_ptr<file> current_;
  std::uint64_t segment_id_;
  std::uint64_t end_;
  std::uint64_t opening_end_;
  std::uint64_t next_number_;
  batch_builder builder_;

  mutable std::mutex
      mutex_; // changed by the log worker only, so that it reads without; never held during a system call
  group_logs groups_;
  std::deque<std::shared_ptr<segment>> segments_; ///< ascending; the last is written to
  std::size_t freeable_ = 0;
  std::optional<piece> piece_; ///< read, not yet written
  wal_stats counters_;
  log_metrics metrics_; ///< write, sync and batch_bytes
};

} // namespace quorumd::storage
