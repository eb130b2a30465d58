#pragma once

#include "consensus/storage/file.hpp"
#include "consensus/storage/log_extent.hpp"
#include "consensus/storage/wal.hpp"
#include "consensus/storage/wal_recovery.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace quorumd::storage {

/// Keeps one segment ready ahead of the log (written in full with zeros, or recycled; its beginning cleared, its name
/// durable, and the log's extent moved up to it), removes what is left over, and keeps the reserve. When the volume is
/// full the reserve shrinks to the size of one segment, so that a snapshot has room; what is left of it becomes the
/// log's next segment once the log cannot go on without one, and nothing else can take that place. step() runs on the
/// preparation worker and does one short piece of work; everything else may be called from any thread and does not
/// touch the disk.
class segment_pool {
 public:
  segment_pool(file_system& fs, std::string directory, const wal_options& options);
  /// What recovery found; once, before anything else.
  void adopt(std::uint64_t next_sequence, std::vector<segment> spares, std::vector<segment> freed);

  struct prepared {
    segment where;
    std::unique_ptr<storage::file> file;
  };
  /// The log has written so many bytes of its segment: the next one is prepared a little faster than this one fills.
  void log_reached(std::uint64_t bytes);
  /// The log stands still until there is a next segment, or could free others with one.
  void want_segment();
  /// The next segment, if one is ready.
  [[nodiscard]] std::optional<prepared> take();
  [[nodiscard]] bool has_ready() const;
  /// It was taken and not used.
  void give_back(prepared p);
  /// Nobody needs the segment any more once no one else holds it.
  void free(std::shared_ptr<const segment> s);

  [[nodiscard]] bool has_work() const;
  /// A failure other than a full volume is final: the log cannot go on without segments.
  [[nodiscard]] result<void> step();

  /// Somebody else than step() met a full volume, and needs so many bytes.
  void report_no_space(const error& why, std::uint64_t needed);
  /// Makes the next step look again whether there is room.
  void look_again();
  [[nodiscard]] bool accepting_puts() const;
  [[nodiscard]] space_status space() const;
  /// Adds its own figures.
  void add_to(wal_stats& s) const;

 private:
  enum class work : std::uint8_t {
    none,
    fill,
    open_spare,
    recycle,
    create,
    remove,
    find_reserve,
    make_reserve,
    shrink_reserve,
    use_reserve,
    look,
  };
  [[nodiscard]] work choose() const; // under the mutex
  [[nodiscard]] std::size_t recyclable() const;
  [[nodiscard]] result<void> fill();
  [[nodiscard]] result<void> open_spare();
  [[nodiscard]] result<void> recycle();
  [[nodiscard]] result<void> create();
  [[nodiscard]] result<void> remove();
  [[nodiscard]] result<void> find_reserve();
  [[nodiscard]] result<void> make_reserve();
  [[nodiscard]] result<void> shrink_reserve();
  [[nodiscard]] result<void> use_reserve();
  [[nodiscard]] result<void> look();
  void met_full_volume(const error& why, std::uint64_t needed);
  void now_full(const error& why, std::uint64_t needed); // under the mutex
  [[nodiscard]] bool fill_due() const;                   // under the mutex
  [[nodiscard]] std::uint64_t missing_reserve() const;   // under the mutex
  [[nodiscard]] std::string reserve_path() const { return join(directory_, reserve_name); }
  [[nodiscard]] std::string path_of(std::uint64_t sequence) const;
  [[nodiscard]] result<std::unique_ptr<file>> make_ready(const segment& s);
  void add_spare(segment s, std::uint64_t wal_stats::*counter);

  file_system& fs_;
  const std::string directory_;
  const wal_options options_;

  // The preparation worker's:
  log_extent extent_;
  std::optional<prepared> filling_file_;

  mutable std::mutex mutex_; // never held during a system call
  std::uint64_t next_sequence_ = 1;
  std::deque<segment> spares_; ///< prepared, to be made ready
  std::deque<prepared> ready_;
  std::vector<std::shared_ptr<const segment>> freed_;
  bool filling_ = false;
  std::uint64_t filled_ = 0;             ///< of the one that is being filled
  std::uint64_t used_ = 0;               ///< of the one that is written to
  std::optional<std::uint64_t> reserve_; ///< bytes it holds; nothing: not looked yet
  bool wanted_ = false;                  ///< a segment, by a log that cannot wait
  bool full_ = false;
  bool blocked_ = false;       ///< preparing a new one waits until there is room
  bool spare_blocked_ = false; ///< making ready what is there does
  bool look_ = false;
  bool shrink_reserve_ = false;
  std::uint64_t needed_ = 0;
  std::uint64_t free_ = 0;
  std::string why_;
  wal_stats counters_;
};

} // namespace quorumd::storage
