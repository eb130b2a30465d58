#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>

namespace quorumd {

static_assert(std::endian::native == std::endian::little, "everything that is stored or sent is in the host's order");

/// Writes the number at a place of any alignment, little-endian, in as many bytes as its type has.
template <std::integral T>
void store_le(std::byte* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

/// Reads the number at a place of any alignment, little-endian.
template <std::integral T>
[[nodiscard]] T load_le(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

} // namespace quorumd
