#include "daemon/kv/record.hpp"

#include "consensus/types/invariant.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace quorumd::kv {
namespace {

// Odd constants with balanced bits, from the digits of pi.
constexpr std::uint64_t salt_a = 0x243f6a8885a308d3;
constexpr std::uint64_t salt_b = 0x13198a2e03707345;
constexpr std::uint64_t salt_c = 0xa4093822299f31d1;

/// The two halves of a 128-bit product folded together: every input bit reaches every output bit.
std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t load(const char* p) {
  std::uint64_t v; // little-endian, as every host that quorumd builds for (entry.cpp asserts it)
  std::memcpy(&v, p, sizeof v);
  return v;
}

std::uint64_t hash_bytes(std::uint64_t hash, std::string_view bytes) {
  const char* p = bytes.data();
  std::size_t left = bytes.size();
  for (; left > 16; left -= 16, p += 16) hash = fold(load(p) ^ salt_a, load(p + 8) ^ hash);
  char tail[16] = {};
  if (left != 0) std::memcpy(tail, p, left);
  hash = fold(load(tail) ^ salt_a, load(tail + 8) ^ hash);
  return mix(hash, bytes.size());
}

} // namespace

std::uint64_t mix(std::uint64_t hash, std::uint64_t number) {
  return fold(hash ^ salt_b, number ^ salt_c);
}

std::uint64_t version_hash(std::string_view key, const version& v) {
  std::uint64_t hash = hash_bytes(salt_c, key);
  hash = hash_bytes(hash, v.value.view());
  hash = mix(hash, v.create.value());
  hash = mix(hash, v.mod.value());
  hash = mix(hash, v.sub);
  hash = mix(hash, v.number);
  return mix(hash, v.lease.value());
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
