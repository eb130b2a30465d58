#include "consensus/types/crc32c.hpp"

#include "consensus/types/little_endian.hpp"

#include <array>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace quorumd {
namespace {

constexpr std::uint32_t polynomial = 0x82f63b78; // reflected

constexpr auto tables = [] {
  std::array<std::array<std::uint32_t, 256>, 8> t{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = (c >> 1) ^ ((c & 1) != 0 ? polynomial : 0);
    t[0][i] = c;
  }
  for (std::uint32_t i = 0; i < 256; ++i)
    for (std::size_t s = 1; s < 8; ++s) t[s][i] = (t[s - 1][i] >> 8) ^ t[0][t[s - 1][i] & 0xff];
  return t;
}();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(const std::byte* p, std::size_t n, std::uint32_t crc) {
  std::uint64_t c = ~crc;
  for (; n >= 8; n -= 8, p += 8) c = _mm_crc32_u64(c, load_le<std::uint64_t>(p));
  auto c32 = static_cast<std::uint32_t>(c);
  for (; n > 0; --n, ++p) c32 = _mm_crc32_u8(c32, static_cast<unsigned char>(*p));
  return ~c32;
}
bool has_instruction() {
  return __builtin_cpu_supports("sse4.2") != 0;
}
#elif defined(__aarch64__)
__attribute__((target("+crc"))) std::uint32_t by_instruction(const std::byte* p, std::size_t n, std::uint32_t crc) {
  std::uint32_t c = ~crc;
  for (; n >= 8; n -= 8, p += 8) c = __crc32cd(c, load_le<std::uint64_t>(p));
  for (; n > 0; --n, ++p) c = __crc32cb(c, static_cast<unsigned char>(*p));
  return ~c;
}
bool has_instruction() {
  return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
}
#else
std::uint32_t by_instruction(const std::byte* p, std::size_t n, std::uint32_t crc) {
  return crc32c_portable({p, n}, crc);
}
bool has_instruction() {
  return false;
}
#endif

} // namespace

std::uint32_t crc32c_portable(std::span<const std::byte> bytes, std::uint32_t before) noexcept {
  std::uint32_t c = ~before;
  const std::byte* p = bytes.data();
  std::size_t n = bytes.size();
  for (; n >= 8; n -= 8, p += 8) {
    std::uint64_t v = load_le<std::uint64_t>(p) ^ c;
    c = 0;
    for (std::size_t k = 0; k < 8; ++k) c ^= tables[7 - k][(v >> (8 * k)) & 0xff];
  }
  for (; n > 0; --n, ++p) c = (c >> 8) ^ tables[0][(c ^ static_cast<std::uint32_t>(*p)) & 0xff];
  return ~c;
}

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before) noexcept {
  static const bool instruction = has_instruction();
  return instruction ? by_instruction(bytes.data(), bytes.size(), before) : crc32c_portable(bytes, before);
}

} // namespace quorumd
