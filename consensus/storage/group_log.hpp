#pragma once

#include "consensus/storage/segment_uses.hpp"
#include "consensus/storage/wal.hpp"
#include "consensus/storage/wal_format.hpp"
#include "consensus/types/entry.hpp"

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
  std::uint64_t on_disk = 0; ///< what it takes there, with its share of its batch's header and padding
  std::uint64_t logged = 0;  ///< what the group had taken of the log before it, in bytes on the disk

  [[nodiscard]] log_index last() const { return first + (count - 1); }
};
inline constexpr std::size_t run_bytes_max = std::size_t{64} * 1024;

/// Where a record stands, and what it takes there.
struct record_place {
  std::uint64_t segment = 0; ///< sequence
  std::uint64_t offset = 0;  ///< from the file's beginning
  std::uint64_t bytes = 0;   ///< on the disk, with its share of its batch's header and padding
};

/// What the log says about one group: its state, and where each kept entry lies. Built by recovery and kept up to date
/// by every batch, both through apply(), so that what a restart would find is what is known now.
class group_log {
 public:
  /// Takes the record in. What contradicts the records before it, in words; nothing if all is well. Entries may begin
  /// after a gap while the log is replayed from a segment whose predecessors were freed: check() tells in the end.
  [[nodiscard]] std::optional<std::string> apply(const record& r, const record_place& at, segment_uses& uses);
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
  /// What the log took for the group after the entry at `index`, in bytes on the disk: with headers and padding, and
  /// what was overwritten since. A little more where a run holds older entries too; 0 at the last entry.
  [[nodiscard]] std::uint64_t logged_since(log_index index) const;
  /// The lowest kept index of which logged_since() its predecessor is at most `bytes`; last() + 1 if there is none.
  [[nodiscard]] log_index first_within(std::uint64_t bytes) const;
  /// The first runs in a row that lie in that segment, up to about so many bytes and at least one of them; none if no
  /// run lies there.
  [[nodiscard]] std::vector<entry_run> runs_in(std::uint64_t segment, std::size_t bytes_max) const;
  /// Whether the run stands as it is.
  [[nodiscard]] bool holds(const entry_run& run) const;
  /// The runs that hold entries from `first` to `last`, until they have that many bytes; at least one if `first` is
  /// in the log.
  void find(log_index first, log_index last, std::size_t bytes_max, std::vector<entry_run>& out) const;

 private:
  [[nodiscard]] std::optional<std::string> apply_opening(const opening_record& o, bool known);
  [[nodiscard]] std::optional<std::string> apply_prefix(group_id group, const prefix_record& p, segment_uses& uses);
  [[nodiscard]] std::optional<std::string> apply_entries(group_id group, const entries_record& r,
                                                         const record_place& at, segment_uses& uses);
  [[nodiscard]] std::optional<std::string> apply_moved(group_id group, const entries_record& r, const record_place& at,
                                                       segment_uses& uses);
  void cut_from(group_id group, log_index index, segment_uses& uses);
  void drop_before_start(group_id group, segment_uses& uses);
  void start_anew(group_id group, const snapshot_mark& mark, segment_uses& uses);
  [[nodiscard]] bool is_missing(log_index index) const;
  void learn_terms(const std::vector<term_run>& terms, log_index last);

  bool known_ = false; ///< an opening of a later segment repeats what is known
  hard_state hard_;
  snapshot_mark start_;
  snapshot_mark snapshot_;
  log_index commit_;
  std::deque<entry_run> runs_;                ///< ascending; the first may begin below the start
  std::deque<term_run> terms_;                ///< ascending; the first may begin below the start
  std::map<log_index, entry> configurations_; ///< the entries of kind `members` after the start
  std::uint64_t logged_ = 0; ///< what the group ever took of the log as it is known, in bytes on the disk
};

/// All groups, in order, and which segments they need.
struct group_logs {
  std::map<group_id, group_log> by_id;
  segment_uses uses;
};

/// A batch's records into the groups; the first contradiction, in words, and its group.
struct contradiction {
  group_id group;
  std::string what;
};
[[nodiscard]] std::optional<contradiction> apply_batch(group_logs& groups, std::span<const std::byte> records,
                                                       std::uint64_t segment, std::uint64_t records_offset);

} // namespace quorumd::storage
