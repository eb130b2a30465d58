#pragma once

#include "consensus/types/chunk.hpp"

#include <cstddef>
#include <span>

namespace quorumd::wire {

/// Bytes that keep their chunk alive.
struct shared_bytes {
  chunk_ref chunk;
  std::span<const std::byte> bytes;
};

} // namespace quorumd::wire
