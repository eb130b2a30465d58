// LD_PRELOAD: the clocks that a process reads are not the machine's, but what CLOCK_SHIM_FILE (clock.hpp) makes of
// them. How long the kernel sleeps for it is not changed.
#include "tests/cluster/shim/clock.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

namespace {

namespace shim = quorumd::testing::shim;
constexpr std::int64_t second_ns = 1'000'000'000;

shim::clock_state* map_state() {
  const char* path = std::getenv(shim::variable_clock);
  if (path == nullptr) return nullptr;
  const int fd = ::open(path, O_RDWR | O_CLOEXEC);
  void* at =
      fd < 0 ? MAP_FAILED : ::mmap(nullptr, sizeof(shim::clock_state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) std::abort(); // the test would prove nothing
  ::close(fd);
  return static_cast<shim::clock_state*>(at);
}

shim::clock_state* state() {
  static shim::clock_state* const only = map_state();
  return only;
}

std::int64_t real_ns(clockid_t id) {
  timespec t{};
  if (::syscall(SYS_clock_gettime, id, &t) != 0) std::abort();
  return t.tv_sec * second_ns + t.tv_nsec;
}

bool is_wall(clockid_t id) {
  return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE || id == CLOCK_TAI;
}

bool is_steady(clockid_t id) {
  return id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_RAW || id == CLOCK_MONOTONIC_COARSE || id == CLOCK_BOOTTIME;
}

std::int64_t moved_ns(clockid_t id) {
  shim::clock_state& s = *state();
  s.readings.fetch_add(1, std::memory_order_relaxed);
  if (is_wall(id)) return real_ns(id) + s.wall_ahead_ns.load(std::memory_order_relaxed);
  // Before the clock is read, so that it does not go back when the clocks go on.
  const std::int64_t behind = s.behind_ns.load(std::memory_order_acquire);
  if (behind >= 0) return real_ns(id) - behind;
  return real_ns(id) - (real_ns(CLOCK_MONOTONIC) + behind);
}

} // namespace

extern "C" {

__attribute__((visibility("default"))) int clock_gettime(clockid_t id, timespec* t) noexcept {
  if (state() == nullptr || (!is_wall(id) && !is_steady(id)))
    return static_cast<int>(::syscall(SYS_clock_gettime, id, t));
  const std::int64_t now = moved_ns(id);
  t->tv_sec = now / second_ns;
  t->tv_nsec = now % second_ns;
  return 0;
}
__attribute__((visibility("default"))) int gettimeofday(timeval* t, void* /*zone*/) noexcept {
  timespec now{};
  const int result = clock_gettime(CLOCK_REALTIME, &now);
  *t = {now.tv_sec, now.tv_nsec / 1000};
  return result;
}
__attribute__((visibility("default"))) time_t time(time_t* t) noexcept {
  timespec now{};
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  if (t != nullptr) *t = now.tv_sec;
  return now.tv_sec;
}

} // extern "C"
