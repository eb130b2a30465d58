#pragma once

#include "consensus/storage/file.hpp"
#include "consensus/storage/snapshot_file.hpp"
#include "coro/clock.hpp"
#include "coro/entropy.hpp"
#include "coro/net.hpp"
#include "wire/transport.hpp"

#include <chrono>
#include <string>

namespace quorumd::node {

/// A snapshot that a member cannot start without, since its own is damaged and its log begins behind it.
struct wanted_snapshot {
  std::string directory; ///< of the snapshots
  cluster_id cluster;
  group_id group;
  log_index at_least;                ///< the damaged one's
  wire::transport_options transport; ///< with the member's identity
};

/// Gets such a snapshot from whichever member leads, checks it and publishes it: what any member has taken is
/// committed, and the log's recovery fits itself to it as it does after a transfer that a crash cut short. Raft does
/// not run here meanwhile: the member votes for nobody and acknowledges nothing. Blocking, with a loop of its own;
/// `progress` is told bytes. Given up when nothing comes for so long: `not_found`.
[[nodiscard]] storage::result<void> fetch_snapshot(const wanted_snapshot& wanted, storage::file_system& files,
                                                   const coro::clock& clock, coro::network& network,
                                                   coro::entropy& entropy, wire::peer_observer& observer,
                                                   const storage::snapshot_progress& progress,
                                                   coro::duration patience = std::chrono::seconds(60));

} // namespace quorumd::node
