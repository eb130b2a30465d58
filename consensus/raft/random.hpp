#pragma once

#include <cstdint>

namespace quorumd::raft {

/// The core's own random numbers (splitmix64): the same seed gives the same sequence on every machine.
class random_source {
 public:
  explicit random_source(std::uint64_t seed)
      : state_(seed) {}

  /// Uniform in [0, bound); bound is not 0.
  [[nodiscard]] std::uint32_t below(std::uint32_t bound) {
    return static_cast<std::uint32_t>(((next() >> 32) * std::uint64_t{bound}) >> 32);
  }

 private:
  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15ull;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }

  std::uint64_t state_;
};

} // namespace quorumd::raft
