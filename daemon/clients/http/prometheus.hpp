#pragma once

#include "daemon/client/metrics.hpp"

#include <string>

namespace quorumd::clients {

/// What a node has measured, in the text format of Prometheus: distributions as histograms of seconds, bytes or counts
/// since the node's start, readings as gauges, or as counters where they only grow.
[[nodiscard]] std::string prometheus_text(const client::metrics_reply& m);

} // namespace quorumd::clients
