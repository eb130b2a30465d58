#pragma once

#include "config/config.hpp"
#include "daemon/clients/client_port.hpp"
#include "daemon/node/node.hpp"

namespace quorumd::daemon {

/// The settings as the parts below take them.
[[nodiscard]] node::node_options node_options_of(const config::settings& s);
[[nodiscard]] clients::client_port::options client_options_of(const config::settings& s);
/// runtime.loops, with 0 resolved.
[[nodiscard]] std::size_t loops_of(const config::settings& s);
[[nodiscard]] coro::endpoint endpoint_of(const config::address& a);

} // namespace quorumd::daemon
