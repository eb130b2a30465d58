#pragma once

#include "tests/sim/cluster.hpp"

#include <map>
#include <optional>

namespace quorumd::sim {

/// One node of the cluster across its starts: its disk, its present process, and what is remembered of it.
class cluster::member final : public coro::fatal_hook, public node::observer, public wire::peer_observer {
 public:
  enum class phase : std::uint8_t { down, up, crashing, ending };

  member(cluster& c, node_id i, prng p)
      : owner(c)
      , id(i)
      , disk(c.clock_, i.value(), p) {}

  // --- what the node says ---
  void fatal(coro::fatal_cause cause, const std::string& reason) override;
  void role_changed(const raft::soft_state& s) override;
  void entry_applied(const entry& e) override;
  void snapshot_taken(log_index index, std::uint64_t) override;
  void snapshot_installed(log_index index) override;
  void member_refused(node_id who, const std::string& why) override;
  void space_changed(bool accepting, const std::string& detail) override {
    note(accepting ? "has space again" : detail);
    if (!accepting) ++owner.counters_[counter::full_disks];
  }
  void corrupt(const std::string& why) override {
    if (!why.empty()) owner.complain("n" + std::to_string(id.value()) + " takes its state for corrupt: " + why);
  }
  void snapshot_failed(const std::string& why) override { note("snapshot failed: " + why); }
  void snapshot_sending(node_id to, log_index index) override;
  void snapshot_send_ended(node_id to, log_index, const std::string& why) override;
  void snapshot_ordered(node_id by, node_id to, log_index at_least) override;
  void snapshot_order_ended(node_id by, node_id to, const std::string& why) override;
  void on_bad_frame(node_id, const std::string&, const std::string& why) override {
    owner.complain("n" + std::to_string(id.value()) + " got a bad frame: " + why);
  }
  void on_handshake_refused(node_id who, const std::string&, const std::string& why) override;

  void note(const std::string& text) const;
  /// For whoever wants the story: "n1 " and the text, at this moment; or what of this member goes on from now on.
  void tell(told::topic t, const std::string& text) const;
  void begins(told::topic t, const std::string& text) const;
  void ends(told::topic t) const;
  [[nodiscard]] process_name name() const { return {id, starts}; }
  [[nodiscard]] node::group& group() { return proc->the_node().the_group(); }
  /// Whether that member votes, as far as this one knows.
  [[nodiscard]] bool votes(node_id who) const;

  cluster& owner;
  const node_id id;
  sim_disk disk;
  std::unique_ptr<process> proc;
  std::uint64_t starts = 0;
  phase now = phase::down;
  bool crashed = false;  ///< and not stopped
  bool outside = false;  ///< its disk is empty, and it does not start before it is told of a cluster to join
  bool impostor = false; ///< its disk was wiped, and it starts as if that had not been
  std::optional<node::introduction> told; ///< when it joined
  coro::duration back_after{};
  coro::time_point paused_until;
  coro::time_point disturbed_at;
  std::uint64_t full_until = 0; ///< the number of the disturbance that a timer ends
  std::uint64_t slow_until = 0;
  std::uint64_t pauses = 0;
  std::optional<coro::time_point> deaf_since; ///< it leads, and no quorum can be heard
  coro::time_point look_again;                ///< whether that is so

  // What was seen last of the present process.
  struct sight {
    raft::soft_state soft;
    log_index first;
    log_index last;
    term last_term;
    log_index commit;
    log_index applied;
    hard_state hard;
    friend bool operator==(const sight&, const sight&) = default;
  };
  sight seen;
  bool seen_any = false;
  std::map<node_id, log_index> sending; ///< snapshots that are on their way
  node::snapshot_traffic sent;          ///< of snapshots by the present process, as counted so far
  revision revision_before;             ///< of the store, before the next entry
  hard_state durable;                   ///< the newest term and vote that were certainly durable, across starts
};

} // namespace quorumd::sim
