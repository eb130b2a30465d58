#pragma once

#include "config/config.hpp"
#include "daemon/clients/client_port.hpp"
#include "daemon/node/node.hpp"

namespace quorumd::daemon {

/// The settings as the parts below take them.
/// Of a node that joins a cluster only what it knows itself: the cluster, its name and the node's number are missing.
[[nodiscard]] node::node_options node_options_of(const config::settings& s);
/// A member's number by its name, or by its address as long as it has none, in the cluster of that name; 0 if that can
/// be neither.
[[nodiscard]] node_id member_id(std::string_view cluster, std::string_view name);
[[nodiscard]] clients::client_port::options client_options_of(const config::settings& s);
/// How the process ends because of it (config/exit_codes.hpp).
[[nodiscard]] int exit_code_of(const storage::error& e);
/// runtime.loops, with 0 resolved.
[[nodiscard]] std::size_t loops_of(const config::settings& s);
[[nodiscard]] coro::endpoint endpoint_of(const config::address& a);

} // namespace quorumd::daemon
