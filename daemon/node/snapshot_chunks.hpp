#pragma once

#include "consensus/storage/snapshot_file.hpp"
#include "wire/chunk_packing.hpp"
#include "wire/peer_message.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace quorumd::node {

// Between a snapshot's file and the chunks in which it travels. Blocking, and packing takes time: for the snapshot
// worker.

/// A part of a file as it travels.
struct snapshot_part {
  wire::shared_bytes bytes;
  std::size_t file_bytes = 0;
  bool packed = false;
};
/// The file's bytes from the offset on, at most so many, packed if that makes them fewer and there is a packer. A file
/// that ends there is `corrupt`.
[[nodiscard]] storage::result<snapshot_part> read_part(storage::snapshot_reader& from, std::uint64_t offset,
                                                       std::size_t at_most, std::optional<wire::chunk_packer>& packer);

/// Writes what a chunk stands for, see snapshot_receiver::write(). What cannot be unpacked is `corrupt`, and nothing of
/// it is written.
[[nodiscard]] storage::result<void> write_chunk(storage::snapshot_receiver& to, wire::chunk_unpacker& unpacker,
                                                const wire::snapshot_chunk& c);

} // namespace quorumd::node
