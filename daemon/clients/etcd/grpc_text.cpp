#include "daemon/clients/etcd/grpc_text.hpp"

#include "daemon/clients/etcd/methods.hpp"

#include <charconv>

namespace quorumd::clients::etcd {

std::optional<std::chrono::milliseconds> parse_timeout(std::string_view text) {
  using namespace std::chrono;
  constexpr std::size_t digits_max = 8;
  if (text.size() < 2 || text.size() > digits_max + 1) return std::nullopt;
  std::int64_t n = 0;
  const char* const last = text.data() + text.size() - 1;
  const auto [end, failed] = std::from_chars(text.data(), last, n);
  if (failed != std::errc() || end != last || n < 0) return std::nullopt;
  switch (*last) {
  case 'H':
    return hours(n);
  case 'M':
    return minutes(n);
  case 'S':
    return seconds(n);
  case 'm':
    return milliseconds(n);
  case 'u':
    return ceil<milliseconds>(microseconds(n));
  case 'n':
    return ceil<milliseconds>(nanoseconds(n));
  default:
    return std::nullopt;
  }
}

std::size_t message_length(std::string_view prefixed) {
  std::size_t n = 0;
  for (const char c : prefixed.substr(1, 4)) n = n << 8 | static_cast<unsigned char>(c);
  return n;
}

void write_prefix(std::byte* at, std::size_t message_bytes) {
  at[0] = std::byte{0};
  for (int i = 4; i > 0; --i) {
    at[i] = static_cast<std::byte>(message_bytes);
    message_bytes >>= 8;
  }
}

std::string unknown_call(std::string_view path) {
  const std::string_view name = path.starts_with('/') ? path.substr(1) : path;
  const std::size_t slash = name.rfind('/');
  if (slash == std::string_view::npos) return "malformed method name: \"" + std::string(path) + "\"";
  const std::string service(name.substr(0, slash));
  if (unknown_of(path) == "service") return "unknown service " + service;
  return "unknown method " + std::string(name.substr(slash + 1)) + " for service " + service;
}

std::size_t write_serving(wire::byte_buffer& out, bool serving) {
  std::byte* const at = out.prepare(2);
  at[0] = std::byte{1 << 3};
  at[1] = std::byte{static_cast<unsigned char>(serving ? 1 : 2)};
  out.commit(2);
  return 2;
}

} // namespace quorumd::clients::etcd
