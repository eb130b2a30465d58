#pragma once

#include "wire/byte_buffer.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The small print of gRPC over HTTP/2.
namespace quorumd::clients::etcd {

/// In front of a message: whether it is compressed, and its length.
inline constexpr std::size_t prefix_bytes = 5;

/// grpc-timeout: at most eight digits and a unit (H, M, S, m, u, n), rounded up. Nothing if it is none.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_timeout(std::string_view text);
/// The length in front of a message, behind its flag; there are five bytes.
[[nodiscard]] std::size_t message_length(std::string_view prefixed);
/// The five bytes in front of a message that is not compressed.
void write_prefix(std::byte* at, std::size_t message_bytes);
/// What is said of a path that names no call.
[[nodiscard]] std::string unknown_call(std::string_view path);
/// grpc.health.v1.HealthCheckResponse; how many bytes it takes.
std::size_t write_serving(wire::byte_buffer& out, bool serving);

} // namespace quorumd::clients::etcd
