#pragma once

#include "consensus/storage/group_log.hpp"
#include "consensus/storage/wal.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace quorumd::storage {

/// A segment's file that is in use, or was.
struct segment {
  std::uint64_t sequence = 0;
  std::string path;
  std::uint64_t bytes = 0; ///< size of the file
};

/// Makes the blocks of the header and the first batch zero, durably: a segment begins with them before it is used, so
/// that what stands there afterwards was written in this life of the file.
[[nodiscard]] result<void> clear_beginning(file& f);

/// The log as it stands once its fresh segment is durable.
struct opened_log {
  group_logs groups;
  std::vector<recovered_group> recovered;
  std::vector<segment> segments; ///< needed ones, ascending; the last is the fresh one
  std::vector<segment> freed;    ///< not needed any more
  std::vector<segment> spares;   ///< prepared ones, their sequences follow the fresh one's
  std::unique_ptr<file> current; ///< of the fresh segment
  std::uint64_t segment_id = 0;
  std::uint64_t end = 0;         ///< where its next batch goes
  std::uint64_t next_number = 0; ///< of the next batch
  std::uint64_t recovered_batches = 0;
  std::uint64_t torn_batches = 0;
};

/// Reads the log in the directory, then copies its last batch into a fresh segment and syncs it. Blocks. Tolerates a
/// crash at any of its own steps.
[[nodiscard]] result<opened_log> recover_log(file_system& fs, const std::string& directory, const wal_options& options,
                                             coro::entropy& random, std::span<const group_snapshot> snapshots,
                                             const recovery_progress& progress);

/// What recover_log() would recover, or refuse; reads only. For tools.
[[nodiscard]] result<std::vector<recovered_group>> read_log(file_system& fs, const std::string& directory,
                                                            std::span<const group_snapshot> snapshots);
/// Recovers the log and writes one thing more to it, durably; for tools, while no node runs. Blocks. `no_space` if the
/// volume has no room.
[[nodiscard]] result<void> append_to_log(file_system& fs, const std::string& directory, const wal_options& options,
                                         coro::entropy& random, std::span<const group_snapshot> snapshots,
                                         const write& last);

} // namespace quorumd::storage
