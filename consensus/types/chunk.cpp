#include "consensus/types/chunk.hpp"

#include <new>

namespace quorumd {

chunk_ref chunk_ref::allocate(std::size_t bytes) {
  void* memory = ::operator new(sizeof(block) + bytes, std::align_val_t{alignof(block)});
  return chunk_ref(::new (memory) block{1, bytes});
}

void chunk_ref::release(block* b) noexcept {
  b->~block();
  ::operator delete(static_cast<void*>(b), std::align_val_t{alignof(block)});
}

chunk_arena::piece chunk_arena::allocate(std::size_t bytes) {
  const std::size_t rounded = (bytes + 7) & ~std::size_t{7};
  if (rounded > chunk_bytes_ / 4) {
    chunk_ref own = chunk_ref::allocate(rounded);
    std::byte* at = own.data();
    return {std::move(own), at};
  }
  if (!current_ || used_ + rounded > current_.size()) {
    current_ = chunk_ref::allocate(chunk_bytes_);
    used_ = 0;
  }
  std::byte* at = current_.data() + used_;
  used_ += rounded;
  return {current_, at};
}

} // namespace quorumd
