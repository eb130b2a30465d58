#pragma once

#include "consensus/storage/group_log.hpp"
#include "consensus/storage/log_extent.hpp"
#include "consensus/storage/segment_reader.hpp"
#include "consensus/storage/wal_recovery.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace quorumd::storage {

inline constexpr const char* corrupt_log_advice =
    "this copy of the log cannot be trusted: keep the directory for inspection, and treat this member as lost "
    "(docs/operations.md says how to go on)";

[[nodiscard]] error corrupt_log(const std::string& path, std::uint64_t offset, const std::string& what);

/// One run of recovery: the steps in order are scan() and replay() (wal_replay.cpp), then open_fresh()
/// (wal_recovery.cpp).
class recovery {
 public:
  recovery(file_system& fs, const std::string& directory, const wal_options& options, coro::entropy& random,
           const recovery_progress& progress)
      : fs_(fs)
      , directory_(directory)
      , options_(options)
      , random_(random)
      , progress_(progress)
      , extent_(fs, directory) {}

  result<void> scan();
  result<void> replay();
  result<opened_log> open_fresh(std::span<const group_snapshot> snapshots);
  result<std::vector<recovered_group>> check(std::span<const group_snapshot> snapshots);
  [[nodiscard]] static std::vector<recovered_group> recovered(const group_logs& groups);

 private:
  struct found_segment {
    segment where;
    parsed_segment_header header;
    /// Whether the file says that it is the segment that its name says.
    [[nodiscard]] bool started() const {
      return header.state == header_state::good && header.header.sequence == where.sequence;
    }
  };
  using segments = std::map<std::uint64_t, found_segment>;

  [[nodiscard]] std::string path_of(std::uint64_t sequence) const { return join(directory_, segment_name(sequence)); }
  result<void> check_never_started();
  /// Every segment that was ever made ready is there.
  result<void> check_extent();
  /// Decides which started segment is the last: the opening of the newest may be torn.
  result<void> find_last();
  result<bool> opening_is_torn(const found_segment& s);
  result<void> check_chain();
  result<void> replay_segment(const found_segment& s, std::uint64_t end_at_least, bool is_last);
  result<void> check_tail(segment_reader& reader, const found_segment& s, std::uint64_t offset);
  result<void> take_batch(const found_segment& s, std::uint64_t offset, const segment_reader::batch& b);
  result<void> apply_pending();
  [[nodiscard]] error name_entry(segment_reader& reader, std::uint64_t offset, error e) const;

  // of open_fresh():
  /// A restart that follows another without a batch between them replaces its segment, else restarts would add up.
  [[nodiscard]] bool replaces_last() const { return pending_number_ != 0 && pending_offset_ == block_bytes; }
  [[nodiscard]] std::uint64_t fresh_sequence() const { return replaces_last() ? last_ : last_ + 1; }
  result<group_logs> next_groups(batch_builder& b, std::span<const group_snapshot> snapshots);
  segment_header fresh_header(const group_logs& groups);
  result<std::unique_ptr<file>> put_fresh(std::span<const std::byte> bytes);
  result<void> sort_segments(const segment_header& h, opened_log& o);
  void collect_records(batch_builder& b) const;
  result<void> align(batch_builder& b, group_logs& groups, std::span<const group_snapshot> snapshots);
  result<std::unique_ptr<file>> fresh_file(const std::string& path);
  result<void> fill_fresh(file& f);
  result<void> write_fresh(file& f, std::span<const std::byte> bytes);
  result<void> drop_reserve();
  result<void> renumber_spares(std::uint64_t next);

  file_system& fs_;
  const std::string& directory_;
  const wal_options& options_;
  coro::entropy& random_;
  const recovery_progress& progress_;
  log_extent extent_;

  segments all_;
  std::uint64_t reached_ = 0; ///< the log's extent
  std::uint64_t oldest_ = 0;
  std::uint64_t last_ = 0;     ///< sequence; 0: none was ever started
  bool newest_torn_ = false;   ///< a segment after the last one was begun, and its first batch is torn
  std::uint64_t tail_end_ = 0; ///< it says that the last one is whole up to here
  std::vector<segment> spares_;
  std::vector<segment> freed_;
  std::vector<segment> unfinished_; ///< never begun, and of another size than a segment

  group_logs groups_;              ///< before the pending batch
  std::vector<std::byte> pending_; ///< the records of the last good batch
  std::uint64_t pending_number_ = 0;
  std::uint64_t pending_segment_ = 0;
  std::uint64_t pending_offset_ = 0; ///< of the batch
  std::uint64_t next_number_ = 1;
  std::uint64_t bytes_done_ = 0;
  std::uint64_t bytes_total_ = 0;
  std::uint64_t batches_ = 0;
  std::uint64_t torn_ = 0;
};

} // namespace quorumd::storage
