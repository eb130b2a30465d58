#pragma once

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <functional>
#include <string_view>

namespace quorumd::kv {

/// The range_end of every key from the first on.
inline constexpr std::string_view no_end{"\0", 1};

/// Whether the key lies below the range_end.
[[nodiscard]] inline bool below(std::string_view key, std::string_view range_end) {
  return range_end == no_end || key < range_end;
}

/// A set of keys, made of ranges; holds views of their ends.
class key_ranges {
 public:
  void add(std::string_view key, std::string_view range_end);
  [[nodiscard]] bool contains(std::string_view key) const;

  [[nodiscard]] auto begin() const { return ranges_.begin(); }
  [[nodiscard]] auto end() const { return ranges_.end(); }

 private:
  absl::btree_map<std::string_view, std::string_view, std::less<>> ranges_; ///< first key to range_end, disjoint
};

/// The keys that operations put and delete, of which no key may be put twice, or both put and deleted. Holds views of
/// the operations' keys.
class key_changes {
 public:
  /// Adds a put or a deletion; false, and of no further use, if it meets another change that it may not meet.
  [[nodiscard]] bool put(std::string_view key);
  [[nodiscard]] bool erase(std::string_view key, std::string_view range_end);

  [[nodiscard]] bool conflicts(const key_changes& other) const;
  void merge(const key_changes& other);

 private:
  [[nodiscard]] bool erases(std::string_view key) const {
    return erased_.contains(key) || erased_ranges_.contains(key);
  }
  [[nodiscard]] bool puts_within(std::string_view key, std::string_view range_end) const;

  absl::btree_set<std::string_view, std::less<>> put_;
  absl::btree_set<std::string_view, std::less<>> erased_;
  key_ranges erased_ranges_;
};

} // namespace quorumd::kv
