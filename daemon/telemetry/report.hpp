#pragma once

#include "consensus/storage/wal.hpp"
#include "daemon/client/metrics.hpp"
#include "daemon/client/status.hpp"
#include "daemon/clients/session_metrics.hpp"
#include "daemon/node/group_metrics.hpp"
#include "wire/handshake.hpp"
#include "wire/transport.hpp"

#include <string>
#include <utility>
#include <vector>

namespace quorumd::telemetry {

/// What was gathered of one node, as each floor has it.
struct raw_report {
  node::group_metrics group;
  node::group_mailboxes mailboxes;
  node::queue_depths depths;
  client::status_row row; ///< this node's own
  std::size_t watches = 0;
  std::size_t leases = 0;
  bool full = false;        ///< puts are refused for want of space
  bool nearly_full = false; ///< they soon are, by the quota
  bool corrupt = false;     ///< the state counts for nothing
  clients::session_metrics sessions;
  storage::log_metrics log;
  storage::wal_stats log_stats;
  std::vector<wire::peer_counters> peers;
  std::vector<std::pair<std::string, metrics::histogram>> lags; ///< loops by name
  std::size_t connections = 0;
  std::size_t requests = 0;
};

/// Gives everything its name: docs/operations.md lists them, and the command line prints them in this order.
[[nodiscard]] client::metrics_reply named(const raw_report& r, const wire::local_identity& self);

/// What the process has used; zero where the system does not say.
struct process_use {
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t cpu_nanoseconds = 0;
  std::uint64_t open_files = 0;
  std::uint64_t files_max = 0;           ///< that it may open
  std::uint64_t started_nanoseconds = 0; ///< since 1970
};
[[nodiscard]] process_use use_of_process();

} // namespace quorumd::telemetry
