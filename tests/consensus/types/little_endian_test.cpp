#include "consensus/types/little_endian.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>

using namespace quorumd;

// Numbers of every width are stored with their lowest byte first, at odd places too, and read back.
TEST_CASE("numbers are stored with the lowest byte first") {
  std::array<std::byte, 16> bytes{};
  store_le<std::uint16_t>(bytes.data() + 1, 0x0201);
  store_le<std::uint32_t>(bytes.data() + 3, 0x06050403);
  store_le<std::uint64_t>(bytes.data() + 7, 0x0e0d0c0b0a090807);
  for (std::size_t i = 0; i < 15; ++i) CHECK(bytes[i] == std::byte{static_cast<unsigned char>(i)});
  CHECK(bytes[15] == std::byte{0});
  CHECK(load_le<std::uint16_t>(bytes.data() + 1) == 0x0201);
  CHECK(load_le<std::uint32_t>(bytes.data() + 3) == 0x06050403);
  CHECK(load_le<std::uint64_t>(bytes.data() + 7) == 0x0e0d0c0b0a090807);
}
