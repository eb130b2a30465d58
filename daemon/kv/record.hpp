#pragma once

#include "consensus/types/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace quorumd::kv {

/// Bytes that never move once copied: what value views point to. Empty bytes take no memory.
class stable_bytes {
 public:
  stable_bytes() = default;
  explicit stable_bytes(std::string_view bytes);

  [[nodiscard]] std::string_view view() const { return {data_.get(), size_}; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::unique_ptr<char[]> data_;
  std::uint32_t size_ = 0;
};

/// One version of a key; a tombstone has version 0.
struct version {
  [[no_unique_address]] stable_bytes value;
  std::uint32_t sub = 0; ///< the place of the change within its revision
  revision create;
  revision mod;
  std::uint64_t number = 0; ///< what clients call the version: 1 at creation
  lease_id lease;
  std::uint64_t hash = 0; ///< of the key and all the other members: see version_hash

  [[nodiscard]] bool tombstone() const { return number == 0; }
};
static_assert(sizeof(version) == 56, "a million keys take a million of them");

/// The same on every machine and in every process (XXH3); strong enough that a sum of these tells two histories apart.
[[nodiscard]] std::uint64_t version_hash(std::string_view key, const version& v);
/// XXH3 of the numbers, each as eight bytes.
[[nodiscard]] std::uint64_t hash_of(std::span<const std::uint64_t> numbers);

/// Older versions of a key, oldest first: pushed at the back, dropped from the front, each in amortised O(1), so that
/// a single key holding the whole of history costs no more than many keys. Empty, it takes a pointer.
class version_queue {
 public:
  version_queue() = default;
  version_queue(const version_queue&) = delete;
  version_queue& operator=(const version_queue&) = delete;
  ~version_queue();

  [[nodiscard]] std::size_t size() const { return block_ == nullptr ? 0 : block_->end - block_->head; }
  [[nodiscard]] const version& operator[](std::size_t i) const { return versions()[block_->head + i]; }
  void push_back(version v);
  void pop_front();
  /// Takes the newest of them back.
  [[nodiscard]] version pop_back();

 private:
  struct block { // the versions follow it
    std::uint32_t head = 0;
    std::uint32_t end = 0;
    std::uint32_t capacity = 0;
  };
  static constexpr std::size_t versions_at =
      (sizeof(block) + alignof(version) - 1) / alignof(version) * alignof(version);
  [[nodiscard]] version* versions() const {
    return reinterpret_cast<version*>(reinterpret_cast<std::byte*>(block_) + versions_at);
  }
  void move_to(std::size_t capacity);
  void release();

  block* block_ = nullptr;
};

/// A key with its versions, numbered from the oldest that is held. It is in the store as long as it has one.
class record {
 public:
  struct destroyer {
    void operator()(record* r) const;
  };
  using owner = std::unique_ptr<record, destroyer>;
  /// The key's bytes lie behind the record: one allocation.
  [[nodiscard]] static owner make(std::string_view key);

  [[nodiscard]] std::string_view key() const { return {reinterpret_cast<const char*>(this + 1), key_size_}; }
  [[nodiscard]] bool live() const { return !newest_.tombstone(); }
  [[nodiscard]] const version& newest() const { return newest_; }
  /// How many versions are held.
  [[nodiscard]] std::size_t size() const { return history_.size() + (newest_.mod ? 1 : 0); }
  [[nodiscard]] const version& operator[](std::size_t i) const { return i == history_.size() ? newest_ : history_[i]; }
  /// How many of them were written at or below the revision.
  [[nodiscard]] std::size_t up_to(revision r) const;
  /// What a read at the revision finds: null where the key did not exist then.
  [[nodiscard]] const version* at(revision r) const {
    if (newest_.mod <= r) [[likely]]
      return live() ? &newest_ : nullptr;
    return older_at(r);
  }
  /// The first version that matters to a reader of revisions from the floor on; size() if none does.
  [[nodiscard]] std::size_t first_readable(revision floor) const;

  /// Makes it the newest version; its revision is above that of the newest so far, which becomes history.
  void push(version v);
  /// Takes the newest version back; the one before it, if there is one, is the newest again.
  void pop_newest();
  /// Drops the oldest version of at least two.
  void pop_oldest() { history_.pop_front(); }

 private:
  explicit record(std::uint32_t key_size)
      : key_size_(key_size) {}
  ~record() = default;
  [[nodiscard]] const version* older_at(revision r) const;

  version newest_; ///< here, for the reads and puts that need no other
  version_queue history_;
  std::uint32_t key_size_;
};

} // namespace quorumd::kv
