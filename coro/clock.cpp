#include "coro/clock.hpp"

#include <time.h>

namespace quorumd::coro {

std::uint64_t steady_clock::boot_us() const {
  timespec t{};
  ::clock_gettime(CLOCK_BOOTTIME, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(t.tv_nsec) / 1000;
}

} // namespace quorumd::coro
