#pragma once

#include "wire/metrics.hpp"

#include <string>

namespace quorumd::clients {

/// What a node has measured, in the text format of Prometheus, under the names that etcd gives to the same: those of
/// them that dashboards and alerts ask for and that mean something here. docs/etcd-compatibility.md lists them.
[[nodiscard]] std::string etcd_metrics_text(const wire::metrics_reply& m);

} // namespace quorumd::clients
