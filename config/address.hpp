#pragma once

#include <boost/system/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace quorumd::config {

/// Where something listens or is dialed: a host name, an IPv4 or an IPv6 address (held without its brackets), and a
/// port. Host names are resolved at each use, not here.
struct address {
  std::string host;
  std::uint16_t port = 0;

  /// `host:port`, an IPv6 address in brackets.
  [[nodiscard]] std::string text() const;
  /// Whether the host is an IPv4 or IPv6 address and not a name.
  [[nodiscard]] bool literal() const;
  /// Whether the host means every interface: it can be bound and not dialed.
  [[nodiscard]] bool wildcard() const;
  /// Whether only this machine can reach it: 127.0.0.0/8, ::1 or the name localhost.
  [[nodiscard]] bool loopback() const;

  friend bool operator==(const address&, const address&) = default;
};

/// Why a text is not an address: what was expected, for a person.
struct bad_address {
  bad_address() = default;
  explicit bad_address(std::string w)
      : what(std::move(w)) {}
  std::string what;
};
[[noreturn]] void throw_exception_from_error(const bad_address& e, const boost::source_location& where);

/// Reads `HOST:PORT`: a host name, an IPv4 address, or an IPv6 address in brackets; a port from 1 to 65535.
[[nodiscard]] boost::system::result<address, bad_address> parse_address(std::string_view text);

} // namespace quorumd::config
