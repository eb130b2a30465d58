#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace quorumd {

/// A reference to a block of bytes that entries and frames share: counted, so that the log, every peer's queue and
/// the applier hold the same bytes. The count is atomic: a chunk may be released on any thread. Whoever made a chunk
/// may fill it until it hands a part of it on; that part never changes afterwards.
class chunk_ref {
 public:
  chunk_ref() = default;
  /// A new block, 8-byte aligned, with one reference; its bytes are not initialised.
  [[nodiscard]] static chunk_ref allocate(std::size_t bytes);

  chunk_ref(const chunk_ref& other) noexcept
      : block_(other.block_) {
    if (block_ != nullptr) block_->references.fetch_add(1, std::memory_order_relaxed);
  }
  chunk_ref(chunk_ref&& other) noexcept
      : block_(std::exchange(other.block_, nullptr)) {}
  chunk_ref& operator=(chunk_ref other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~chunk_ref() {
    if (block_ != nullptr && block_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) release(block_);
  }

  [[nodiscard]] std::byte* data() const { return reinterpret_cast<std::byte*>(block_ + 1); }
  [[nodiscard]] std::size_t size() const { return block_ == nullptr ? 0 : block_->bytes; }
  /// Whether nobody else refers to the block, so that its owner may use it again.
  [[nodiscard]] bool unique() const { return block_->references.load(std::memory_order_acquire) == 1; }
  explicit operator bool() const { return block_ != nullptr; }

 private:
  struct alignas(16) block {
    std::atomic<std::uint32_t> references;
    std::size_t bytes;
  };
  explicit chunk_ref(block* b)
      : block_(b) {}
  static void release(block* b) noexcept;

  block* block_ = nullptr;
};

/// Cuts small pieces off large chunks, so that many commands cost one allocation. Belongs to one loop.
class chunk_arena {
 public:
  explicit chunk_arena(std::size_t chunk_bytes = std::size_t{64} * 1024)
      : chunk_bytes_(chunk_bytes) {}

  struct piece {
    chunk_ref chunk;
    std::byte* data = nullptr;
  };
  /// A piece of at least that many bytes, 8-byte aligned, not initialised. A piece larger than a quarter of a chunk
  /// gets a chunk of its own.
  [[nodiscard]] piece allocate(std::size_t bytes);

 private:
  std::size_t chunk_bytes_;
  std::size_t used_ = 0;
  chunk_ref current_;
};

} // namespace quorumd
