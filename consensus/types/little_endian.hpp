#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <vector>

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

/// Adds the number to the end, likewise.
template <std::integral T>
void append_le(std::vector<std::byte>& out, T value) {
  out.resize(out.size() + sizeof value);
  store_le(out.data() + out.size() - sizeof value, value);
}

} // namespace quorumd
