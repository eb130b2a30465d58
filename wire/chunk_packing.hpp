#pragma once

#include "wire/codec_error.hpp"
#include "wire/peer_message.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace quorumd::wire {

/// Of zstd: in 64 KiB of records the next ones find no more, and take longer where there is nothing to find.
inline constexpr int packing_level = 1;

/// Packs the chunks of a snapshot: each becomes a zstd frame (RFC 8878) of its own, with a checksum, that is read
/// without any other, so that a transfer may go on at any chunk. Keeps zstd's memory, some 300 KiB, for the next
/// one. For one thread at a time.
class chunk_packer {
 public:
  chunk_packer();
  /// The frame; nothing if it would not be smaller. `plain` is at most snapshot_chunk_bytes_max.
  [[nodiscard]] std::optional<shared_bytes> pack(std::span<const std::byte> plain);

 private:
  struct freed {
    void operator()(ZSTD_CCtx_s* c) const noexcept;
  };
  std::unique_ptr<ZSTD_CCtx_s, freed> context_;
};

/// Gives the bytes of the file that a chunk stands for. For one thread at a time.
class chunk_unpacker {
 public:
  /// Of a chunk that is not packed, its own. Else they hold until the next call, and were checked; what is no frame of
  /// exactly packed_of bytes is `packing`, and no more than snapshot_chunk_bytes_max are made room for, whatever it
  /// says.
  [[nodiscard]] decoded<std::span<const std::byte>> unpack(const snapshot_chunk& c);

 private:
  struct freed {
    void operator()(ZSTD_DCtx_s* c) const noexcept;
  };
  std::unique_ptr<ZSTD_DCtx_s, freed> context_; ///< once the first packed one came
  std::vector<std::byte> plain_;
};

} // namespace quorumd::wire
