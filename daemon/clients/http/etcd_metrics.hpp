#pragma once

#include "daemon/client/metrics.hpp"

#include <string>
#include <string_view>

namespace quorumd::clients {

/// What a node has measured, in the text format of Prometheus, under the names that etcd gives to the same: those of
/// them that dashboards and alerts ask for and that mean something here. docs/etcd-compatibility.md lists them.
/// `version`: of etcd, as which the node answers.
[[nodiscard]] std::string etcd_metrics_text(const client::metrics_reply& m, std::string_view version);
/// What every Prometheus client says of its process, under the same names.
[[nodiscard]] std::string process_metrics_text(const client::metrics_reply& m);

} // namespace quorumd::clients
