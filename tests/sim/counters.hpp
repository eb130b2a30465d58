#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace quorumd::sim {

/// What a run met. A sweep adds them up, prints them, and fails if one that must not stays zero.
enum class counter : std::size_t {
  acknowledged_writes,
  unknown_outcomes,
  refused_requests,
  reads,
  follower_reads,
  stale_reads,
  elections,
  crashes,
  crashes_within_a_write,
  graceful_stops,
  restarts,
  partitions,
  pauses,
  cut_streams,
  held_segments,
  unsynced_bytes_lost,
  torn_writes,
  torn_tails,
  failed_syncs,
  full_disks,
  flipped_bits,
  flips_refused,
  suffix_truncations,
  recycled_segments,
  moved_bytes,
  snapshots_taken,
  snapshots_installed,
  snapshots_broken,
  snapshots_delegated,
  snapshot_orders_failed,
  narrow_snapshots,
  snapshot_bytes_plain,
  snapshot_bytes_packed,
  states_compared,
  searched_revisions,
  timed_puts,
  timed_reads,
  member_changes,
  joins,
  replaced_disks,
  impostors,
  transfers,
  sessions,
  repeated_commands,
  settled_by_repeating,
  answers_repeated,
  reads_of_bounded_age,
  leased_reads,
  withheld_entries,
  leases_granted,
  leases_revoked,
  leases_renewed,
  leases_expired,
  watches,
  watched_changes,
  watched_parts,
  watchers_without_room,
  watchers_cancelled,
  leaderless_watchers,
  count,
};

struct counter_info {
  std::string_view name;
  bool must_happen; ///< in a sweep of some length
};

inline constexpr std::array<counter_info, static_cast<std::size_t>(counter::count)> counter_infos{{
    {"acknowledged writes", true},
    {"unknown outcomes", true},
    {"refused requests", true},
    {"reads", true},
    {"reads at followers", true},
    {"stale reads", true},
    {"elections", true},
    {"crashes", true},
    {"crashes within a disk write", true},
    {"graceful stops", true},
    {"restarts", true},
    {"partitions", true},
    {"pauses", true},
    {"cut streams", true},
    {"segments held by partitions", true},
    {"unsynced bytes lost", true},
    {"torn writes", true},
    {"torn tails", true},
    {"failed syncs", true},
    {"full disks", true},
    {"flipped bits", true},
    {"flipped bits refused", true},
    {"suffix truncations", true},
    {"recycled segments", true},
    {"live entries moved, bytes", true},
    {"snapshots taken", true},
    {"snapshots installed", true},
    {"broken snapshot transfers", true},
    {"snapshots sent by followers", true},
    {"orders for snapshots that failed", true},
    {"snapshots on narrow lines", true},
    {"bytes of snapshots sent as they are", true},
    {"bytes of snapshots saved by packing", true},
    {"states compared", true},
    {"revisions searched", true},
    {"puts timed", true},
    {"reads timed", true},
    {"changes of members", true},
    {"joins", true},
    {"replaced disks", true},
    {"wiped nodes refused", true},
    {"transfers of leadership", true},
    {"sessions", true},
    {"commands sent again", true},
    {"acknowledged when sent again", true},
    {"answers asked for again", true},
    {"reads of bounded age", true},
    {"reads by lease", true},
    {"entries withheld from witnesses", true},
    {"leases granted", true},
    {"leases revoked", true},
    {"leases renewed", true},
    {"leases ended by time", true},
    {"watches", true},
    {"changes watched", true},
    {"parts of revisions watched", true},
    {"watchers that had no room", true},
    {"watchers cancelled", true},
    {"watchers told of no leader", false},
}};

class counters {
 public:
  std::uint64_t& operator[](counter c) { return values_[static_cast<std::size_t>(c)]; }
  std::uint64_t operator[](counter c) const { return values_[static_cast<std::size_t>(c)]; }
  [[nodiscard]] const auto& all() const { return values_; }
  [[nodiscard]] auto& all() { return values_; }
  void add(const counters& other) {
    for (std::size_t i = 0; i < values_.size(); ++i) values_[i] += other.values_[i];
  }

 private:
  std::array<std::uint64_t, static_cast<std::size_t>(counter::count)> values_{};
};

} // namespace quorumd::sim
