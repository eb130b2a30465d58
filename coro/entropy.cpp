#include "coro/entropy.hpp"

#include <sys/random.h>

#include <cerrno>
#include <system_error>

namespace quorumd::coro {

std::uint64_t system_entropy::next() {
  std::uint64_t value = 0;
  ssize_t got = 0;
  do got = ::getrandom(&value, sizeof value, 0);
  while (got < 0 && errno == EINTR);
  if (got != sizeof value) throw std::system_error(errno, std::generic_category(), "getrandom");
  return value;
}

} // namespace quorumd::coro
