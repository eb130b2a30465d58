#include "daemon/profile/free_memory.hpp"

#if QUORUMD_GPERFTOOLS
#include <gperftools/malloc_extension.h>
#endif

#include <chrono>
#include <cstddef>

namespace quorumd::profile {
namespace {

constexpr auto pause = std::chrono::milliseconds(250);

#if QUORUMD_GPERFTOOLS
constexpr std::size_t kept_bytes = std::size_t{32} << 20;
constexpr std::size_t step_bytes = std::size_t{4}
                                   << 20; // other threads wait for the heap meanwhile: a fraction of a ms

/// Whether there is more to give back.
bool give_back_some() {
  std::size_t free_bytes = 0;
  MallocExtension* const heap = MallocExtension::instance();
  if (!heap->GetNumericProperty("tcmalloc.pageheap_free_bytes", &free_bytes)) return false;
  if (free_bytes <= kept_bytes) return false;
  heap->ReleaseToSystem(step_bytes);
  return true;
}
#else
bool give_back_some() {
  return false;
}
#endif

} // namespace

coro::task<void> run_freeing_memory(coro::loop* home) {
  for (;;) {
    // A burst of 256 MiB is given back within a few seconds; an idle process looks once a second.
    const bool more = give_back_some();
    co_await home->timers().sleep_for(more ? pause / 4 : pause * 4);
  }
}

} // namespace quorumd::profile
