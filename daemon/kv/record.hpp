#pragma once

#include "consensus/types/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace quorumd::kv {

/// Bytes that never move once copied: what key and value views point to. Empty bytes take no memory.
class stable_bytes {
 public:
  stable_bytes() = default;
  explicit stable_bytes(std::string_view bytes);

  [[nodiscard]] std::string_view view() const { return {data_.get(), size_}; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0;
};

/// One version of a key; a tombstone has version 0.
struct version {
  stable_bytes value;
  revision create;
  revision mod;
  std::uint64_t number = 0; ///< what clients call the version: 1 at creation
  lease_id lease;
  std::uint64_t hash = 0; ///< of the key and all the other members: see version_hash
  std::uint32_t sub = 0;  ///< the place of the change within its revision

  [[nodiscard]] bool tombstone() const { return number == 0; }
};

/// The same on every machine and in every process (XXH3); strong enough that a sum of these tells two histories apart.
[[nodiscard]] std::uint64_t version_hash(std::string_view key, const version& v);
/// XXH3 of the numbers, each as eight bytes.
[[nodiscard]] std::uint64_t hash_of(std::span<const std::uint64_t> numbers);

/// Older versions of a key, oldest first: pushed at the back, dropped from the front, each in amortised O(1), so that
/// a single key holding the whole of history costs no more than many keys.
class version_queue {
 public:
  [[nodiscard]] std::size_t size() const { return versions_.size() - head_; }
  [[nodiscard]] const version& operator[](std::size_t i) const { return versions_[head_ + i]; }
  void push_back(version v);
  void pop_front();

 private:
  std::vector<version> versions_;
  std::size_t head_ = 0;
};

/// A key with its versions, numbered from the oldest that is held. It is in the store as long as it has one.
class record {
 public:
  explicit record(std::string_view key)
      : key_(key) {}

  [[nodiscard]] std::string_view key() const { return key_.view(); }
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
  /// Drops the oldest version of at least two.
  void pop_oldest() { history_.pop_front(); }

 private:
  [[nodiscard]] const version* older_at(revision r) const;

  stable_bytes key_;
  version newest_; ///< beside the key, for the reads and puts that need no other
  version_queue history_;
};

} // namespace quorumd::kv
