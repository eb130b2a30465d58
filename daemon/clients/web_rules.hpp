#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace quorumd::clients {

/// What web pages may do, over HTTP/1.1.
struct web_rules {
  std::vector<std::string> origins; ///< whose pages may read answers; `*`: all
  std::vector<std::string> hosts;   ///< by which names this may be called; none, or `*`: any

  [[nodiscard]] bool reads(std::string_view origin) const { return !origin.empty() && has(origins, origin); }
  /// Whether a page of that origin may call this, which is `host` to it. Who is no page names no origin.
  [[nodiscard]] bool may_call(std::string_view origin, std::string_view host) const {
    return origin.empty() || reads(origin) || origin == "http://" + std::string(host);
  }
  /// As a request names it: maybe with a port.
  [[nodiscard]] bool is_called(std::string_view host) const { return hosts.empty() || has(hosts, without_port(host)); }

 private:
  static bool has(const std::vector<std::string>& list, std::string_view item) {
    return std::any_of(list.begin(), list.end(), [&](const std::string& s) { return s == "*" || s == item; });
  }
  /// `[::1]:2379` is `::1`.
  static std::string_view without_port(std::string_view host) {
    if (host.starts_with('[')) return host.substr(1, std::min(host.find(']'), host.size()) - 1);
    return host.substr(0, host.find(':'));
  }
};

} // namespace quorumd::clients
