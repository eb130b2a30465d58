#pragma once

#include "consensus/raft/ready.hpp"
#include "consensus/storage/error.hpp"
#include "consensus/storage/file.hpp"
#include "consensus/types/configuration.hpp"
#include "consensus/types/entry.hpp"
#include "coro/clock.hpp"
#include "coro/entropy.hpp"
#include "coro/loop.hpp"
#include "coro/task.hpp"
#include "coro/worker.hpp"
#include "metrics/histogram.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace quorumd::storage {

/// Deliberate bugs that the simulator must find; none in production.
enum class mutant : std::uint8_t {
  none,
  accept_stale_batch, ///< recovery takes any batch with a good checksum, whatever segment and number it carries
  free_last_vote,     ///< a new segment does not repeat the groups' terms and votes
  torn_anywhere,      ///< whatever is damaged in the last segment passes for a torn tail
  skip_checksum,      ///< recovery does not compare the checksums of batches
  name_without_sync,  ///< a fresh segment is used before its name is durable
  cut_without_sync, ///< a start cuts off the last batch of the old segment without a sync, and does not reckon with it
};

struct wal_options {
  std::size_t segment_bytes = std::size_t{64} * 1024 * 1024; ///< a multiple of 4 KiB, at least 16 KiB
  /// Writes taken into one batch, unless a single write is larger.
  std::size_t batch_bytes_max = std::size_t{4} * 1024 * 1024;
  /// What may wait for the disk before has_room() says no.
  std::size_t queued_bytes_max = std::size_t{64} * 1024 * 1024;
  /// Held in a file of its own for the time when the volume is full: one segment of it for the log, so that votes,
  /// deletes and compaction go on while puts are refused, and the rest for a snapshot, which frees the log.
  std::size_t reserve_bytes = std::size_t{128} * 1024 * 1024;
  /// Freed segments kept for reuse; more are removed.
  std::size_t recycle_keep = 2;
  /// Segments that the log may take beyond twice what lives in it, before the live entries of the oldest one are moved
  /// to its end: a group that rests must not hold what the others write.
  std::size_t slack_segments = 4;
  storage::mutant mutant = mutant::none;
};

/// What a ready asks to persist for one group.
struct write {
  group_id group;
  raft::write_number number;
  std::optional<hard_state> hard;
  /// The log starts anew: whatever it held is gone, and `entries`, if any, follow the mark.
  std::optional<snapshot_mark> install;
  /// Overwrites the log from the first one's index on; dense and ascending.
  std::vector<entry> entries;
  /// Known committed, never beyond what the log holds with this write; 0: says nothing.
  log_index commit;
};

/// Called on the loop that the group was attached with.
class completion {
 public:
  virtual ~completion() = default;
  /// Every write of the group up to that number is durable.
  virtual void wal_persisted(group_id group, raft::write_number up_to) = 0;
  /// A write or a sync of the log failed: what the disk holds is unknown. Called once; nothing is persisted afterwards
  /// and nothing is tried again. The daemon ends.
  virtual void wal_failed(const error& why) = 0;
};

/// What the log holds of a group when it is opened, aligned with its newest snapshot.
struct recovered_group {
  group_id group;
  hard_state hard;
  snapshot_mark start;        ///< the kept entries follow it; index 0 and nobody in it for a log from its beginning
  snapshot_mark snapshot;     ///< the newest mark known to be covered by a durable snapshot; at least `start`
  std::vector<term_run> runs; ///< of the entries after the start
  std::vector<entry> configurations; ///< the entries of kind `members` after the start, ascending
  log_index last;                    ///< start.index if there is no entry
  log_index commit;                  ///< between start.index and last
};

/// The newest whole snapshot of a group on this disk.
struct group_snapshot {
  group_id group;
  snapshot_mark mark;
};

/// How far recovery is, in bytes of the log.
using recovery_progress = std::function<void(std::uint64_t done, std::uint64_t total)>;

struct wal_stats {
  std::uint64_t batches = 0;
  std::uint64_t writes = 0;
  std::uint64_t syncs = 0;         ///< of the log, not of prepared segments
  std::uint64_t bytes_written = 0; ///< whole batches
  std::uint64_t segments_opened = 0;
  std::uint64_t segments_prepared = 0; ///< written in full with zeros
  std::uint64_t segments_recycled = 0;
  std::uint64_t segments_removed = 0;
  std::uint64_t moved_bytes = 0; ///< of live entries, to the end of the log
  std::uint64_t queued_bytes = 0;
  std::uint64_t disk_bytes = 0; ///< segments in use, prepared and freed, and the reserve
  std::uint64_t sync_nanoseconds = 0;
  std::uint64_t write_nanoseconds = 0;
  // Of recovery:
  std::uint64_t recovered_batches = 0;
  std::uint64_t torn_batches = 0; ///< tails that were cut
};

