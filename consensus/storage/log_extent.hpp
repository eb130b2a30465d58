#pragma once

#include "consensus/storage/error.hpp"
#include "consensus/storage/file.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace quorumd::storage {

/// How far the log of a directory ever reached: the highest sequence whose segment was made ready for use. What is
/// missing up to there was lost, not never written, and the votes that it held are forgotten. Kept beside the
/// directory, so that it survives whoever empties it, as the name of an empty file, so that moving it is one rename:
/// `wal.reached-SEQUENCE`. Used by one thread at a time.
class log_extent {
 public:
  log_extent(file_system& fs, const std::string& directory);

  /// Reads what the disk says; nothing if it says nothing.
  [[nodiscard]] result<std::optional<std::uint64_t>> read();
  /// Durable when it succeeds. Reads first if nobody did. A full volume is no_space and changes nothing.
  [[nodiscard]] result<void> set(std::uint64_t sequence);
  /// The file's name, as last read or set; empty if there is none.
  [[nodiscard]] std::string name() const;

 private:
  [[nodiscard]] std::string name_of(std::uint64_t sequence) const;

  file_system& fs_;
  std::string parent_;
  std::string prefix_; ///< of the name
  std::optional<std::uint64_t> reached_;
  bool known_ = false;
};

} // namespace quorumd::storage
