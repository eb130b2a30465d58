#pragma once

#include "daemon/cli/args.hpp"
#include "daemon/cli/error.hpp"
#include "wire/client.hpp"

#include <string>
#include <vector>

namespace quorumd::cli {

inline constexpr const char* default_socket = "/run/quorumd/admin.sock";
inline constexpr const char* default_endpoint = "127.0.0.1:2379";
inline constexpr const char* endpoint_variable = "QUORUMD_ENDPOINT";

/// `host:port,host:port`; `source` stands for it in the error.
[[nodiscard]] result<std::vector<wire::client_endpoint>> parse_endpoints(std::string_view list,
                                                                         std::string_view source);

/// Whom a command talks to: --endpoint or --socket, else the variable's value (null or empty: not set), else the
/// default socket if it exists, else the default endpoint.
[[nodiscard]] result<std::vector<wire::client_endpoint>> find_endpoints(const invocation& in, const char* variable,
                                                                        bool socket_exists);

} // namespace quorumd::cli
