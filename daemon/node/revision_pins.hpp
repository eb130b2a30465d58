#pragma once

#include "coro/clock.hpp"
#include "daemon/kv/store.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace quorumd::node {

struct revision_pin_options {
  std::size_t pins_max = 64; ///< revisions at a time
  /// How much the history of a node may grow for the sake of one pin; beyond it the pin is given up.
  std::uint64_t history_bytes_max = std::uint64_t{512} * 1024 * 1024;
  coro::duration keep_max = std::chrono::seconds(60); ///< after the last read
};

/// The revisions that this node keeps readable for whoever reads them page by page, though the cluster compacts them
/// meanwhile. Each read renews its revision's pin; what is not renewed in time, or costs too much memory, is given up.
/// Belongs to the group's loop.
class revision_pins {
 public:
  explicit revision_pins(revision_pin_options o)
      : options_(o) {}

  /// Keeps the revision until then. If it can't be read, or there is no room for one more, nothing happens.
  void keep(kv::store& s, revision r, coro::time_point now, coro::duration how_long);
  [[nodiscard]] bool holds(revision r) const;
  /// Gives up what is due.
  void expire(kv::store& s, coro::time_point now);
  /// Gives up all: before the store ends.
  void clear(kv::store& s);
  [[nodiscard]] std::size_t size() const { return pins_.size(); }

 private:
  struct pin {
    revision at;
    coro::time_point until;
    std::uint64_t history_bytes = 0; ///< when it began
  };
  revision_pin_options options_;
  std::vector<pin> pins_;
};

} // namespace quorumd::node
