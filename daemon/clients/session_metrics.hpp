#pragma once

#include "daemon/clients/etcd/call_counts.hpp"
#include "metrics/histogram.hpp"

namespace quorumd::clients {

/// What the sessions of one loop measure; the loop's. Nanoseconds, but for the batches.
struct session_metrics {
  metrics::histogram receive; ///< a request was read from its socket until it was handed to the group
  metrics::histogram reply;   ///< the group handed the oldest of a batch of replies over until the socket had them all
  metrics::histogram batch;   ///< requests that one read of a socket brought
  etcd::call_counts calls;    ///< of etcd's API, since the node's start

  void merge(const session_metrics& o) {
    receive.merge(o.receive);
    reply.merge(o.reply);
    batch.merge(o.batch);
    calls.merge(o.calls);
  }
};

} // namespace quorumd::clients
