#pragma once

#include "consensus/storage/error.hpp"
#include "consensus/storage/file.hpp"
#include "consensus/types/configuration.hpp"
#include "consensus/types/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace quorumd::storage {

/// The largest block of a snapshot file.
inline constexpr std::size_t snapshot_block_max = std::size_t{4} * 1024 * 1024;
/// What is written is synced every so many bytes: nobody's sync finds a whole snapshot in the cache.
inline constexpr std::size_t snapshot_sync_bytes = std::size_t{256} * 1024;

/// Behind a snapshot that etcd's clients save there is a trailer: bytes up to a multiple of the unit, of which the last
/// two say how many they are, and the digest (SHA-256) of everything before it. snapshot_reader passes over it.
inline constexpr std::size_t snapshot_trailer_unit = 512;
inline constexpr std::size_t snapshot_digest_bytes = 32;
/// The trailer of a snapshot of so many bytes, without the digest.
[[nodiscard]] std::vector<std::byte> snapshot_trailer(std::uint64_t snapshot_bytes);

/// What a snapshot is of.
struct snapshot_info {
  cluster_id cluster;
  group_id group;
  snapshot_mark mark;
  std::uint64_t created_unix_ms = 0;

  friend bool operator==(const snapshot_info&, const snapshot_info&) = default;
};

/// A published snapshot.
struct snapshot_file {
  std::string path;
  snapshot_info info;
  std::uint64_t bytes = 0;
};

/// Writes a snapshot into a temporary file and publishes it whole. Blocking: for the snapshot worker. Destroyed before
/// finish(), it removes what it wrote. A full volume is no_space, and the temporary file is gone at once.
class snapshot_writer {
 public:
  [[nodiscard]] static result<std::unique_ptr<snapshot_writer>> create(file_system& fs, std::string directory,
                                                                       snapshot_info info);
  ~snapshot_writer();
  /// One block of the caller's encoding, 1 to snapshot_block_max bytes.
  [[nodiscard]] result<void> append(std::span<const std::byte> block);
  /// Footer, sync, rename, sync of the directory: afterwards the snapshot survives a crash.
  [[nodiscard]] result<snapshot_file> finish();

