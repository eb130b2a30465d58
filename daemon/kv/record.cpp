#include "daemon/kv/record.hpp"

#include "consensus/types/invariant.hpp"

// The header alone: a call for each hash costs more than hashing a key.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
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
    : size_(static_cast<std::uint32_t>(bytes.size())) {
  QUORUMD_INVARIANT(bytes.size() == size_, "a value is smaller than 4 GiB");
  if (bytes.empty()) return;
  data_ = std::make_unique_for_overwrite<char[]>(bytes.size());
  std::memcpy(data_.get(), bytes.data(), bytes.size());
}

version_queue::~version_queue() {
  release();
}

void version_queue::release() {
  if (block_ == nullptr) return;
  std::destroy(versions() + block_->head, versions() + block_->end);
  ::operator delete(block_);
  block_ = nullptr;
}

/// A block of that many versions, which begins with those that are held.
void version_queue::move_to(std::size_t capacity) {
  const std::size_t held = size();
  auto* memory = static_cast<std::byte*>(::operator new(versions_at + capacity * sizeof(version)));
  if (held != 0)
    std::uninitialized_move_n(versions() + block_->head, held, reinterpret_cast<version*>(memory + versions_at));
  release();
  block_ = new (memory) block{0, static_cast<std::uint32_t>(held), static_cast<std::uint32_t>(capacity)};
}

void version_queue::push_back(version v) {
  if (block_ == nullptr)
    move_to(1);
  else if (block_->end == block_->capacity)
    move_to(block_->head >= size() && block_->head != 0 ? block_->capacity : std::size_t{block_->capacity} * 2);
  new (versions() + block_->end++) version(std::move(v));
}

void version_queue::pop_front() {
  QUORUMD_INVARIANT(size() > 0, "a version that is dropped from history is in it");
  std::destroy_at(versions() + block_->head++);
  if (size() != 0) return;
  // The room of a key that is overwritten now and then is kept; that of a burst goes.
  constexpr std::uint32_t kept_capacity = 2;
  if (block_->capacity > kept_capacity)
    release();
  else
    block_->head = block_->end = 0;
}

version version_queue::pop_back() {
  QUORUMD_INVARIANT(size() > 0, "a version that is taken back from history is in it");
  version* last = versions() + --block_->end;
  version v = std::move(*last);
  std::destroy_at(last);
  if (size() == 0) release();
  return v;
}

record::owner record::make(std::string_view key) {
  QUORUMD_INVARIANT(key.size() <= UINT32_MAX, "a key is smaller than 4 GiB");
  auto* memory = static_cast<std::byte*>(::operator new(sizeof(record) + key.size()));
  owner r(new (memory) record(static_cast<std::uint32_t>(key.size())));
  std::memcpy(memory + sizeof(record), key.data(), key.size());
  return r;
}

void record::destroyer::operator()(record* r) const {
  r->~record();
  ::operator delete(r);
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

void record::pop_newest() {
  newest_ = history_.size() == 0 ? version() : history_.pop_back();
}

} // namespace quorumd::kv
