#pragma once

#include "daemon/cli/args.hpp"
#include "daemon/cli/error.hpp"
#include "daemon/client/client.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quorumd::cli {

inline constexpr const char* default_socket = "/run/quorumd/admin.sock";
inline constexpr const char* default_endpoint = "127.0.0.1:2379";
inline constexpr std::uint16_t default_port = 2379;
inline constexpr const char* endpoint_variable = "QUORUMD_ENDPOINT";
inline constexpr const char* endpoints_variable = "QUORUMD_ENDPOINTS"; ///< the same, for whom the plural comes first

/// What the environment says, null where it says nothing.
struct endpoint_variables {
  const char* one = nullptr;
  const char* many = nullptr;
};

/// `HOST[:PORT]`, several with commas between; blanks around them and `http://` in front are left out. `source` stands
/// for the list in the error, which names the part that is wrong.
[[nodiscard]] result<std::vector<client::client_endpoint>> parse_endpoints(std::string_view list,
                                                                           std::string_view source);

/// Whom a command talks to: --endpoint or --socket, else the variable's value, else the default socket if it exists,
/// else the default endpoint.
[[nodiscard]] result<std::vector<client::client_endpoint>>
find_endpoints(const invocation& in, const endpoint_variables& variables, bool socket_exists);

} // namespace quorumd::cli
