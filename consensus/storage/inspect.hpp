#pragma once

#include "consensus/storage/error.hpp"
#include "consensus/storage/file.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace quorumd::storage {

enum class inspected_kind : std::uint8_t {
  segment,  ///< a segment's header
  batch,    ///< with its number and the mark of what was durable
  record,   ///< of a batch
  snapshot, ///< a snapshot's header
  block,    ///< of a snapshot
  end,      ///< where the file's contents end, and why there
  problem,  ///< something that a start would refuse
};

/// One thing that stands in a file, for a person.
struct inspected {
  inspected_kind kind = inspected_kind::record;
  std::string path;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::string text;
};
using inspection_sink = std::function<void(const inspected&)>;

/// Walks over a segment, or over every segment of a log's directory (or of a data directory's log) in order; of a
/// directory it then tells what a start would refuse about the whole, the snapshots beside it included. Reads only, and
/// needs no lock: the files of a running node give what is there at the moment. Errors are of reading, or that there is
/// no log (`not_found`); damage is told to the sink.
[[nodiscard]] result<void> inspect_wal(file_system& fs, const std::string& path, const inspection_sink& sink);
/// Walks over a snapshot file, checking every block.
[[nodiscard]] result<void> inspect_snapshot(file_system& fs, const std::string& path, const inspection_sink& sink);

} // namespace quorumd::storage
