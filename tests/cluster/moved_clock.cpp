#include "tests/cluster/moved_clock.hpp"

#include "tests/cluster/shim/clock.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <stdexcept>

namespace quorumd::testing {
namespace {

std::int64_t monotonic_ns() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

} // namespace

moved_clock::moved_clock(const std::string& file) {
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool sized = fd >= 0 && ::ftruncate(fd, sizeof(shim::clock_state)) == 0; // all zero: the machine's clocks
  void* at = sized ? ::mmap(nullptr, sizeof(shim::clock_state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
  if (fd >= 0) ::close(fd);
  if (at == MAP_FAILED) throw std::runtime_error("cannot map " + file);
  state_ = static_cast<shim::clock_state*>(at);
}

moved_clock::~moved_clock() {
  ::munmap(state_, sizeof(shim::clock_state));
}

void moved_clock::set_wall(std::chrono::seconds ahead) {
  state_->wall_ahead_ns = std::chrono::nanoseconds(ahead).count();
}

void moved_clock::stop() {
  const std::int64_t behind = state_->behind_ns;
  if (behind >= 0) state_->behind_ns = -(monotonic_ns() - behind);
}

void moved_clock::go_on() {
  const std::int64_t stood_at = -state_->behind_ns;
  if (stood_at > 0) state_->behind_ns = monotonic_ns() - stood_at;
}

std::uint64_t moved_clock::readings() const {
  return state_->readings;
}

#ifdef QUORUMD_CLOCK_SHIM
std::vector<std::string> moved_clock::environment(const std::string& file) {
  return {std::string("LD_PRELOAD=") + QUORUMD_CLOCK_SHIM, std::string(shim::variable_clock) + "=" + file};
}
#endif

} // namespace quorumd::testing
