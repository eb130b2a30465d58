#pragma once

#include "daemon/clients/etcd/status.hpp"

#include <string_view>

namespace quorumd::clients::etcd {

/// Whether it is a version as etcd reads one: three numbers, or two, with what may stand behind (`3.5.0-rc.1+x`).
[[nodiscard]] bool is_version(std::string_view text);

/// How Maintenance.Downgrade ends. What members speak only ever rises, so no version is one to go down to, and nothing
/// is ever under way that could be cancelled.
[[nodiscard]] grpc_status downgrade_refusal(int action, std::string_view version);

} // namespace quorumd::clients::etcd
