#include "daemon/cli/target.hpp"

#include "config/config.hpp"
#include "daemon/cli/text.hpp"

#include <algorithm>

namespace quorumd::cli {
namespace {

constexpr std::string_view blanks = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

/// The host without a port: a name, an IPv4 address, or an IPv6 address with or without brackets.
bool is_bare_host(std::string_view text) {
  const auto colons = std::count(text.begin(), text.end(), ':');
  return colons == 0 || text.ends_with(']') || (colons > 1 && !text.starts_with('['));
}

result<client::client_endpoint> parse_one(std::string_view text, const std::string& source) {
  const std::string_view whole = trimmed(text);
  std::string_view rest = whole;
  const auto wrong = [&](const std::string& what) { return usage(source + ": " + what); };
  if (rest.empty()) return wrong("an endpoint is empty; expected HOST:PORT, or several with commas between");
  if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
    if (rest.ends_with('/')) rest.remove_suffix(1);
  }
  if (rest.starts_with("https://")) return wrong("TLS is not in this version: write " + shown(rest.substr(8)));
  if (rest.starts_with("unix:") || rest.starts_with('/'))
    return wrong("an admin socket is named with --socket PATH, not in " + shown(whole));
  if (const auto scheme = rest.find("://"); scheme != std::string_view::npos)
    return wrong(shown(rest.substr(0, scheme + 3)) + " is not understood; expected HOST:PORT");
  std::string spelled(rest);
  if (is_bare_host(rest)) {
    if (rest.find(':') != std::string_view::npos && !rest.ends_with(']')) spelled = "[" + spelled + "]";
    spelled += ":" + std::to_string(default_port);
  }
  auto at = coro::parse_endpoint(spelled);
  if (!at || at->port == 0) return wrong("expected HOST:PORT, or several with commas between, and got " + shown(whole));
  return client::client_endpoint{std::move(*at), {}};
}

} // namespace

result<std::vector<client::client_endpoint>> parse_endpoints(std::string_view list, std::string_view source) {
  std::vector<client::client_endpoint> out;
  for (;;) {
    const std::size_t comma = list.find(',');
    auto one = parse_one(list.substr(0, comma), std::string(source));
    if (one.has_error()) return one.error();
    out.push_back(std::move(*one));
    if (comma == std::string_view::npos) return out;
    list.remove_prefix(comma + 1);
  }
}

result<std::vector<client::client_endpoint>> find_endpoints(const invocation& in, const endpoint_variables& variables,
                                                            bool socket_exists) {
  if (in.has("endpoint")) return parse_endpoints(in.text("endpoint"), "--endpoint");
  if (in.has("socket")) {
    const std::string path = in.text("socket");
    if (path.empty() || path.size() > config::socket_path_max)
      return usage("--socket expects a path of 1 to " + std::to_string(config::socket_path_max) + " bytes and got " +
                   shown(path));
    return std::vector<client::client_endpoint>{{{}, path}};
  }
  const std::string_view one = variables.one == nullptr ? "" : variables.one;
  const std::string_view many = variables.many == nullptr ? "" : variables.many;
  if (!one.empty() && !many.empty() && one != many)
    return usage(std::string(endpoint_variable) + " and " + endpoints_variable +
                 " are both set, and differ: unset one of them");
  if (!one.empty()) return parse_endpoints(one, endpoint_variable);
  if (!many.empty()) return parse_endpoints(many, endpoints_variable);
  if (socket_exists) return std::vector<client::client_endpoint>{{{}, default_socket}};
  return parse_endpoints(default_endpoint, "the default");
}

} // namespace quorumd::cli
