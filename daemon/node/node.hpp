#pragma once

#include "consensus/storage/data_directory.hpp"
#include "consensus/storage/file.hpp"
#include "consensus/storage/wal.hpp"
#include "coro/clock.hpp"
#include "coro/entropy.hpp"
#include "coro/fatal.hpp"
#include "coro/loop.hpp"
#include "coro/net.hpp"
#include "coro/task_group.hpp"
#include "coro/worker.hpp"
#include "daemon/node/group.hpp"
#include "daemon/node/observer.hpp"
#include "daemon/node/request.hpp"
#include "daemon/node/snapshot_fetcher.hpp"
#include "wire/transport.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace quorumd::node {

/// What a node is made of and with. `self` and `listen` are filled into the transport's options.
struct node_options {
  std::string data_dir;
  wire::local_identity self; ///< incarnation and boot id are the node's to fill in; its members begin the cluster
  /// Instead, for a node that joins one which exists: the members as these told it. Counts when the directory is
  /// created.
  std::optional<introduction> joined;
  wire::transport_options transport;
  storage::wal_options wal;
  group_options group; ///< self, seed and members come from here and the data directory
};

/// Everything outside that a node touches; the simulator has its own of each.
struct node_seams {
  coro::loop& group_loop;   ///< the group's and the log's
  coro::loop& network_loop; ///< the peers'; may be the same
  const coro::clock& clock;
  coro::network& network;
  coro::entropy& entropy;
  coro::fatal_hook& fatal;
  storage::file_system& files;
  coro::worker& log_worker;
  coro::worker& prepare_worker;
  coro::worker& snapshot_worker;
  node::observer& observer;
  wire::peer_observer& peer_observer;
};

/// Told as a recovery goes on: bytes done, of how many.
struct recovery_progress {
  storage::recovery_progress snapshot;
  storage::recovery_progress log;
};

/// Gets a snapshot that a recovery cannot do without; `why` says what is damaged.
using snapshot_repair = std::function<storage::result<void>(const wanted_snapshot& wanted, const std::string& why)>;

/// One member of a cluster: its data directory, log, state machine, driver and the streams to its peers.
///
/// open() recovers, start() takes part, stop() leaves in good order; a node that was started must be stopped before it
/// is destroyed.
class node final : private wire::peer_handler {
 public:
  /// Recovers what the data directory holds; blocking, before the loops have anything of this node to run. Errors say
  /// what is wrong with which file and what to do. Where a damaged snapshot is all that is in the way, and there are
  /// other members, `repair` is asked once to bring another.
  [[nodiscard]] static storage::result<std::unique_ptr<node>>
  open(node_options o, node_seams s, const recovery_progress& progress = {}, const snapshot_repair& repair = {});
  ~node() override;

  /// Listens for peers, dials them and runs the group. On the network loop. An error is why it cannot listen.
  [[nodiscard]] coro::task<boost::system::result<void>> start();
  /// Hands leadership over and waits for what is in flight, within the grace; then answers the rest, makes the log
  /// durable, says goodbye to the peers and ends. Nobody may submit any more. On the network loop.
  [[nodiscard]] coro::task<void> stop(coro::duration grace);

  // --- from any loop ---
  void submit(std::vector<write_request>& batch) { group_->submit(batch); }
  void submit(std::vector<read_request>& batch) { group_->submit(batch); }
  /// A sink that has_room() denied has some again.
  void room_returned() { group_->room_returned(); }
  /// Runs f with the group, on the group's loop.
  void call(std::function<void(group&)> f);

  /// Who this node is; the members in it are those of its start.
  [[nodiscard]] const wire::local_identity& self() const { return options_.self; }
  /// How the members that the log knows differ from those of the configuration file, in words; empty: they do not.
  [[nodiscard]] const std::string& members_differ() const { return members_differ_; }
  /// Those that are reached now; from any loop.
  [[nodiscard]] std::vector<wire::member> members() const;
  [[nodiscard]] coro::endpoint peer_endpoint() const { return transport_->listening(); }
  [[nodiscard]] coro::loop& group_loop() const { return seams_.group_loop; }
  [[nodiscard]] coro::loop& network_loop() const { return seams_.network_loop; }
  /// On the group's loop.
  [[nodiscard]] group& the_group() { return *group_; }
  [[nodiscard]] storage::wal& log() { return *wal_; }
  /// On the network loop.
  [[nodiscard]] wire::transport& transport() { return *transport_; }

 private:
  node(node_options o, node_seams s);
  [[nodiscard]] storage::result<void> open_directory();
  [[nodiscard]] storage::result<void> note_promise();
  [[nodiscard]] storage::identity expected_identity() const;
  [[nodiscard]] storage::result<void> check_beginning(const raft::initial_state& recovered, const membership& applied);
  [[nodiscard]] storage::result<void> recover(const recovery_progress& progress, const snapshot_repair& repair);
  [[nodiscard]] storage::result<raft::initial_state> recover_data(applier::state& state,
                                                                  const recovery_progress& progress);
  [[nodiscard]] wanted_snapshot wanted() const;
  [[nodiscard]] storage::result<std::optional<storage::group_snapshot>>
  recover_snapshot(applier::state& state, const storage::recovery_progress& progress);
  [[nodiscard]] storage::result<raft::initial_state> recover_log(const std::optional<storage::group_snapshot>& snapshot,
                                                                 const storage::recovery_progress& progress);
  coro::task<void> run_group();
  coro::task<void> end_group();
  coro::task<void> note_doubt(std::string why);

  void on_peer_up(node_id id, const wire::peer_info& info) override;
  void on_peer_down(node_id id, const std::string& reason) override;
  void on_peer_messages(node_id from, std::vector<wire::peer_message>& batch, wire::inbound_hold hold) override;
  void on_peer_writable(node_id id, bool writable) override;
  std::optional<std::string> check_incarnation(node_id id, incarnation seen, log_index members_index) override;

  // Never change after open().
  node_options options_;
  const node_seams seams_;
  std::unique_ptr<storage::data_directory> directory_;
  cluster_id configured_cluster_;
  roster first_;                                  ///< the members as long as the log does not say who is
  std::vector<storage::error> damaged_snapshots_; ///< that the recovery passed over
  log_index damaged_index_;                       ///< of the newest of them
  std::string members_differ_;

  std::unique_ptr<storage::wal> wal_;
  std::unique_ptr<wire::transport> transport_;
  std::unique_ptr<group> group_;
  coro::task_group group_tasks_; ///< the group's loop

  mutable std::mutex members_mutex_; ///< held to copy a few numbers, at a handshake or when they change
  membership members_;
  std::vector<wire::member> reachable_;
};

} // namespace quorumd::node
