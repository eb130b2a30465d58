#pragma once

#include "consensus/raft/core.hpp"
#include "consensus/storage/wal.hpp"
#include "coro/clock.hpp"
#include "daemon/node/applier.hpp"
#include "wire/handshake.hpp"
#include "wire/status.hpp"
#include "wire/transport.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

namespace quorumd::node {

/// The rows of the status table: this node's own, and every member's for whoever asks for all. A member that does not
/// answer within half a second is a row that says so. Belongs to the group's loop.
class status_collector {
 public:
  using receiver = std::function<void(const std::vector<wire::status_row>&)>;

  status_collector(const wire::local_identity& self, group_id group, const raft::core& core, const applier& state,
                   const storage::wal& wal, wire::transport& transport);

  [[nodiscard]] wire::status_row own_row() const;
  /// Asks every member; the rows come in the order of their names.
  void collect(coro::time_point now, receiver r);
  void answered(node_id from, wire::status_answer a);
  void expire(coro::time_point now);

 private:
  struct collection {
    coro::time_point deadline;
    std::vector<wire::status_row> rows;
    std::size_t missing = 0;
    receiver done;
  };
  void finish(collection& c);

  const wire::local_identity& self_;
  group_id group_;
  const raft::core& core_;
  const applier& state_;
  const storage::wal& wal_;
  wire::transport& transport_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, collection> open_; ///< by their ids, the oldest first
};

} // namespace quorumd::node
