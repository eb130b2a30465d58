#pragma once

#include "daemon/kv/record.hpp"

#include <absl/container/flat_hash_set.h>

#include <array>
#include <cstddef>
#include <functional>
#include <string_view>

namespace quorumd::kv {

/// Records by the hash of their keys, for single keys: two cache misses instead of one for each level of the tree.
/// Never iterated, since its order differs between processes. Made of many small tables, so that no insert waits until
/// a table of millions has grown.
class key_index {
 public:
  /// The record of the key; null if there is none.
  [[nodiscard]] record* find(std::string_view key) const {
    const std::size_t hash = hash_of(key);
    const table& t = tables_[place(hash)];
    const auto at = t.find(lookup{hash, key});
    return at == t.end() ? nullptr : *at;
  }
  /// Adds a record whose key is not there.
  void insert(record& r) { tables_[place(hash_of(r.key()))].insert(&r); }
  void erase(const record& r) {
    const std::size_t hash = hash_of(r.key());
    table& t = tables_[place(hash)];
    t.erase(t.find(lookup{hash, r.key()}));
  }

 private:
  static constexpr std::size_t table_bits = 8;

  struct lookup {
    std::size_t hash;
    std::string_view key;
  };
  [[nodiscard]] static std::size_t hash_of(std::string_view key) { return std::hash<std::string_view>{}(key); }
  [[nodiscard]] static std::size_t place(std::size_t hash) { return hash >> (8 * sizeof hash - table_bits); }
  struct hasher {
    using is_transparent = void;
    std::size_t operator()(const record* r) const { return hash_of(r->key()); }
    std::size_t operator()(const lookup& l) const { return l.hash; }
  };
  struct equal {
    using is_transparent = void;
    bool operator()(const record* a, const record* b) const { return a == b; }
    bool operator()(const record* a, const lookup& b) const { return a->key() == b.key; }
    bool operator()(const lookup& a, const record* b) const { return b->key() == a.key; }
  };
  using table = absl::flat_hash_set<record*, hasher, equal>;

  std::array<table, std::size_t{1} << table_bits> tables_;
};

} // namespace quorumd::kv
