#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace quorumd {

/// CRC-32C (Castagnoli) of the bytes, continuing from an earlier value; the value of nothing is 0.
/// Uses the processor's instruction where there is one.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before = 0) noexcept;

/// The same by table, for processors without the instruction and for tests.
[[nodiscard]] std::uint32_t crc32c_portable(std::span<const std::byte> bytes, std::uint32_t before = 0) noexcept;

} // namespace quorumd
