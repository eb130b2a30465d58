#include "daemon/cli/target.hpp"

#include "config/config.hpp"
#include "daemon/cli/text.hpp"

namespace quorumd::cli {

result<std::vector<wire::client_endpoint>> parse_endpoints(std::string_view list, std::string_view source) {
  std::vector<wire::client_endpoint> out;
  for (;;) {
    const std::size_t comma = list.find(',');
    const std::string_view one = list.substr(0, comma);
    auto at = coro::parse_endpoint(one);
    if (!at || at->port == 0)
      return usage(std::string(source) + " expects HOST:PORT, or several with commas between, and got " + shown(one));
    out.push_back({std::move(*at), {}});
    if (comma == std::string_view::npos) return out;
    list.remove_prefix(comma + 1);
  }
}

result<std::vector<wire::client_endpoint>> find_endpoints(const invocation& in, const char* variable,
                                                          bool socket_exists) {
  if (in.has("endpoint")) return parse_endpoints(in.text("endpoint"), "--endpoint");
  if (in.has("socket")) {
    const std::string path = in.text("socket");
    if (path.empty() || path.size() > config::socket_path_max)
      return usage("--socket expects a path of 1 to " + std::to_string(config::socket_path_max) + " bytes and got " +
                   shown(path));
    return std::vector<wire::client_endpoint>{{{}, path}};
  }
  if (variable != nullptr && *variable != '\0') return parse_endpoints(variable, endpoint_variable);
  if (socket_exists) return std::vector<wire::client_endpoint>{{{}, default_socket}};
  return parse_endpoints(default_endpoint, "the default");
}

} // namespace quorumd::cli
