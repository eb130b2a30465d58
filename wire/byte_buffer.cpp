#include "wire/byte_buffer.hpp"

#include "consensus/types/invariant.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace quorumd::wire {

std::byte* byte_buffer::prepare(std::size_t n) {
  if (capacity_ - end_ < n) {
    const std::size_t lead = begin_ % 8; // what stands at a multiple of 8 keeps standing there
    const std::size_t held = size();
    if (capacity_ - lead - held >= n && held <= capacity_ / 2) {
      if (held != 0) std::memmove(base() + lead, base() + begin_, held);
    } else {
      const std::size_t wanted = std::max({lead + held + n, capacity_ * 2, std::size_t{1024}});
      const std::size_t words = (wanted + 7) / 8;
      std::unique_ptr<std::uint64_t[]> larger(new std::uint64_t[words]);
      if (held != 0) std::memcpy(reinterpret_cast<std::byte*>(larger.get()) + lead, base() + begin_, held);
      words_ = std::move(larger);
      capacity_ = words * 8;
    }
    begin_ = lead;
    end_ = lead + held;
  }
  return base() + end_;
}

void byte_buffer::append(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  std::memcpy(prepare(bytes.size()), bytes.data(), bytes.size());
  commit(bytes.size());
}

void byte_buffer::consume(std::size_t n) {
  QUORUMD_INVARIANT(n <= size(), "no more is consumed than there is");
  begin_ += n;
  if (begin_ == end_) clear();
}

void byte_buffer::erase(std::size_t offset, std::size_t n) {
  QUORUMD_INVARIANT(offset <= size() && n <= size() - offset, "no more is taken out than there is");
  std::byte* const at = base() + begin_ + offset;
  std::memmove(at, at + n, size() - offset - n);
  end_ -= n;
  if (begin_ == end_) clear();
}

void byte_buffer::clear() {
  begin_ = end_ = 0;
  if (capacity_ > keep_bytes_) {
    words_.reset();
    capacity_ = 0;
  }
}

void byte_buffer::swap(byte_buffer& other) noexcept {
  std::swap(keep_bytes_, other.keep_bytes_);
  words_.swap(other.words_);
  std::swap(capacity_, other.capacity_);
  std::swap(begin_, other.begin_);
  std::swap(end_, other.end_);
}

} // namespace quorumd::wire