 private:
  struct state;
  explicit snapshot_writer(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

/// Reads a published snapshot. Blocking. Every byte that it gives as a block was checked.
class snapshot_reader {
 public:
  /// Checks the header and that the footer is there.
  [[nodiscard]] static result<std::unique_ptr<snapshot_reader>> open(file_system& fs, std::string path);
  ~snapshot_reader();
  [[nodiscard]] const std::string& path() const;
  [[nodiscard]] const snapshot_info& info() const;
  [[nodiscard]] std::uint64_t bytes() const;
  /// Where next() reads, from the file's beginning.
  [[nodiscard]] std::uint64_t position() const;
  /// Reads everything and compares every checksum and count; next() then starts from the first block.
  [[nodiscard]] result<void> verify();
  /// The next block; false after the last one, once the footer's count and checksum have been compared too. A
  /// damaged or missing block is `corrupt` with path and offset.
  [[nodiscard]] result<bool> next(std::vector<std::byte>& block);
  /// Passes over blocks, checking them as next() does, until it has read about so many bytes; false after the last one.
  [[nodiscard]] result<bool> check_on(std::size_t bytes_max);
  /// Whether next() has given every block: the file is whole.
  [[nodiscard]] bool ended() const;
  /// The file's own bytes, as they are sent to another node; how many, 0 at the end.
  [[nodiscard]] result<std::size_t> read_raw(std::uint64_t offset, std::span<std::byte> into);

 private:
  struct state;
  explicit snapshot_reader(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

/// Writes the snapshot anew as one of another cluster, checking all of it, and publishes it in the same place.
/// Blocking.
[[nodiscard]] result<void> move_snapshot(file_system& fs, const std::string& directory, const snapshot_file& of,
                                         cluster_id cluster);

/// Takes a snapshot's bytes from another node, in order, into a temporary file. Blocking. The same snapshot may be
/// resumed, after a restart too: create() finds what has arrived, and whatever a crash did to it, all is checked before
/// it is published.
/// A group has one such file: create() removes those of other marks.
class snapshot_receiver {
 public:
  /// `index` and `term` are of the mark the sender says it has, `bytes` the size of the whole file.
  [[nodiscard]] static result<std::unique_ptr<snapshot_receiver>> create(file_system& fs, std::string directory,
                                                                         cluster_id cluster, group_id group,
                                                                         log_index index, quorumd::term term,
                                                                         std::uint64_t bytes);
  ~snapshot_receiver();
  /// The offset that the next chunk must have.
  [[nodiscard]] std::uint64_t received() const;
  [[nodiscard]] bool complete() const;
  /// What was received before is passed over; a chunk beyond received() is `corrupt`. After any other error here or
  /// below, but for a crash, the temporary file is gone, so that the transfer starts anew: what a failed sync leaves in
  /// the cache must never be taken for durable.
  [[nodiscard]] result<void> write(std::uint64_t offset, std::span<const std::byte> chunk);
  /// Everything arrived: makes it durable, compares cluster, group, index and term, and opens it to be read to its end,
  /// block by block, by whoever builds what it is of. That is the check of it.
  [[nodiscard]] result<std::unique_ptr<snapshot_reader>> seal();
  /// Publishes what seal()'s reader has read to its end, as finish() of a writer does.
  [[nodiscard]] result<snapshot_file> publish(const snapshot_reader& whole);
  /// Gives the transfer up and removes what arrived.
  void abandon();

 private:
  struct state;
  explicit snapshot_receiver(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

/// The published snapshots of the group, newest first; index and term are from the names, the rest of the info is not
/// filled and nothing is checked. An empty list if the
/// directory does not exist.
[[nodiscard]] result<std::vector<snapshot_file>> list_snapshots(file_system& fs, const std::string& directory,
                                                                group_id group);
/// The groups that have a published snapshot, ascending.
[[nodiscard]] result<std::vector<group_id>> snapshot_groups(file_system& fs, const std::string& directory);

struct newest_snapshot_result {
  std::optional<snapshot_file> newest; ///< checked whole
  std::vector<error> damaged;          ///< newer ones that were passed over, for the log of the daemon
  log_index damaged_index;             ///< of the newest of them
};
/// Bytes of a file that were read, of how many.
using snapshot_progress = std::function<void(std::uint64_t done, std::uint64_t total)>;
/// The newest snapshot of the group that is whole.
[[nodiscard]] result<newest_snapshot_result> newest_snapshot(file_system& fs, const std::string& directory,
                                                             group_id group, const snapshot_progress& progress = {});
/// Opens the newest snapshot of the group whose header and footer are whole; nothing else of it is read.
[[nodiscard]] result<std::unique_ptr<snapshot_reader>>
open_newest_snapshot(file_system& fs, const std::string& directory, group_id group);
/// Removes the group's snapshots below the index, and the unfinished transfers that are not beyond it; how many
/// snapshots.
[[nodiscard]] result<std::size_t> remove_snapshots_below(file_system& fs, const std::string& directory, group_id group,
                                                         log_index keep);
/// Removes what receivers of the group left: every transfer that is not beyond `passed`, and all but the newest of the
/// others, which may be resumed. The index of the one that stays; 0 for none.
[[nodiscard]] result<log_index> remove_received(file_system& fs, const std::string& directory, group_id group,
                                                log_index passed);
/// Removes what unfinished writers left, and of what receivers left everything but the newest of each group that is
/// beyond its published snapshots; called at start, before any writer.
[[nodiscard]] result<void> remove_unfinished_snapshots(file_system& fs, const std::string& directory);

} // namespace quorumd::storage
