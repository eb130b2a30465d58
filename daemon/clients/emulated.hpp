#pragma once

namespace quorumd::clients {

/// The version of etcd that a node answers as, and what depends on it.
struct emulated_etcd {
  const char* version;
  const char* cluster_version; ///< of the cluster's protocol
  bool before_3_5;             ///< /health gives no reason, Alarm's answer has no header
};
inline constexpr emulated_etcd etcd_3_5{"3.5.21", "3.5.0", false};
inline constexpr emulated_etcd etcd_3_4{"3.4.23", "3.4.0", true};

} // namespace quorumd::clients
