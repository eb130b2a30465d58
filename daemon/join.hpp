#pragma once

#include "config/address.hpp"
#include "consensus/storage/error.hpp"
#include "consensus/storage/file.hpp"
#include "coro/clock.hpp"
#include "coro/entropy.hpp"
#include "coro/net.hpp"
#include "daemon/node/node.hpp"

#include <functional>
#include <string>

namespace quorumd::daemon {

/// A node that is to become a member of a cluster which exists.
struct newcomer {
  std::string name;
  config::address peer;   ///< where the others are to reach it
  config::address member; ///< where clients reach one of them
};

struct join_seams {
  const coro::clock& clock;
  coro::network& network;
  coro::entropy& entropy;
  storage::file_system& files;
};

/// Fills in which cluster the node is of: what its data directory says, or else what the member says, who is asked
/// again and again until it knows the newcomer as one of them. Blocks until then; `waiting` is called meanwhile, about
/// once a second. An error is about the data directory, or names a cluster other than the configuration does.
[[nodiscard]] storage::result<void> find_cluster(const newcomer& who, node::node_options& options, join_seams s,
                                                 const std::function<void()>& waiting);

} // namespace quorumd::daemon
