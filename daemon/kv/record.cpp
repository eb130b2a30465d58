#include "daemon/kv/record.hpp"

#include "consensus/types/invariant.hpp"

// The header alone: a call for each hash costs more than hashing a key.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace quorumd::kv {

// The hashes go into snapshots: what they are of, and in which order, is part of the format.

std::uint64_t hash_of(std::span<const std::uint64_t> numbers) {
  return XXH3_64bits(numbers.data(), numbers.size_bytes());
}

std::uint64_t version_hash(std::string_view key, const version& v) {
  const std::uint64_t parts[] = {XXH3_64bits(key.data(), key.size()),
                                 XXH3_64bits(v.value.view().data(), v.value.size()),
                                 v.create.value(),
                                 v.mod.value(),
                                 v.sub,
                                 v.number,
                                 v.lease.value()};
  return hash_of(parts);
}

stable_bytes::stable_bytes(std::string_view bytes)
    : size_(bytes.size()) {
  if (bytes.empty()) return;
  data_ = std::make_unique_for_overwrite<char[]>(bytes.size());
  std::memcpy(data_.get(), bytes.data(), bytes.size());
}

void version_queue::push_back(version v) {
  if (versions_.size() == versions_.capacity() && head_ >= versions_.size() - head_) {
    versions_.erase(versions_.begin(), versions_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
  versions_.push_back(std::move(v));
}

void version_queue::pop_front() {
  QUORUMD_INVARIANT(size() > 0, "a version that is dropped from history is in it");
  versions_[head_] = version{};
  if (++head_ < versions_.size()) return;
  // The room of a key that is overwritten now and then is kept; that of a burst goes.
  constexpr std::size_t kept_capacity = 4;
  if (versions_.capacity() > kept_capacity) versions_ = std::vector<version>();
  versions_.clear();
  head_ = 0;
}

std::size_t record::up_to(revision r) const {
  if (newest_.mod <= r) return size();
  std::size_t low = 0;
  for (std::size_t high = history_.size(); low < high;) {
    const std::size_t middle = low + (high - low) / 2;
    if (history_[middle].mod <= r)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

const version* record::older_at(revision r) const {
  const std::size_t n = up_to(r);
  if (n == 0 || history_[n - 1].tombstone()) return nullptr;
  return &history_[n - 1];
}

std::size_t record::first_readable(revision floor) const {
  const std::size_t n = up_to(floor);
  return n == 0 || (*this)[n - 1].tombstone() ? n : n - 1;
}

void record::push(version v) {
  QUORUMD_INVARIANT(newest_.mod < v.mod, "a key changes at most once a revision, and revisions grow");
  if (newest_.mod) history_.push_back(std::move(newest_));
  newest_ = std::move(v);
}

} // namespace quorumd::kv
