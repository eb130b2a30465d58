#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace quorumd::fuzz {

/// Cuts an input into the pieces that a target wants; what is asked for beyond its end is empty, or 0.
class input {
 public:
  input(const std::uint8_t* data, std::size_t size)
      : rest_(data, size) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const std::uint8_t b = rest_.front();
    rest_ = rest_.subspan(1);
    return b;
  }
  std::uint16_t number() {
    const std::uint16_t low = byte();
    return static_cast<std::uint16_t>(low | byte() << 8);
  }
  /// At most so many bytes.
  std::span<const std::byte> take(std::size_t most) {
    const std::size_t n = std::min(most, rest_.size());
    const auto piece = std::as_bytes(rest_.first(n));
    rest_ = rest_.subspan(n);
    return piece;
  }
  std::string_view text() {
    const auto all = take(rest_.size());
    return {reinterpret_cast<const char*>(all.data()), all.size()};
  }

 private:
  std::span<const std::uint8_t> rest_;
};

} // namespace quorumd::fuzz
