#pragma once

#include <atomic>
#include <cstddef>

namespace quorumd::clients {

/// Bytes that all clients hold of one kind, and their bound. Each client may hold as much as is left over, up to a
/// bound of its own: few may hold much, and many leave some for the next. From any loop.
class shared_pool {
 public:
  explicit shared_pool(std::size_t bytes_max)
      : max_(bytes_max) {}

  void take(std::size_t bytes) { held_.fetch_add(bytes, std::memory_order_relaxed); }
  void give(std::size_t bytes) { held_.fetch_sub(bytes, std::memory_order_relaxed); }
  [[nodiscard]] std::size_t held() const { return held_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t left() const {
    const std::size_t now = held();
    return now < max_ ? max_ - now : 0;
  }
  /// Whoever holds much and takes nothing is in the others' way now.
  [[nodiscard]] bool nearly_full() const { return held() > max_ - max_ / 8; }

 private:
  const std::size_t max_;
  std::atomic<std::size_t> held_{0};
};

/// What the requests under way and the replies not yet taken of all clients hold: half of the bound is for each, so
/// that requests which wait for something keep nobody's reply from being made. What clients watch has a bound of its
/// own, since it stays.
struct shared_memory {
  shared_memory(std::size_t bytes_max, std::size_t watches_max)
      : requests(bytes_max / 2)
      , replies(bytes_max - bytes_max / 2)
      , watches(watches_max) {}
  [[nodiscard]] std::size_t held() const { return requests.held() + replies.held(); }

  shared_pool requests;
  shared_pool replies;
  shared_pool watches;
};

} // namespace quorumd::clients
