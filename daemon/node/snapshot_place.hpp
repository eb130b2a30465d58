#pragma once

#include "consensus/raft/core.hpp"
#include "consensus/storage/file.hpp"
#include "consensus/storage/snapshot_file.hpp"
#include "consensus/storage/wal.hpp"
#include "coro/loop.hpp"
#include "coro/worker.hpp"
#include "daemon/node/applier.hpp"
#include "daemon/node/observer.hpp"
#include "wire/byte_buffer.hpp"
#include "wire/transport.hpp"

#include <functional>
#include <string>

namespace quorumd::node {

/// Where the snapshots of a group lie.
struct snapshot_place {
  storage::file_system& files;
  std::string directory;
  cluster_id cluster;
  group_id group;
};

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
  std::function<void()> wake; ///< the group has something to do
};

/// Reads a whole snapshot, from its first block on, and builds the state it is of. Blocking. `corrupt` names the file.
[[nodiscard]] storage::result<applier::state> build_state(storage::snapshot_reader& reader, const std::string& path);

} // namespace quorumd::node
