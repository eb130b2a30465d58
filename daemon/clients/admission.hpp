#pragma once

#include <atomic>
#include <cstddef>

namespace quorumd::clients {

/// How many requests of all clients may be under way on this node; a few more where it is health or status that is
/// asked for, which show what is wrong when nothing else is served. From any loop.
class admission {
 public:
  explicit admission(std::size_t requests_max)
      : max_(requests_max) {}
  static constexpr std::size_t urgent_more = 64;

  /// One more, if there is room.
  [[nodiscard]] bool enter(bool urgent = false) {
    if (count_.fetch_add(1, std::memory_order_relaxed) < max_ + (urgent ? urgent_more : 0)) return true;
    leave(1);
    return false;
  }
  void leave(std::size_t n) { count_.fetch_sub(n, std::memory_order_relaxed); }
  [[nodiscard]] std::size_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  const std::size_t max_;
  std::atomic<std::size_t> count_{0};
};

} // namespace quorumd::clients
