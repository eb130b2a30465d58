#pragma once

#include "coro/event.hpp"
#include "coro/task.hpp"
#include "daemon/node/snapshot_place.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <string>

namespace quorumd::node {

/// Receives the leader's snapshot into a file, checks it whole, publishes it and builds the state it holds; only then
/// the core hears of it and decides. The state takes over when the core's own record of it is durable. Belongs to the
/// group's loop.
class snapshot_installer {
 public:
  explicit snapshot_installer(snapshot_context& context)
      : context_(context)
      , came_(context.loop) {}

  /// Endless: takes chunks as they come. Cancelled to end.
  [[nodiscard]] coro::task<void> run();
  void take(node_id from, wire::snapshot_chunk c);
  void peer_lost(node_id peer);

  /// The prepared state of that snapshot, which the core has decided to install.
  [[nodiscard]] applier::state take_prepared(const snapshot_mark& mark);
  /// Lets a prepared state go that the core, whose outputs were all carried out, did not want.
  void drop_unwanted();

 private:
  struct arrived {
    node_id from;
    wire::snapshot_chunk chunk;
  };
  struct prepared_state {
    snapshot_mark mark;
    applier::state state;
  };
  struct transfer {
    node_id from;
    std::uint64_t number = 0;
    snapshot_mark mark;
    std::unique_ptr<storage::snapshot_receiver> receiver;
  };
  [[nodiscard]] coro::task<void> receive(arrived a);
  [[nodiscard]] coro::task<storage::result<void>> begin(node_id from, wire::snapshot_chunk c);
  [[nodiscard]] coro::task<storage::result<void>> finish(quorumd::term term);
  void refuse(node_id from, const wire::snapshot_chunk& c, const storage::error& e);
  void credit(node_id to, std::uint64_t number, std::uint64_t offset, wire::snapshot_status status, std::string text);

  snapshot_context& context_;
  coro::event came_;
  std::deque<arrived> arrived_;
  std::optional<transfer> transfer_;
  std::optional<prepared_state> prepared_;
};

} // namespace quorumd::node