/// How long the disk took, in nanoseconds, and what it was given at a time.
struct log_metrics {
  metrics::histogram queue;        ///< the oldest write of each batch, from submit() until the worker took it
  metrics::histogram write;        ///< the system call that writes a batch
  metrics::histogram sync;         ///< the one that makes it durable
  metrics::histogram batch_writes; ///< writes in a batch
  metrics::histogram batch_bytes;
  metrics::histogram prepare; ///< a step that makes a segment ready, or reads old entries
};

struct space_status {
  bool accepting_puts = true;
  std::string volume;             ///< the directory on the volume that is full
  std::uint64_t needed_bytes = 0; ///< that must be free before puts are accepted again
  std::uint64_t free_bytes = 0;   ///< when last looked
  std::string message;            ///< for a person; empty while accepting
};

/// The durable log of a node: all groups share it. What arrives while one sync runs is the next batch (group commit);
/// batch N+1 is written only after N is synced. docs/disk-format.md describes the files.
///
/// Opened synchronously (it blocks), then started on a home loop and two workers. Groups may live on several loops:
/// every call below may come from any loop unless it says otherwise, and none but open() blocks.
class wal {
 public:
  /// Recovers the log in the directory (created if missing): cuts a torn tail, refuses a corrupt middle (`corrupt`
  /// with file, offset, group and index), aligns each group with its newest snapshot, and copies the last batch into
  /// a fresh, synced segment before it returns: nothing may be voted for or acknowledged before that. `fs` and
  /// `random` outlive the log.
  [[nodiscard]] static result<std::unique_ptr<wal>> open(file_system& fs, std::string directory, wal_options options,
                                                         coro::entropy& random,
                                                         std::span<const group_snapshot> snapshots = {},
                                                         const recovery_progress& progress = {});
  wal(const wal&) = delete;
  wal& operator=(const wal&) = delete;
  /// No job may be with a worker any more: stop() ended, or the simulator ran or dropped them.
  ~wal();

  /// Sorted by group.
  [[nodiscard]] const std::vector<recovered_group>& recovered() const;

  /// Once, before attach(). `home` is where the log's own bookkeeping runs; `log` runs the batches, `prepare` prepares
  /// and recycles segments in short steps and reads old entries between them. Both workers must differ in production.
  void start(coro::loop& home, coro::worker& log, coro::worker& prepare, const coro::clock& clock);
  /// Once per group, before its first submit(). The completion lives until detach() or the end of the log.
  void attach(group_id group, coro::loop& loop, completion& c);
  /// On the group's loop; no call to its completion follows.
  void detach(group_id group);
  /// On the home loop, by the daemon's task group: while the volume is full, looks every second whether there is room
  /// again. Ends by cancellation.
  [[nodiscard]] coro::task<void> run_space_watch();
  /// On the home loop, after the last submit(): returns when everything submitted is durable (or the log failed) and
  /// no job is with a worker.
  [[nodiscard]] coro::task<void> stop();

  // --- on the path of a request -----------------------------------------------------------------------------------
  /// Never blocks, never refuses (ask has_room() before taking a request). `w.entries` comes back empty with the
  /// memory of an earlier write's. After a failure nothing happens.
  void submit(write&& w);
  /// Whether less than queued_bytes_max waits for the disk.
  [[nodiscard]] bool has_room() const;
  /// Everything up to mark.index is covered by a durable snapshot: the log of the group may begin at `keep_from`
  /// (at most mark.index + 1). Durable with one of the next batches; segments below every group's beginning are
  /// recycled after that.
  void truncate_prefix(group_id group, snapshot_mark mark, log_index keep_from);

  /// On the group's loop: durable entries from `first` on, checked against their checksums; at least one, at most up to
  /// `last`, and no more than fit bytes_max. `compacted` if the log does not hold `first`.
  [[nodiscard]] coro::task<result<std::vector<entry>>> read(group_id group, log_index first, log_index last,
                                                            std::size_t bytes_max);

  /// What the log took for the group after the entry at `index` (durable or not known: 0), in bytes on the disk: with
  /// headers and padding, and what was overwritten since. A little more where that entry was written with later ones.
  [[nodiscard]] std::uint64_t logged_since(group_id group, log_index index) const;
  /// The lowest kept index from which on the log took at most `bytes` for the group; one beyond the last if there is
  /// none.
  [[nodiscard]] log_index first_within(group_id group, std::uint64_t bytes) const;

  // --- space ------------------------------------------------------------------------------------------------------
  /// False while the volume is full: the daemon refuses puts and goes on with everything else.
  [[nodiscard]] bool accepting_puts() const;
  [[nodiscard]] space_status space() const;
  /// The log stands still until the volume has room: nothing that was submitted since becomes durable before.
  [[nodiscard]] bool waits_for_room() const;
  /// A snapshot met a full disk: puts are refused, and the reserve is given up so that it can be tried again.
  void report_no_space(const error& why);

  [[nodiscard]] bool failed() const;
  [[nodiscard]] wal_stats stats() const;
  [[nodiscard]] log_metrics metrics() const;

 private:
  class impl;
  explicit wal(std::unique_ptr<impl> i);
  std::unique_ptr<impl> impl_;
};

} // namespace quorumd::storage
