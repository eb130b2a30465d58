#pragma once

#include "wire/capnp.hpp"

#include "consensus/types/invariant.hpp"
#include "wire/byte_buffer.hpp"
#include "wire/codec_error.hpp"
#include "wire/frame.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

/// Building messages in place, for this folder's .cpp files. The bound of a message's size is computed first, from
/// the same values that are written into it, so that it always fits one segment.
namespace quorumd::wire::detail {

inline constexpr std::size_t word_bytes = sizeof(capnp::word);

template <class T>
inline constexpr std::size_t struct_words = T::_capnpPrivate::dataWordSize + T::_capnpPrivate::pointerCount;
[[nodiscard]] constexpr std::size_t data_words(std::size_t bytes) {
  return (bytes + word_bytes - 1) / word_bytes;
}
[[nodiscard]] constexpr std::size_t text_words(std::size_t bytes) {
  return data_words((bytes < text_bytes_max ? bytes : text_bytes_max) + 1);
}
template <class T>
[[nodiscard]] constexpr std::size_t list_words(std::size_t count) {
  return 1 + count * struct_words<T>;
}
/// The root pointer and the root.
template <class T>
inline constexpr std::size_t root_words = 1 + struct_words<T>;

/// Builds into memory that the caller has: one segment or a broken invariant.
class segment_builder final : public capnp::MessageBuilder {
 public:
  segment_builder(std::byte* at, std::size_t words)
      : at_(at)
      , words_(words) {}
  ~segment_builder() noexcept(false) override = default;

  kj::ArrayPtr<capnp::word> allocateSegment(unsigned minimum_words) override {
    QUORUMD_INVARIANT(!given_ && minimum_words <= words_, "an encoded message is within the bound computed for it");
    given_ = true;
    return {reinterpret_cast<capnp::word*>(at_), words_};
  }
  [[nodiscard]] std::size_t used_bytes() {
    const auto segments = getSegmentsForOutput();
    QUORUMD_INVARIANT(segments.size() == 1, "a message is one segment");
    return segments[0].size() * word_bytes;
  }

 private:
  std::byte* at_;
  std::size_t words_;
  bool given_ = false;
};

/// Builds a message of at most so many words at the address, whose last `blob_words` are data that `fill` writes whole
/// and last; the others are cleared here. Returns its bytes.
template <class Root, class Fill>
std::size_t build_at(std::byte* at, std::size_t words_max, std::size_t blob_words, Fill fill) {
  std::memset(at, 0, (words_max - blob_words) * word_bytes);
  segment_builder builder(at, words_max);
  fill(builder.initRoot<Root>());
  return builder.used_bytes();
}

/// Appends a frame.
template <class Root, class Fill>
void append_frame(byte_buffer& out, std::size_t words_max, std::size_t blob_words, Fill fill) {
  std::byte* at = out.prepare(frame_header_bytes + words_max * word_bytes);
  const std::size_t used = build_at<Root>(at + frame_header_bytes, words_max, blob_words, fill);
  write_frame_header(at, used);
  out.commit(frame_header_bytes + used);
}
template <class Root, class Fill>
void append_frame(byte_buffer& out, std::size_t words_max, Fill fill) {
  append_frame<Root>(out, words_max, 0, fill);
}

[[nodiscard]] inline capnp::Data::Reader data(std::string_view bytes) {
  return {reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()};
}
[[nodiscard]] inline capnp::Data::Reader data(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()};
}
/// Copies the text, or its first text_bytes_max bytes: the view need not end in a zero.
template <class Builder>
void copy_text(std::string_view whole, Builder init) {
  const std::string_view text = whole.substr(0, text_bytes_max);
  if (text.empty()) return;
  capnp::Text::Builder to = init(static_cast<unsigned>(text.size()));
  std::memcpy(to.begin(), text.data(), text.size());
}

} // namespace quorumd::wire::detail
