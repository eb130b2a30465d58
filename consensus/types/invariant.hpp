#pragma once

#include <cstdio>
#include <cstdlib>

namespace quorumd {

/// Ends the process: a promise that the code makes to itself is broken, and going on could lose data.
[[noreturn]] inline void invariant_broken(const char* condition, const char* meaning, const char* file, int line) {
  std::fprintf(stderr, "quorumd: broken invariant: %s (%s) at %s:%d\n", meaning, condition, file, line);
  std::fflush(stderr);
  std::abort();
}

} // namespace quorumd

/// Checked in every build, release too. The meaning says which invariant in words.
#define QUORUMD_INVARIANT(condition, meaning)                                                                          \
  do {                                                                                                                 \
    if (!(condition)) [[unlikely]]                                                                                     \
      ::quorumd::invariant_broken(#condition, meaning, __FILE__, __LINE__);                                            \
  } while (false)
