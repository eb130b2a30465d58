#pragma once

#include "coro/clock.hpp"
#include "daemon/kv/watch_hub.hpp"

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace quorumd::node {

/// A client's stream of watches, as the group knows it. On the group's loop.
class watch_client : public kv::watch_sink {
 public:
  /// The time came that it had asked for by watches::wake_at().
  virtual void time_came(coro::time_point now) = 0;
  /// It needs a leader (watches::need_leader), and there has been none for long (group::leaderless).
  virtual void leader_lost() = 0;
  /// This node's state counts for nothing (group::corrupt): it gets no more.
  virtual void state_lost() = 0;

 private:
  friend class watches;
  static constexpr std::size_t nowhere = static_cast<std::size_t>(-1);
  std::size_t place_ = nowhere; ///< among all
};

/// Who watches the state of a group, and when they are to be woken. Belongs to the group's loop.
class watches {
 public:
  /// `hub` brings the changes.
  explicit watches(kv::watch_hub& hub)
      : hub_(hub) {}

  [[nodiscard]] kv::watch_hub& hub() { return hub_; }
  /// It comes, and stays until forget().
  void add(watch_client& c);
  /// In place of what it had asked for before; time_point::max(): not at all. Woken, it asks for a later time only.
  void wake_at(watch_client& c, coro::time_point at);
  void need_leader(watch_client& c) { need_leader_.push_back(&c); }
  /// It goes.
  void forget(watch_client& c);

  /// When the next one is to be woken.
  [[nodiscard]] coro::time_point due() const {
    return due_.empty() ? coro::time_point::max() : due_.begin()->first.first;
  }
  /// Wakes those whose time came.
  void keep_time(coro::time_point now);
  void leader_lost();
  void state_lost();

 private:
  kv::watch_hub& hub_;
  std::vector<watch_client*> all_;
  /// Those of the same time in the order in which they asked.
  using place = std::pair<coro::time_point, std::uint64_t>;
  std::map<place, watch_client*> due_;
  absl::flat_hash_map<watch_client*, place> asked_;
  std::uint64_t times_asked_ = 0;
  std::vector<watch_client*> need_leader_;
};

} // namespace quorumd::node
