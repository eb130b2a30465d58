#include "wire/chunk_packing.hpp"

#include "consensus/types/invariant.hpp"

#include <zstd.h>

#include <new>
#include <string>

namespace quorumd::wire {
namespace {

void set(ZSTD_CCtx* context, ZSTD_cParameter what, int value) {
  QUORUMD_INVARIANT(ZSTD_isError(ZSTD_CCtx_setParameter(context, what, value)) == 0, "zstd knows its own parameters");
}

codec_error unreadable(const std::string& what) {
  return {codec_errc::packing, "a snapshot's chunk cannot be unpacked: " + what};
}

} // namespace

void chunk_packer::freed::operator()(ZSTD_CCtx_s* c) const noexcept {
  ZSTD_freeCCtx(c);
}

chunk_packer::chunk_packer()
    : context_(ZSTD_createCCtx()) {
  if (!context_) throw std::bad_alloc();
  set(context_.get(), ZSTD_c_compressionLevel, packing_level);
  set(context_.get(), ZSTD_c_checksumFlag, 1);
}

std::optional<shared_bytes> chunk_packer::pack(std::span<const std::byte> plain) {
  QUORUMD_INVARIANT(plain.size() <= snapshot_chunk_bytes_max, "a snapshot's chunk is within its bound");
  if (plain.empty()) return std::nullopt;
  const std::size_t room = plain.size() - 1; // zstd gives up as soon as it finds that it needs more
  chunk_ref chunk = chunk_ref::allocate(room);
  const std::size_t n = ZSTD_compress2(context_.get(), chunk.data(), room, plain.data(), plain.size());
  if (ZSTD_isError(n) != 0) return std::nullopt;
  return shared_bytes{chunk, {chunk.data(), n}};
}

void chunk_unpacker::freed::operator()(ZSTD_DCtx_s* c) const noexcept {
  ZSTD_freeDCtx(c);
}

decoded<std::span<const std::byte>> chunk_unpacker::unpack(const snapshot_chunk& c) {
  const std::span<const std::byte> from = c.bytes.bytes;
  if (c.packed_of == 0) return from;
  if (c.packed_of > snapshot_chunk_bytes_max) return unreadable("it announces more bytes than a chunk may have");
  if (!context_) context_.reset(ZSTD_createDCtx());
  if (!context_) throw std::bad_alloc();
  plain_.resize(c.packed_of);
  // All at once, into what was announced: no window of the frame's choice is made room for.
  const std::size_t n = ZSTD_decompressDCtx(context_.get(), plain_.data(), plain_.size(), from.data(), from.size());
  if (ZSTD_isError(n) != 0) return unreadable(ZSTD_getErrorName(n));
  if (n != c.packed_of)
    return unreadable(std::to_string(c.packed_of) + " bytes were announced, and there are " + std::to_string(n));
  return std::span<const std::byte>(plain_);
}

} // namespace quorumd::wire
