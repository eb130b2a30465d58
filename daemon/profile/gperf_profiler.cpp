#include "daemon/profile/gperf_profiler.hpp"

#if QUORUMD_GPERFTOOLS
#include <gperftools/heap-profiler.h>
#include <gperftools/malloc_extension.h>
#include <gperftools/profiler.h>
#endif

#include <boost/system/system_error.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace quorumd::profile {
namespace {

using outcome = clients::profiler::outcome;

constexpr std::chrono::milliseconds look_every{50};

outcome failed(const char* what) {
  return {.error = what, .note = {}, .bytes = {}};
}

#if QUORUMD_GPERFTOOLS

/// A file without a name, to which the CPU profiler can write by a path.
class memory_file {
 public:
  memory_file()
      : fd_(::memfd_create("quorumd-profile", MFD_CLOEXEC)) {}
  memory_file(const memory_file&) = delete;
  memory_file& operator=(const memory_file&) = delete;
  ~memory_file() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] bool good() const { return fd_ >= 0; }
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }
  /// What was written, or more than a profile may have.
  [[nodiscard]] std::string read() const {
    std::string out(client::profile_bytes_max + 1, '\0');
    std::size_t n = 0;
    while (n < out.size()) {
      const ssize_t got = ::pread(fd_, out.data() + n, out.size() - n, static_cast<off_t>(n));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      n += static_cast<std::size_t>(got);
    }
    out.resize(n);
    return out;
  }

 private:
  int fd_;
};

class cpu_watch {
 public:
  cpu_watch()
      : begun_(file_.good() && ProfilerStart(file_.path().c_str()) != 0) {}
  cpu_watch(const cpu_watch&) = delete;
  cpu_watch& operator=(const cpu_watch&) = delete;
  ~cpu_watch() {
    if (begun_) ProfilerStop();
  }
  outcome end() {
    if (!begun_) return failed("the CPU profiler cannot be started: the environment may have started it (CPUPROFILE)");
    ProfilerStop();
    begun_ = false;
    return {.error = {}, .note = "samples of where the process spent its CPU, 100 a second", .bytes = file_.read()};
  }

 private:
  memory_file file_;
  bool begun_;
};

/// With TCMALLOC_SAMPLE_PARAMETER in the daemon's environment, what lives now, by samples taken since the start; else
/// what is allocated while this object lives, each allocation of it.
class heap_watch {
 public:
  heap_watch() {
    std::size_t period = 0;
    sampled_ =
        MallocExtension::instance()->GetNumericProperty("tcmalloc.sampling_period_bytes", &period) && period != 0;
    if (sampled_) return;
    if (IsHeapProfilerRunning() != 0) return;
    HeapProfilerStart("/dev/null/quorumd"); // where no file can be: it writes some by itself when much is allocated
    begun_ = true;
  }
  heap_watch(const heap_watch&) = delete;
  heap_watch& operator=(const heap_watch&) = delete;
  ~heap_watch() {
    if (begun_) HeapProfilerStop();
  }
  outcome end() {
    if (sampled_) {
      std::string bytes;
      MallocExtension::instance()->GetHeapSample(&bytes);
      return {.error = {}, .note = "what lives on the heap now, by samples since the start", .bytes = std::move(bytes)};
    }
    if (!begun_) return failed("the heap profiler runs already: the environment may have started it (HEAPPROFILE)");
    char* const text = GetHeapProfile();
    HeapProfilerStop();
    begun_ = false;
    outcome o{.error = {},
              .note = "what was allocated in this time, and what of it lives. To see the whole heap, start the daemon "
                      "with TCMALLOC_SAMPLE_PARAMETER=524288 in its environment",
              .bytes = text == nullptr ? "" : text};
    std::free(text);
    return o;
  }

 private:
  bool sampled_ = false;
  bool begun_ = false;
};

constexpr bool built_in = true;

#else

/// What a sanitizer's build has in their place: nothing begins.
struct no_watch {
  outcome end() const { return failed("this build has no profiler"); }
};
using cpu_watch = no_watch;
using heap_watch = no_watch;
constexpr bool built_in = false;

#endif

} // namespace

std::optional<std::string> gperf_profiler::begin(const void* who, client::profile_request what, coro::loop& back,
                                                 receiver done) {
  if (!built_in) return "this build has no profiler: it was made with a sanitizer";
  if (what.length.count() < 1 || what.length > length_max)
    return "a profile takes 1 to " + std::to_string(length_max.count()) + " seconds";
  const void* nobody = nullptr;
  if (!who_.compare_exchange_strong(nobody, who)) return "another profile is being taken: one at a time";
  over_.store(false);
  home_.post(
      [this, what, &back, done = std::move(done)]() mutable { tasks_.spawn(run(what, &back, std::move(done))); });
  return std::nullopt;
}

void gperf_profiler::cancel(const void* who) {
  if (who_.load() == who) over_.store(true);
}

coro::task<void> gperf_profiler::stop() {
  over_.store(true);
  co_await tasks_.join();
}

coro::task<void> gperf_profiler::run(client::profile_request what, coro::loop* back, receiver done) {
  outcome o;
  {
    std::optional<cpu_watch> cpu;
    std::optional<heap_watch> heap;
    if (what.kind == client::profile_kind::cpu)
      cpu.emplace();
    else
      heap.emplace();
    const coro::time_point until = home_.now() + what.length;
    while (!over_.load() && home_.now() < until) {
      const coro::duration left = until - home_.now();
      co_await home_.timers().sleep_for(std::min<coro::duration>(left, look_every));
    }
    o = cpu ? cpu->end() : heap->end();
  }
  if (o.error.empty() && o.bytes.size() > client::profile_bytes_max)
    o = failed("the profile is larger than a reply may be: take a shorter one");
  who_.store(nullptr);
  back->post([done = std::move(done), o = std::move(o)] { done(o); });
  co_return;
}

} // namespace quorumd::profile
