#include "wire/frame.hpp"

#include "consensus/types/invariant.hpp"
#include "consensus/types/little_endian.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace quorumd::wire {
namespace {

std::size_t content_bytes(const std::byte* header) {
  return std::size_t{load_le<std::uint32_t>(header + 4)} * 8;
}

} // namespace

void write_frame_header(std::byte* at, std::size_t content) {
  QUORUMD_INVARIANT(content % 8 == 0 && content / 8 <= UINT32_MAX, "a frame is of whole words");
  store_le<std::uint32_t>(at, 0);
  store_le<std::uint32_t>(at + 4, static_cast<std::uint32_t>(content / 8));
}

std::size_t frame_bytes(std::span<const std::byte> frames) {
  QUORUMD_INVARIANT(frames.size() >= frame_header_bytes, "a frame starts with its header");
  return frame_header_bytes + content_bytes(frames.data());
}

frame_reader::frame_reader(std::size_t frame_bytes_max, std::size_t read_bytes)
    : frame_bytes_max_(frame_bytes_max) {
  set_read_bytes(read_bytes);
}

void frame_reader::set_read_bytes(std::size_t n) {
  QUORUMD_INVARIANT(n % 8 == 0 && n >= 64, "a read has room for frames");
  read_bytes_ = n;
}

/// The bytes that the pending frame takes in all, as far as is known; next() has judged its header.
std::size_t frame_reader::needed() const {
  if (pending_bytes() < frame_header_bytes) return frame_header_bytes;
  const std::size_t content = content_bytes(chunk_.data() + begin_);
  // Of one that is too large no more is kept than tells what it is.
  return frame_header_bytes + (content > frame_bytes_max_ - frame_header_bytes ? front_bytes : content);
}

void frame_reader::move_to(chunk_ref target, std::size_t at) {
  const std::size_t pending = pending_bytes();
  if (pending != 0) std::memmove(target.data() + at, chunk_.data() + begin_, pending);
  chunk_ = std::move(target);
  begin_ = at;
  end_ = at + pending;
}

std::span<std::byte> frame_reader::prepare() {
  if (chunk_ && chunk_.unique()) shared_ = 0;
  const std::size_t pending = pending_bytes();
  // What follows a frame that is passed over is to be aligned.
  const std::size_t lead = pending == 0 ? (8 - skip_bytes_ % 8) % 8 : 0;
  std::size_t room = 0; // that is needed behind what is pending
  if (pending == 0) {
    begin_ = end_ = shared_;
    room = read_bytes_ / 4;
    if (chunk_.size() > 4 * read_bytes_) chunk_ = {}; // made for one large frame
    if (chunk_.size() < read_bytes_) chunk_ = {};     // made for smaller reads
    if (!chunk_) begin_ = end_ = shared_ = 0;
    begin_ += lead;
    end_ += lead;
  } else {
    room = std::max(needed(), pending + 1) - pending;
  }
  if (chunk_.size() < end_ + room) {
    if (chunk_.size() >= shared_ + lead + pending + room) {
      move_to(chunk_, shared_ + lead);
    } else {
      move_to(chunk_ref::allocate(std::max(read_bytes_, lead + pending + room)), lead);
      shared_ = 0;
    }
  }
  return {chunk_.data() + end_, chunk_.size() - end_};
}

void frame_reader::commit(std::size_t n) {
  QUORUMD_INVARIANT(n <= chunk_.size() - end_, "no more was read than there was room");
  end_ += n;
  drop_skipped();
}

void frame_reader::drop_skipped() {
  const std::size_t n = std::min(skip_bytes_, pending_bytes());
  begin_ += n;
  skip_bytes_ -= n;
}

std::span<const std::byte> frame_reader::front() const {
  QUORUMD_INVARIANT(pending_bytes() >= frame_header_bytes, "the frame's header was judged");
  return {chunk_.data() + begin_ + frame_header_bytes, std::min(front_bytes, pending_bytes() - frame_header_bytes)};
}

bool frame_reader::skip(std::size_t bytes_max) {
  QUORUMD_INVARIANT(pending_bytes() >= frame_header_bytes, "the frame's header was judged");
  const std::size_t all = frame_header_bytes + content_bytes(chunk_.data() + begin_);
  if (all > bytes_max) return false;
  skip_bytes_ = all;
  drop_skipped();
  return true;
}

decoded<std::optional<std::span<const std::byte>>> frame_reader::next() {
  using found = std::optional<std::span<const std::byte>>;
  if (pending_bytes() < frame_header_bytes) return found();
  const std::byte* header = chunk_.data() + begin_;
  if (const std::uint32_t more = load_le<std::uint32_t>(header); more != 0)
    return codec_error(codec_errc::frame_segments,
                       "the frame announces " + std::to_string(std::uint64_t{more} + 1) + " segments instead of one");
  const std::size_t content = content_bytes(header);
  if (content == 0) return codec_error(codec_errc::frame_empty, "the frame is empty");
  if (content > frame_bytes_max_ - frame_header_bytes)
    return codec_error(codec_errc::frame_too_large, "the frame announces " + std::to_string(content) +
                                                        " bytes, more than the " + std::to_string(frame_bytes_max_) +
                                                        " allowed here");
  if (pending_bytes() < frame_header_bytes + content) return found();
  begin_ += frame_header_bytes + content;
  return found(std::span<const std::byte>(header + frame_header_bytes, content));
}

chunk_ref frame_reader::share() {
  shared_ = begin_;
  return chunk_;
}

} // namespace quorumd::wire
