#pragma once

#include "consensus/types/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quorumd::kv {

/// Bytes that never move once copied: what key and value views point to. Empty bytes take no memory.
class stable_bytes {
public:
  stable_bytes() = default;
  explicit stable_bytes(std::string_view bytes);

  [[nodiscard]] std::string_view view() const { return {data_.get(), size_}; }

private:
  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0;
};

/// One version of a key; a tombstone has version 0.
struct version {
  stable_bytes value;
  revision create;
  revision mod;
  std::uint64_t number = 0; ///< the client's "version": 1 at creation
  lease_id lease;
  std::uint64_t hash = 0; ///< of the key and all of the above: see version_hash
  std::uint32_t sub = 0;  ///< the place of the change within its revision

  [[nodiscard]] bool tombstone() const { return number == 0; }
};

/// The same on every machine and in every process; strong enough that a sum of these tells two histories apart.
[[nodiscard]] std::uint64_t version_hash(std::string_view key, const version& v);
/// Mixes one number into a hash.
[[nodiscard]] std::uint64_t mix(std::uint64_t hash, std::uint64_t number);

/// Older versions of a key, oldest first: pushed at the back, dropped from the front, each in amortised O(1), so that
/// a single key holding the whole of history costs no more than many keys.
class version_queue {
public:
  [[nodiscard]] bool empty() const { return head_ == versions_.size(); }
  [[nodiscard]] std::size_t size() const { return versions_.size() - head_; }
  [[nodiscard]] const version& operator[](std::size_t i) const { return versions_[head_ + i]; }
  [[nodiscard]] const version& front() const { return versions_[head_]; }
  [[nodiscard]] const version& back() const { return versions_.back(); }
  void push_back(version v);
  void pop_front();

  [[nodiscard]] auto begin() const { return versions_.begin() + static_cast<std::ptrdiff_t>(head_); }
  [[nodiscard]] auto end() const { return versions_.end(); }

private:
  std::vector<version> versions_;
  std::size_t head_ = 0;
};

/// A key with its versions. It is in the store as long as it has one.
class record {
public:
  explicit record(std::string_view key) : key_(key) {}

  [[nodiscard]] std::string_view key() const { return key_.view(); }
  [[nodiscard]] const version& newest() const { return newest_; }
  [[nodiscard]] const version_queue& history() const { return history_; }
  [[nodiscard]] bool live() const { return !newest_.tombstone(); }
  /// Whether no version was pushed yet.
  [[nodiscard]] bool fresh() const { return newest_.mod.value() == 0; }
  /// The newest version at or below the revision, which may be a tombstone; null if there is none.
  [[nodiscard]] const version* at(revision r) const;

  /// Makes it the newest version; its revision is above that of the newest so far, which becomes history.
  void push(version v);
  /// Drops the oldest version of history, of which there is one.
  void pop_oldest() { history_.pop_front(); }

private:
  stable_bytes key_;
  version newest_;
  version_queue history_;
};

} // namespace quorumd::kv
