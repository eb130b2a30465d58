#pragma once

#include "coro/event.hpp"
#include "coro/task.hpp"
#include "daemon/node/snapshot_place.hpp"
#include "daemon/node/state_builder.hpp"
#include "wire/chunk_packing.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

namespace quorumd::node {

/// Receives the leader's snapshot into a file, checks it whole while it builds the state it holds, and publishes it;
/// only then the core hears of it and decides. The state takes over when the core's own record of it is durable.
/// Belongs to the group's loop.
class snapshot_installer {
 public:
  explicit snapshot_installer(snapshot_context& context)
      : context_(context)
      , came_(context.loop) {}

  /// Endless: takes chunks as they come. Cancelled to end.
  [[nodiscard]] coro::task<void> run();
  void take(node_id from, wire::snapshot_chunk c);
  void peer_lost(node_id peer);
  /// Tells who sends that this node is at work, and looks for what the log has passed; called a few times a second.
  void keep_house();

  /// The prepared state of that snapshot, which the core has decided to install.
  [[nodiscard]] applier::state take_prepared(const snapshot_mark& mark);
  /// Lets a prepared state go that the core, whose outputs were all carried out, did not want.
  void drop_unwanted();
  /// The state of that index took over, durably: what lies below is of no use.
  void installed(log_index index);

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
    wire::chunk_unpacker unpacker; ///< the worker's
  };
  /// What a sender hears while a job runs, however long it takes.
  struct sign_of_life {
    node_id to;
    std::uint64_t number = 0;
    std::uint64_t offset = 0;
    coro::time_point said;
  };
  using whole_reader = std::unique_ptr<storage::snapshot_reader>;
  [[nodiscard]] coro::task<void> receive(arrived a);
  [[nodiscard]] coro::task<storage::result<void>> begin(node_id from, wire::snapshot_chunk c);
  [[nodiscard]] coro::task<storage::result<void>> finish(quorumd::term term, node_id leader);
  // References: the caller awaits in the same statement.
  [[nodiscard]] coro::task<storage::result<void>> build(quorumd::term term, storage::snapshot_reader& reader,
                                                        state_builder& builder);
  [[nodiscard]] coro::task<void> abandon();
  [[nodiscard]] coro::task<void> remove_useless();
  [[nodiscard]] bool has_useless() const {
    return installed_ || (unfinished_ && unfinished_ <= context_.core.commit());
  }
  [[nodiscard]] bool passed(const snapshot_mark& mark) const { return mark.index <= context_.core.commit(); }
  void refuse(node_id from, std::uint64_t number, const storage::error& e);
  void credit(node_id to, std::uint64_t number, std::uint64_t offset, wire::snapshot_status status, std::string text);

  snapshot_context& context_;
  coro::event came_;
  std::deque<arrived> arrived_;
  std::optional<transfer> transfer_;
  std::optional<prepared_state> prepared_;
  std::optional<sign_of_life> life_;
  log_index unfinished_; ///< what the file of an unfinished transfer is of, if there is one
  log_index installed_;  ///< snapshots below it are to be removed; 0: none
};

} // namespace quorumd::node
