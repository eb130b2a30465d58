#pragma once

#include "tests/sim/checkers/change_history.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace quorumd::sim {

/// What a watcher wants to see.
struct watch_wish {
  std::string key;
  std::string end; ///< empty: the one key; one zero byte: all keys from `key` on
  bool no_put = false;
  bool no_delete = false;
  bool prev_kv = false;

  [[nodiscard]] bool wants(const seen_change& c) const;
};

/// One watcher, wherever it watches: it sees each committed change that it wants, in order, once, without gaps; a
/// revision in one piece, or said to be a part of it.
class watch_checker {
 public:
  /// It wants nothing before `from`.
  watch_checker(watch_wish w, history_place from)
      : wish_(std::move(w))
      , next_(from) {}

  /// It got these with one delivery (kv::delivery) of a store that has what was replaced at revisions above
  /// `compacted`.
  [[nodiscard]] complaint delivered(const change_history& h, std::span<const seen_change> got, bool more,
                                    std::uint64_t through, std::uint64_t compacted);
  /// It is said to have everything up to that revision.
  [[nodiscard]] complaint has_all(const change_history& h, std::uint64_t through);
  /// It is told that what it needs next was compacted away; it goes on at the floor.
  [[nodiscard]] complaint cancelled(std::uint64_t floor);

  [[nodiscard]] const watch_wish& wish() const { return wish_; }
  /// It has everything before this.
  [[nodiscard]] history_place next() const { return next_; }

 private:
  watch_wish wish_;
  history_place next_;
};

} // namespace quorumd::sim
