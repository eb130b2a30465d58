#pragma once

#include "consensus/raft/core.hpp"
#include "consensus/storage/file.hpp"
#include "consensus/storage/snapshot_file.hpp"
#include "consensus/storage/wal.hpp"
#include "coro/fatal.hpp"
#include "coro/loop.hpp"
#include "coro/worker.hpp"
#include "daemon/node/applier.hpp"
#include "daemon/node/bugs.hpp"
#include "daemon/node/group_metrics.hpp"
#include "daemon/node/observer.hpp"
#include "daemon/node/snapshot_pace.hpp"
#include "metrics/histogram.hpp"
#include "wire/byte_buffer.hpp"
#include "wire/transport.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace quorumd::node {

/// Where the snapshots of a group lie.
struct snapshot_place {
  storage::file_system& files;
  std::string directory;
  cluster_id cluster;
  group_id group;
};

/// The pieces in which a snapshot travels and is checked.
struct snapshot_transfer_options {
  std::size_t chunk_bytes = wire::snapshot_chunk_bytes_max;
  std::uint64_t window_bytes = std::uint64_t{1} << 20; ///< sent and not yet acknowledged
  std::size_t slice_bytes = std::size_t{4} << 20; ///< read by one job: whoever else needs the worker waits no longer
  bool pack = true;                               ///< chunks, for whoever can unpack them
  bool delegate = true;                           ///< as leader: to a follower that keeps up, where there is one
};
/// Of chunks in a window.
inline constexpr std::size_t snapshot_window_chunks_max = 64;

/// What taking, sending and installing snapshots need of their group; all of it belongs to the group's loop.
struct snapshot_context {
  snapshot_place place;
  coro::loop& loop;
  coro::worker& worker; ///< for everything that touches a file
  raft::core& core;
  applier& state;
  storage::wal& wal;
  wire::transport& transport;
  node::observer& observer;
  snapshot_pace& pace; ///< of whatever is written
  snapshot_transfer_options transfers;
  const node::bugs& bugs;
  metrics::histogram& slices; ///< how long one of the records took
  snapshot_traffic& sent;
  bool witness = false;                    ///< this node holds no data
  std::function<bool(node_id)> is_witness; ///< whether that member does not
  std::function<void()> wake;              ///< the group has something to do
  std::function<bool(node_id)> can_unpack; ///< the member takes packed chunks, on the stream that stands
  /// After which entry, not below this one, the log must be kept, since somebody is sent a snapshot that ends there;
  /// nothing: need not be.
  std::function<std::optional<log_index>(log_index floor)> pinned;
  std::function<bool()> corrupt;                                   ///< the state counts for nothing
  std::function<void()> renewed;                                   ///< another snapshot is the newest now
  std::function<void(applier::state)> discard;                     ///< frees a state that nobody wants
  std::function<void(coro::fatal_cause, const std::string&)> stop; ///< this node cannot go on
};

} // namespace quorumd::node
