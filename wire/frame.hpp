#pragma once

#include "consensus/types/chunk.hpp"
#include "wire/codec_error.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace quorumd::wire {

/// A stream is a sequence of standard Cap'n Proto messages of one segment: u32 0 (segments - 1), u32 words, the
/// segment. Little-endian.
inline constexpr std::size_t frame_header_bytes = 8;
inline constexpr std::size_t peer_frame_max = std::size_t{4} * 1024 * 1024;

/// Writes a frame's header in front of its content.
void write_frame_header(std::byte* at, std::size_t content_bytes);
/// The bytes of the frame at the front, header included; the header is whole and was written here.
[[nodiscard]] std::size_t frame_bytes(std::span<const std::byte> frames);

/// Cuts a stream into frames, in place: bytes are read into a chunk, and each frame's content is a part of it, 8-byte
/// aligned. The header is judged before anything is made room for. Frames that were shared keep their chunk; the
/// others' bytes are used again.
class frame_reader {
 public:
  /// `read_bytes` is the room of one read, a multiple of 8 and at least 64.
  explicit frame_reader(std::size_t frame_bytes_max, std::size_t read_bytes = std::size_t{256} * 1024);

  /// Room for the next read: at least one byte. Everything that next() gave before is gone unless shared.
  [[nodiscard]] std::span<std::byte> prepare();
  /// The bytes of the frame that is begun, as far as is known; next() has judged its header.
  [[nodiscard]] std::size_t wanted() const { return pending_bytes() == 0 ? 0 : needed(); }
  /// So many bytes were read into it.
  void commit(std::size_t n);
  /// The content of the next whole frame; nothing until more was read. After an error the stream is of no use, unless
  /// it is `frame_too_large` and skip() goes past it.
  [[nodiscard]] decoded<std::optional<std::span<const std::byte>>> next();
  /// After `frame_too_large`: how the content begins, as far as it was read, up to front_bytes.
  [[nodiscard]] std::span<const std::byte> front() const;
  static constexpr std::size_t front_bytes = 64;
  /// After `frame_too_large`: drops that frame's bytes, those that come too, and keeps none. False, and nothing done,
  /// if it announces more than that.
  [[nodiscard]] bool skip(std::size_t bytes_max);
  /// Keeps the bytes of every frame given so far as they are, for whoever holds the reference.
  [[nodiscard]] chunk_ref share();

  /// The room of the reads to come.
  void set_read_bytes(std::size_t n);

  /// Bytes that were read and not given yet.
  [[nodiscard]] std::size_t pending_bytes() const { return end_ - begin_; }

 private:
  [[nodiscard]] std::size_t needed() const;
  void drop_skipped();
  void move_to(chunk_ref target, std::size_t at);

  std::size_t frame_bytes_max_;
  std::size_t read_bytes_ = 0;
  chunk_ref chunk_;
  std::size_t shared_ = 0; ///< bytes at the chunk's front that others may refer to
  std::size_t begin_ = 0;  ///< of what was not given yet
  std::size_t end_ = 0;
  std::size_t skip_bytes_ = 0; ///< to come, of a frame that is passed over
};

} // namespace quorumd::wire
