#pragma once

#include "coro/task_group.hpp"
#include "daemon/node/node.hpp"
#include "tests/sim/plan.hpp"
#include "tests/sim/sim_disk.hpp"
#include "tests/sim/sim_network.hpp"
#include "tests/sim/sim_worker.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace quorumd::sim {

/// One start of one node: the real node and everything it runs on, from recovery to the end of its object graph.
class process {
 public:
  struct seams {
    scheduler& clock;
    fabric& network;
    sim_disk& disk;
    coro::fatal_hook& fatal;
    node::observer& observer;
    wire::peer_observer& peers;
  };

  /// `told`: what a node that joined, or joins, was told of the cluster; else it is one of those that begin it.
  process(seams s, const plan& p, node_id id, std::uint64_t start, const node::introduction* told = nullptr);
  process(const process&) = delete;
  process& operator=(const process&) = delete;
  /// Never started, or ended and drained.
  ~process();

  /// Recovery; blocking, as in production.
  [[nodiscard]] storage::result<void> open();
  /// Takes part.
  void start();
  /// Leaves in good order.
  void stop(coro::duration grace);
  /// The machine is gone: what runs ends against a frozen disk and a dead network.
  void abandon();
  [[nodiscard]] bool started() const { return started_; }
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] bool has_node() const { return node_ != nullptr; }
  /// Runs what is left to be run on its loops.
  void drain();
  void set_log_worker(worker_options o) { log_worker_.set_options(o); }
  /// Of what prepares segments and reads old entries.
  void set_prepare_worker(worker_options o) { prepare_worker_.set_options(o); }

  void set_snapshot_worker(worker_options o) { snapshot_worker_.set_options(o); }
  [[nodiscard]] const sim_worker& snapshot_worker() const { return snapshot_worker_; }

  [[nodiscard]] node::node& the_node() { return *node_; }
  [[nodiscard]] std::uint64_t number() const { return start_; }

 private:
  static coro::task<void> live(process* p);

  seams seams_;
  const plan& plan_;
  node_id id_;
  std::uint64_t start_;
  const node::introduction* told_;
  std::unique_ptr<coro::loop> group_loop_;
  std::unique_ptr<coro::loop> network_loop_;
  std::unique_ptr<coro::network> network_;
  sim_entropy entropy_;
  sim_worker log_worker_;
  sim_worker prepare_worker_;
  sim_worker snapshot_worker_;
  std::unique_ptr<node::node> node_;
  std::unique_ptr<coro::event> stop_;
  std::unique_ptr<coro::task_group> tasks_;
  coro::duration grace_{};
  bool started_ = false;
  bool ended_ = false;
};

/// The members of the simulated cluster, alike on every node.
[[nodiscard]] wire::local_identity identity_of(std::uint64_t nodes, node_id id);
[[nodiscard]] std::string name_of(node_id id);
[[nodiscard]] std::string address_of(node_id id);

} // namespace quorumd::sim
