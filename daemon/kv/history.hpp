#pragma once

#include "daemon/kv/event.hpp"
#include "daemon/kv/store.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace quorumd::kv {

/// What it takes in a delivery.
[[nodiscard]] inline std::size_t event_bytes(const event& e, bool with_prev) {
  return item_bytes(e.kv) + (with_prev && e.prev ? item_bytes(*e.prev) : 0);
}

/// The changes that a store knows, in their order, numbered from 0: all from floor() to current(), and perhaps some
/// before. Nothing of what is half made. Ends, with all its views, at the store's next begin, proceed or compact_step.
class history {
 public:
  explicit history(const store& s);

  [[nodiscard]] revision floor() const { return store_.history_floor(); }
  [[nodiscard]] revision current() const { return store_.current(); }
  [[nodiscard]] std::size_t size() const { return size_; }
  /// The first change at the place or behind it.
  [[nodiscard]] std::size_t find(change_place p) const;
  [[nodiscard]] change_place place(std::size_t i) const;
  [[nodiscard]] revision at(std::size_t i) const { return store_.changes_[i].at; }
  [[nodiscard]] std::string_view key(std::size_t i) const { return store_.changes_[i].of->key(); }
  [[nodiscard]] event operator[](std::size_t i) const;
  /// The first change of that key at the revision or later, without looking at those of other keys.
  [[nodiscard]] std::optional<event> next_of(std::string_view key, revision from) const;

 private:
  [[nodiscard]] event event_of(const record& r, std::size_t version) const;

  const store& store_;
  std::size_t size_;
};

} // namespace quorumd::kv
