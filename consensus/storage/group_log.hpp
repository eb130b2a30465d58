#pragma once

#include "consensus/storage/wal.hpp"
#include "consensus/storage/wal_format.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace quorumd::storage {

/// Consecutive entries that stand one after the other in a segment. Longer stretches are split, so that any entry is
/// found by reading at most run_bytes_max (or one entry) before it.
struct entry_run {
  log_index first;
  std::uint64_t segment = 0; ///< sequence
  std::uint64_t offset = 0;  ///< of the first entry, from the file's beginning
  std::uint32_t bytes = 0;   ///< up to the end of the last one; more if later ones were overwritten
  std::uint32_t count = 0;

  [[nodiscard]] log_index last() const { return first + (count - 1); }
};
inline constexpr std::size_t run_bytes_max = std::size_t{64} * 1024;

/// What the log says about one group: its state, and where each kept entry lies. Built by recovery and kept up to date
/// by every batch, both through apply(), so that what a restart would find is what is known now.
class group_log {
 public:
  /// Takes the record in, which stands in that segment at that offset. What contradicts the records before it, in
  /// words; nothing if all is well. Entries may begin after a gap while the log is replayed from a segment whose
  /// predecessors were freed: check() tells in the end.
  [[nodiscard]] std::optional<std::string> apply(const record& r, std::uint64_t segment, std::uint64_t offset);
  /// After the last record of a replay: what is missing, in words.
  [[nodiscard]] std::optional<std::string> check() const;

  [[nodiscard]] const hard_state& hard() const { return hard_; }
  [[nodiscard]] const snapshot_mark& start() const { return start_; }
  [[nodiscard]] const snapshot_mark& snapshot() const { return snapshot_; }
  [[nodiscard]] log_index commit() const { return commit_; }
  [[nodiscard]] log_index last() const { return runs_.empty() ? start_.index : runs_.back().last(); }
  /// The term of an index between the start and the last entry.
  [[nodiscard]] std::optional<term> term_at(log_index index) const;
  [[nodiscard]] opening_record opening() const { return {hard_, commit_, start_, snapshot_}; }
  [[nodiscard]] recovered_group recovered(group_id group) const;
  /// The lowest segment that holds a kept entry.
  [[nodiscard]] std::optional<std::uint64_t> oldest_segment() const;
  /// The runs that hold entries from `first` to `last`, until they have that many bytes; at least one if `first` is
  /// in the log.
  void find(log_index first, log_index last, std::size_t bytes_max, std::vector<entry_run>& out) const;

 private:
  [[nodiscard]] std::optional<std::string> apply_entries(group_id group, const entries_record& r, std::uint64_t segment,
                                                         std::uint64_t offset);
  void cut_from(log_index index);
  void drop_before_start();
  void start_anew(const snapshot_mark& mark);

  bool known_ = false; ///< an opening of a later segment repeats what is known
  hard_state hard_;
  snapshot_mark start_;
  snapshot_mark snapshot_;
  log_index commit_;
  std::deque<entry_run> runs_; ///< ascending; the first may begin below the start
  std::deque<term_run> terms_; ///< ascending; the first may begin below the start
};

/// All groups, in order.
using group_logs = std::map<group_id, group_log>;

/// A batch's records into the groups; the first contradiction, in words, and its group.
struct contradiction {
  group_id group;
  std::string what;
};
[[nodiscard]] std::optional<contradiction> apply_batch(group_logs& groups, std::span<const std::byte> records,
                                                       std::uint64_t segment, std::uint64_t records_offset);

} // namespace quorumd::storage
