#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace quorumd::wire {

/// Bytes on their way out: appended at the end, consumed at the front. 8-byte aligned, never initialised for nothing,
/// and its memory is kept for the next bytes (up to `keep_bytes`, so that one burst does not hold memory for ever).
class byte_buffer {
 public:
  explicit byte_buffer(std::size_t keep_bytes = std::size_t{1024} * 1024)
      : keep_bytes_(keep_bytes) {}

  byte_buffer(byte_buffer&& other) noexcept
      : keep_bytes_(other.keep_bytes_)
      , words_(std::move(other.words_))
      , capacity_(std::exchange(other.capacity_, 0))
      , begin_(std::exchange(other.begin_, 0))
      , end_(std::exchange(other.end_, 0)) {}
  byte_buffer& operator=(byte_buffer&& other) noexcept {
    byte_buffer taken(std::move(other));
    swap(taken);
    return *this;
  }

  [[nodiscard]] bool empty() const { return begin_ == end_; }
  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return {base() + begin_, size()}; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

  /// Room for n bytes behind the last one, not initialised; valid until the next call that is not const.
  [[nodiscard]] std::byte* prepare(std::size_t n);
  /// The first n bytes of that room were filled.
  void commit(std::size_t n) { end_ += n; }
  void append(std::span<const std::byte> bytes);
  /// The byte so far behind the first one, to be written anew.
  [[nodiscard]] std::byte* at(std::size_t offset) { return base() + begin_ + offset; }
  /// Drops bytes at the front.
  void consume(std::size_t n);
  /// Takes bytes out of the middle.
  void erase(std::size_t offset, std::size_t n);
  void clear();
  void swap(byte_buffer& other) noexcept;

 private:
  [[nodiscard]] std::byte* base() const { return reinterpret_cast<std::byte*>(words_.get()); }

  std::size_t keep_bytes_;
  std::unique_ptr<std::uint64_t[]> words_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

} // namespace quorumd::wire
