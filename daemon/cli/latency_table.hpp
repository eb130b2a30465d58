#pragma once

#include "daemon/cli/node_metrics.hpp"

#include <chrono>
#include <string>

namespace quorumd::cli {

/// One node's part of `quorumd latency`: where the time of its puts and reads went, with bars, and what its disk, peers
/// and loops did. `earlier` is what an earlier look saw of it; null: since its start.
[[nodiscard]] std::string latency_table(const node_sight& n, const client::metrics_reply* earlier);

/// How the mailboxes and loops of a node fared, what `quorumd profile mailbox` shows: for a person, and for a program.
[[nodiscard]] std::string mailbox_table(const node_sight& n, const client::metrics_reply* earlier);
[[nodiscard]] std::string mailbox_json(const node_sight& n, const client::metrics_reply* earlier);

/// The same as latency_table() for a program: every distribution with its quantiles, and every reading.
[[nodiscard]] std::string latency_json(const std::vector<node_sight>& now, const std::vector<node_sight>& earlier);

} // namespace quorumd::cli
