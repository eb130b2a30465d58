#pragma once

#include "consensus/raft/core.hpp"
#include "consensus/storage/wal.hpp"
#include "coro/clock.hpp"
#include "daemon/client/status.hpp"
#include "daemon/node/applier.hpp"
#include "daemon/node/member_admin.hpp"
#include "wire/handshake.hpp"
#include "wire/transport.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace quorumd::node {

/// The rows of the status table: this node's own, and every member's for whoever asks for all. A member that does not
/// answer within half a second is a row that says so. One round of questions at a time: who asks meanwhile shares the
/// next one, so that a flood of questions costs the members one each per round. Belongs to the group's loop.
class status_collector {
 public:
  using receiver = std::function<void(const std::vector<client::status_row>&)>;

  status_collector(const wire::local_identity& self, group_id group, const raft::core& core, const applier& state,
                   const storage::wal& wal, wire::transport& transport, const member_admin& members);

  [[nodiscard]] client::status_row own_row() const;
  /// What own_row() says of this node's state.
  void set_corrupt(std::string why) { corrupt_ = std::move(why); }
  /// Asks every member; the rows come in the order of their names.
  void collect(coro::time_point now, receiver r);
  void answered(coro::time_point now, node_id from, std::uint64_t question, wire::decoded<client::status_row> row);
  void expire(coro::time_point now);
  /// Whether somebody waits for an answer.
  [[nodiscard]] bool asked() const { return is_open_; }
  /// Answers everybody with what there is.
  void end();

 private:
  struct collection {
    std::uint64_t id = 0;
    coro::time_point deadline;
    std::vector<client::status_row> rows;
    std::size_t missing = 0;
  };
  void begin(coro::time_point now);
  void finish(coro::time_point now);

  const wire::local_identity& self_;
  group_id group_;
  const raft::core& core_;
  const applier& state_;
  const storage::wal& wal_;
  wire::transport& transport_;
  const member_admin& members_;
  std::string corrupt_;
  std::uint64_t next_id_ = 1;
  bool is_open_ = false;
  collection open_;
  std::vector<receiver> asking_;  ///< for the open one
  std::vector<receiver> waiting_; ///< for the next
};

} // namespace quorumd::node
