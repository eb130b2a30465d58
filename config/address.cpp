#include "config/address.hpp"

#include "config/values.hpp"

#include <boost/throw_exception.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <stdexcept>

namespace quorumd::config {

namespace {

constexpr std::string_view form = "HOST:PORT, such as 127.0.0.1:2379, node1.example:2379 or [::1]:2379";

bool is_ipv4(const std::string& host) {
  in_addr binary{};
  return inet_pton(AF_INET, host.c_str(), &binary) == 1;
}

bool is_ipv6(const std::string& host) {
  in6_addr binary{};
  return inet_pton(AF_INET6, host.c_str(), &binary) == 1;
}

bool is_label(std::string_view label) {
  if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
  return std::all_of(label.begin(), label.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

bool is_host_name(std::string_view host) {
  if (host.size() > 253) return false;
  if (host.ends_with('.')) host.remove_suffix(1);
  while (true) {
    const std::size_t dot = host.find('.');
    if (!is_label(host.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    host.remove_prefix(dot + 1);
  }
}

bad_address expected(std::string_view why, std::string_view text) {
  return bad_address(
      std::string("expected ").append(form).append(", got ").append(in_quotes(text)).append(": ").append(why));
}

/// What is wrong with a host that stands outside brackets; empty if nothing.
std::string_view complaint_about_host(const std::string& host) {
  if (host.empty()) return "the host is missing (0.0.0.0 is every interface)";
  if (host.find(':') != std::string::npos) return "an IPv6 address goes in brackets";
  if (host.find_first_not_of("0123456789.") == std::string::npos)
    return is_ipv4(host) ? "" : "that is not an IPv4 address";
  return is_host_name(host) ? "" : "that is not a host name";
}

} // namespace

std::string address::text() const {
  const bool brackets = host.find(':') != std::string::npos;
  return (brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

bool address::literal() const {
  return is_ipv4(host) || is_ipv6(host);
}

bool address::wildcard() const {
  in_addr four{};
  if (inet_pton(AF_INET, host.c_str(), &four) == 1) return four.s_addr == INADDR_ANY;
  in6_addr six{};
  return inet_pton(AF_INET6, host.c_str(), &six) == 1 && IN6_IS_ADDR_UNSPECIFIED(&six);
}

bool address::loopback() const {
  in_addr four{};
  if (inet_pton(AF_INET, host.c_str(), &four) == 1) return (ntohl(four.s_addr) >> 24) == 127;
  in6_addr six{};
  if (inet_pton(AF_INET6, host.c_str(), &six) == 1) return IN6_IS_ADDR_LOOPBACK(&six);
  return host == "localhost";
}

boost::system::result<address, bad_address> parse_address(std::string_view text) {
  address out;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return expected("the closing bracket is missing", text);
    out.host = text.substr(1, end - 1);
    if (!is_ipv6(out.host)) return expected("what stands in brackets is not an IPv6 address", text);
    port = text.substr(end + 1);
    if (!port.starts_with(':')) return expected("the port is missing", text);
  } else {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return expected("the port is missing", text);
    out.host = text.substr(0, colon);
    port = text.substr(colon);
    if (const auto complaint = complaint_about_host(out.host); !complaint.empty()) return expected(complaint, text);
  }
  const auto number = parse_count(port.substr(1));
  if (!number || *number < 1 || *number > 65535) return expected("a port is a number from 1 to 65535", text);
  out.port = static_cast<std::uint16_t>(*number);
  return out;
}

void throw_exception_from_error(const bad_address& e, const boost::source_location& where) {
  boost::throw_exception(std::runtime_error(e.what), where);
}

} // namespace quorumd::config
