#pragma once

#include <string>

namespace quorumd::coro {

/// Why a daemon cannot go on.
enum class fatal_cause {
  disk,       ///< a write or a sync of the log failed: what the disk holds is unknown
  corruption, ///< what the disk holds contradicts itself
  identity,   ///< the cluster refuses this data directory
  version,    ///< the log or a snapshot holds something of a later version
};

/// The seam for ending a node: the daemon's exits the process with the cause's code, the simulator's crashes the
/// node. May return (in the simulator); the caller then does nothing more.
class fatal_hook {
 public:
  virtual ~fatal_hook() = default;
  virtual void fatal(fatal_cause cause, const std::string& reason) = 0;
};

} // namespace quorumd::coro
