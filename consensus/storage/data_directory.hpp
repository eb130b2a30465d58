#pragma once

#include "consensus/storage/error.hpp"
#include "consensus/storage/file.hpp"
#include "consensus/types/ids.hpp"
#include "coro/entropy.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace quorumd::storage {

/// Whose data a directory holds. Written when it is created; only move_to() and promise() change something.
struct identity {
  cluster_id cluster;
  std::string cluster_name;
  node_id node;
  std::string node_name;
  quorumd::incarnation incarnation; ///< random, drawn at creation: a wiped directory has another one
  bool created = false;             ///< by this open()
  /// How its owner began, in the owner's own form: what a node that joined a cluster was told of it. Not compared.
  std::vector<std::byte> beginning;
  term beginning_term;           ///< the term in which it began so
  std::uint32_t promised_us = 0; ///< the longest that its owner ever promised to help no other leader. Not compared

  friend bool operator==(const identity&, const identity&) = default;
};

/// The data directory of a node: `LOCK`, `identity`, `wal/`, `snapshots/`, at times `corrupt` (read_doubt()). Held
/// locked while this lives.
class data_directory {
 public:
  /// Creates it if it is missing or empty, else checks that it belongs to that cluster and node (incarnation is not
  /// looked at, nor the number of the cluster if none is expected). Errors: `locked` (names the other process if
  /// known), `foreign` (another cluster, node or format version: says what to do), `corrupt`, `no_space`, `io`.
  /// A directory that is created gets its identity after `fill`: what that leaves when it fails, or is cut off, is no
  /// data directory.
  [[nodiscard]] static result<std::unique_ptr<data_directory>> open(file_system& fs, std::string path,
                                                                    const identity& expected, coro::entropy& random,
                                                                    const std::function<result<void>()>& fill = {});

  [[nodiscard]] const storage::identity& identity() const { return identity_; }
  /// Whether the cluster has that number; `foreign` if not.
  [[nodiscard]] result<void> check_cluster(const storage::identity& expected) const;
  /// Makes it another cluster's, durably; nothing else changes.
  [[nodiscard]] result<void> move_to(file_system& fs, cluster_id cluster);
  /// Notes durably, if it is longer than any before, what its owner is going to promise.
  [[nodiscard]] result<void> promise(file_system& fs, std::uint32_t us);
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string wal_directory() const { return join(path_, "wal"); }
  [[nodiscard]] std::string snapshot_directory() const { return join(path_, "snapshots"); }

 private:
  data_directory(std::string path, std::unique_ptr<file_lock> lock, storage::identity i)
      : path_(std::move(path))
      , lock_(std::move(lock))
      , identity_(std::move(i)) {}

  std::string path_;
  std::unique_ptr<file_lock> lock_;
  storage::identity identity_;
};

/// Reads the identity without locking: for tools.
[[nodiscard]] result<identity> read_identity(file_system& fs, const std::string& path);

/// Why what the directory holds counts for nothing, though it may be whole: what its owner noted in the file `corrupt`.
/// Empty: it counts.
[[nodiscard]] result<std::string> read_doubt(file_system& fs, const std::string& path);
/// Notes it durably.
[[nodiscard]] result<void> write_doubt(file_system& fs, const std::string& path, const std::string& why);

} // namespace quorumd::storage
