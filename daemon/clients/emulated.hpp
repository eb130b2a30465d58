#pragma once

namespace quorumd::clients {

/// The version of etcd that this node answers as, and that of the cluster's protocol.
inline constexpr const char* emulated_version = "3.5.21";
inline constexpr const char* emulated_cluster_version = "3.5.0";

} // namespace quorumd::clients
