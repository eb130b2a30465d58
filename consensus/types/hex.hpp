#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

namespace quorumd {

/// The 16 digits that numbers of clusters, nodes, incarnations and files are written in.
[[nodiscard]] inline std::string hex64(std::uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

} // namespace quorumd
