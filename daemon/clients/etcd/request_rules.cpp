#include "daemon/clients/etcd/request_rules.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace quorumd::clients::etcd {
namespace {

constexpr std::array<std::string_view, 4> pseudo_headers{":method", ":scheme", ":path", ":authority"};
constexpr std::uint32_t needed = 0b111; ///< all but the authority
constexpr std::array<std::string_view, 5> of_http_1{"connection", "keep-alive", "proxy-connection", "transfer-encoding",
                                                    "upgrade"};

bool is_name(std::string_view name) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || marks.find(c) != std::string_view::npos;
  });
}

bool is_value(std::string_view value) {
  return value.find_first_of(std::string_view("\0\r\n", 3)) == std::string_view::npos;
}

} // namespace

bool request_rules::header(std::string_view name, std::string_view value) {
  if (!is_value(value)) return false;
  if (name.starts_with(':')) return pseudo_header(name, value);
  regular_ = true;
  if (!is_name(name) || std::find(of_http_1.begin(), of_http_1.end(), name) != of_http_1.end()) return false;
  if (name == "te") return value == "trailers";
  if (name != "content-length") return true;
  std::uint64_t length = 0;
  const char* const end = value.data() + value.size();
  const auto read = std::from_chars(value.data(), end, length);
  if (length_ || read.ec != std::errc() || read.ptr != end) return false;
  length_ = length;
  return true;
}

bool request_rules::pseudo_header(std::string_view name, std::string_view value) {
  const auto found = std::find(pseudo_headers.begin(), pseudo_headers.end(), name);
  if (regular_ || found == pseudo_headers.end()) return false;
  const auto which = static_cast<std::size_t>(found - pseudo_headers.begin());
  const std::uint32_t bit = 1U << which;
  if ((seen_ & bit) != 0) return false;
  seen_ |= bit;
  return name == ":authority" || !value.empty();
}

bool request_rules::headers_ended() const {
  return (seen_ & needed) == needed;
}

bool request_rules::data(std::size_t bytes) {
  came_ += bytes;
  return !length_ || came_ <= *length_;
}

} // namespace quorumd::clients::etcd
