#pragma once

#include "daemon/daemon.hpp"

#include <cstdint>

namespace quorumd::daemon {

/// What a reload has changed of what it can change.
struct reloaded {
  bool admins = false; ///< who may use the admin socket
};

/// Reads the configuration again and takes log.level, shutdown.grace and the administrators into `current`; the rest
/// stays as it is in force. The log says what changed, what waits for a restart, and each mistake of a configuration
/// that is not taken.
reloaded reload(config::settings& current, const reread& again);

/// Warns if the process may not open as many files as the configuration lets clients connect.
void warn_of_few_files(const config::settings& s);
/// Files that a node needs beside its clients': the log, snapshots, streams, loops.
[[nodiscard]] std::uint64_t files_beside_clients(const config::settings& s);

} // namespace quorumd::daemon
