#pragma once

#include "consensus/storage/data_directory.hpp"
#include "consensus/storage/snapshot_file.hpp"
#include "consensus/storage/wal.hpp"
#include "coro/entropy.hpp"
#include "daemon/kv/snapshot.hpp"
#include "daemon/node/roster.hpp"
#include "wire/handshake.hpp"

#include <cstdint>
#include <string>

/// What is done to a member's data directory, or with a snapshot, while no node runs there: for whoever has lost the
/// majority of a cluster, or all of it. Everything here blocks, and its errors say what to do.
namespace quorumd::node {

/// What a data directory holds: of several survivors the one with the higher last term has more, and with equal terms
/// the one with the higher last index (paper §5.4.1).
struct directory_contents {
  storage::identity identity;
  quorumd::node::roster roster; ///< the newest in the log, committed or not; no index: only a configuration file knows
  log_index last;
  quorumd::term last_term;
  log_index commit; ///< up to here the entries are known to be committed
};
/// Changes nothing. Fails where a start would, or if the directory is in use.
[[nodiscard]] storage::result<directory_contents> examine(storage::file_system& files, coro::entropy& entropy,
                                                          const std::string& data_dir);

/// Makes the member that the directory is of the only one, of a cluster with another number, so that none of the
/// others can take part when it comes back. Every entry of its log counts from then on, committed or not: some of them
/// may have been acknowledged. May be interrupted, and begun anew. The others join with empty directories.
///
/// `address` is where other members are to dial it; empty: as the log says, which it does not if the members were never
/// changed. `foreign`: the directory is of a member that was removed or replaced.
[[nodiscard]] storage::result<directory_contents> force_new_cluster(storage::file_system& files, coro::entropy& entropy,
                                                                    const std::string& data_dir,
                                                                    const std::string& address);

/// What a snapshot file holds.
struct snapshot_contents {
  storage::snapshot_info info;
  std::uint64_t file_bytes = 0;
  revision current;
  revision compacted;
  std::uint64_t keys = 0;
  std::uint64_t bytes = 0; ///< of keys and their values, as they are now
  std::uint64_t history_bytes = 0;
  std::uint64_t hash = 0; ///< of all that can be read: as `quorumd status --verify` compares it
  quorumd::node::roster roster;
};
/// Reads all of it, and builds the state that it holds in memory, so that every checksum is compared.
[[nodiscard]] storage::result<snapshot_contents> examine_snapshot(storage::file_system& files, const std::string& path,
                                                                  const storage::snapshot_progress& progress);

/// What a restored cluster is to be.
struct restore_plan {
  std::string data_dir;      ///< missing or empty
  wire::local_identity self; ///< with the members that begin the cluster; its number is not used
  kv::restoration state;
  bool compact = false; ///< history ends at the restored state: whoever watches from an earlier revision is told so
};
/// Makes a data directory of a snapshot. Each member of the new cluster does so with the same file and the same plan,
/// and then they know one another: the cluster's number is drawn from all of it. The old cluster's members are
/// strangers to them. An interrupted restore leaves a directory that no node takes.
[[nodiscard]] storage::result<snapshot_contents> restore_snapshot(storage::file_system& files, coro::entropy& entropy,
                                                                  const std::string& path, const restore_plan& plan,
                                                                  const storage::snapshot_progress& progress);

} // namespace quorumd::node
