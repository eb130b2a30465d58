#pragma once

#include "coro/clock.hpp"
#include "coro/entropy.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <span>

namespace quorumd::sim {

/// A step of splitmix64: also how names and numbers are mixed into a seed.
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31U);
}

/// The run's only source of chance: xoshiro256**, seeded by splitmix64. The same seed gives the same numbers on every
/// machine.
class prng {
 public:
  explicit prng(std::uint64_t seed) {
    for (std::uint64_t& s : state_) s = seed = mix(seed);
  }
  /// An independent sequence: what one part draws does not move another's.
  [[nodiscard]] prng fork(std::uint64_t label) const { return prng(mix(state_[0] ^ mix(label))); }

  std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17U;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }
  /// 0 to n-1, for n above 0; the bias of the remainder does not matter here.
  std::uint64_t below(std::uint64_t n) { return next() % n; }
  /// Both ends included.
  std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + below(high - low + 1); }
  coro::duration between(coro::duration low, coro::duration high) {
    return coro::duration(static_cast<coro::duration::rep>(
        between(static_cast<std::uint64_t>(low.count()), static_cast<std::uint64_t>(high.count()))));
  }
  bool per_mille(std::uint64_t chance) { return below(1000) < chance; }
  bool coin() { return (next() & 1U) != 0; }
  template <class T, std::size_t N>
  const T& pick(const std::array<T, N>& from) {
    return from[below(N)];
  }

 private:
  std::array<std::uint64_t, 4> state_{};
};

/// A node's randomness, drawn from the run's seed.
class sim_entropy final : public coro::entropy {
 public:
  explicit sim_entropy(prng p)
      : prng_(p) {}
  std::uint64_t next() override { return prng_.next(); }

 private:
  prng prng_;
};

} // namespace quorumd::sim
