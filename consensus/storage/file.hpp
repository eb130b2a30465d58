#pragma once

#include "consensus/storage/error.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace quorumd::storage {

/// The seam to the disk, at the granularity of a system call. Production is posix_files; the simulator and the tests
/// have a disk in memory that loses what was not synced. Nothing of this module touches the disk in another way, and
/// nothing but the disk remembers across a restart. Calls block; a file may be used on any thread, and read on several
/// at once.
class file {
 public:
  file() = default;
  file(const file&) = delete;
  file& operator=(const file&) = delete;
  /// Closes it. What was not synced may be lost.
  virtual ~file() = default;

  [[nodiscard]] virtual const std::string& path() const = 0;
  /// Fills the buffer from the offset on, or up to the end of the file; how many bytes.
  [[nodiscard]] virtual result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) = 0;
  /// Writes all bytes; the file grows if need be. ENOSPC (and a quota, and a limit on the size of files) is
  /// no_space.
  [[nodiscard]] virtual result<void> write(std::uint64_t offset, std::span<const std::byte> bytes) = 0;
  /// Everything written before is durable when this succeeds (fdatasync: the size too, not the name). After a failure
  /// nothing is known, and trying again proves nothing.
  [[nodiscard]] virtual result<void> sync() = 0;
  [[nodiscard]] virtual result<void> truncate(std::uint64_t bytes) = 0;
  /// Gives the file that size with blocks of its own, without writing them; no_space if there are not enough.
  [[nodiscard]] virtual result<void> allocate(std::uint64_t bytes) = 0;
  [[nodiscard]] virtual result<std::uint64_t> size() = 0;
};

/// Held until destroyed.
class file_lock {
 public:
  virtual ~file_lock() = default;
};

class file_system {
 public:
  enum class mode : std::uint8_t {
    read,     ///< must exist; reading only
    write,    ///< must exist; reading and writing
    create,   ///< must not exist
    truncate, ///< created, or emptied if it exists
  };

  virtual ~file_system() = default;
  [[nodiscard]] virtual result<std::unique_ptr<file>> open(const std::string& path, mode m) = 0;
  /// Atomically; replaces what is there. Durable after sync_directory() of the directory.
  [[nodiscard]] virtual result<void> rename(const std::string& from, const std::string& to) = 0;
  /// A file; one that does not exist is not_found.
  [[nodiscard]] virtual result<void> remove(const std::string& path) = 0;
  /// Creations, renames and removals in the directory are durable when this succeeds.
  [[nodiscard]] virtual result<void> sync_directory(const std::string& path) = 0;
  /// The names in the directory, sorted, without `.` and `..`.
  [[nodiscard]] virtual result<std::vector<std::string>> list(const std::string& path) = 0;
  /// Creates the directory, and those above it, and makes each one that it creates durable; fine if it exists.
  [[nodiscard]] virtual result<void> make_directory(const std::string& path) = 0;
  /// Creates the file if need be and locks it against other processes; `locked` names the holder's pid if it is known.
  [[nodiscard]] virtual result<std::unique_ptr<file_lock>> lock(const std::string& path) = 0;
  /// What an unprivileged process may still write on the volume of the path.
  [[nodiscard]] virtual result<std::uint64_t> free_bytes(const std::string& path) = 0;
};

/// Reads exactly that many bytes; fewer is `corrupt`, which says that the file is cut short.
[[nodiscard]] result<void> read_exactly(file& f, std::uint64_t offset, std::span<std::byte> into);
/// The whole of a small file; longer than `bytes_max` is `corrupt`.
[[nodiscard]] result<std::vector<std::byte>> read_small_file(file_system& fs, const std::string& path,
                                                             std::size_t bytes_max);
/// `directory` and `name` with one slash between.
[[nodiscard]] std::string join(const std::string& directory, const std::string& name);

} // namespace quorumd::storage
