#include "consensus/types/crc32c.hpp"

#include <doctest/doctest.h>

#include <string_view>
#include <vector>

using namespace quorumd;

namespace {
std::span<const std::byte> checked(std::string_view s) {
  return std::as_bytes(std::span(s.data(), s.size()));
}
} // namespace

// The check value that every description of CRC-32C gives.
TEST_CASE("crc32c of 123456789 is the published check value") {
  CHECK(crc32c(checked("123456789")) == 0xe3069283);
  CHECK(crc32c_portable(checked("123456789")) == 0xe3069283);
  CHECK(crc32c({}) == 0);
}

// Instruction and table must agree at every length and split, or a log written on one host is corrupt on another.
TEST_CASE("crc32c by instruction and by table agree, whole and continued") {
  std::vector<std::byte> data(257);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i * 131 + 7);
  for (std::size_t n = 0; n <= data.size(); ++n) {
    const auto all = std::span<const std::byte>(data).first(n);
    CHECK(crc32c(all) == crc32c_portable(all));
    CHECK(crc32c(all.subspan(n / 3), crc32c(all.first(n / 3))) == crc32c(all));
  }
}
