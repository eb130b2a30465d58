#pragma once

#include "consensus/raft/configurations.hpp"
#include "consensus/raft/core.hpp"
#include "consensus/raft/load_slot.hpp"
#include "consensus/raft/log.hpp"
#include "consensus/raft/progress.hpp"
#include "consensus/raft/random.hpp"
#include "consensus/raft/roles.hpp"
#include "consensus/raft/writes.hpp"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace quorumd::raft {

/// The inside of the core. Its functions are grouped in files by what they are about; each input ends in a state
/// from which take() can compute everything that is due.
struct core::state {
  state(options o, initial_state s);

  // --- state.cpp: small questions
  [[nodiscard]] follower_progress* peer(node_id id);
  [[nodiscard]] const follower_progress* peer(node_id id) const;
  [[nodiscard]] const configuration& members() const { return configs.current(); }
  [[nodiscard]] leader_role* leading() { return std::get_if<leader_role>(&role); }
  [[nodiscard]] const leader_role* leading() const { return std::get_if<leader_role>(&role); }
  [[nodiscard]] node_id known_leader() const;
  [[nodiscard]] soft_state soft() const;
  [[nodiscard]] bool promotable() const;
  [[nodiscard]] bool disk_stalled() const;
  [[nodiscard]] bool hard_state_in_flight() const { return hard_dirty || writes.hard(); }
  /// Whether this node may stand in for an earlier one of its number, as far as a log goes that ends so: one that holds
  /// the entry by which it joined counts on that one no longer.
  [[nodiscard]] bool has_forgotten(log_index last, quorumd::term last_term) const;
  /// A vote granted to it in this term is to be told as soon as it is durable.
  [[nodiscard]] bool grant_waits(node_id candidate) const;
  [[nodiscard]] bool mutated(raft::mutant m) const { return opt.mutant == m; }
  void send(node_id to, message m) { leaving.push_back({to, std::move(m)}); }
  /// The message leaves once term and vote as they are now are durable.
  void send_with_hard_state(node_id to, message m) { with_hard_state.push_back({to, std::move(m)}); }
  void commit_to(log_index index);
  void apply_done(log_index index);
  void compact(const snapshot_mark& mark, log_index keep_from);
  void load_done(std::uint64_t ticket, std::vector<entry> entries);

  // --- election.cpp
  void tick();
  [[nodiscard]] std::uint32_t quiet_ticks() const;
  void tick_leader(leader_role& l);
  void reset_election_timer();
  void forget_leader_soon(node_id peer);
  void pre_campaign();
  void campaign(bool transfer);
  void self_vote_durable();
  void count_votes();
  void become_follower(term t, node_id leader);
  void become_leader();
  void step_down();
  void receive(node_id from, const vote_request& m);
  void receive_pre_vote(node_id from, const vote_request& m);
  void receive(node_id from, const vote_response& m);
  void receive(node_id from, const timeout_now& m);
  [[nodiscard]] bool in_lease() const;
  [[nodiscard]] bool promised() const { return now < promised_until && !mutated(mutant::lease_without_promise); }
  [[nodiscard]] bool up_to_date(log_index last, term last_term) const;

  // --- follower.cpp
  [[nodiscard]] bool admit_leader(node_id from, term t);
  void tell_term(node_id to, std::uint64_t older_round);
  void receive(node_id from, append_request& m);
  void receive(node_id from, const heartbeat& m);
  void receive(node_id from, const install_snapshot& m);
  void accept(node_id from, append_request& m);
  void refuse(node_id from, const append_request& m);
  void acknowledge(node_id to, log_index match, std::uint64_t round);

  // --- replication.cpp
  [[nodiscard]] boost::system::result<proposed, propose_error> propose(std::span<proposal> batch);
  void receive(node_id from, const append_response& m);
  void receive(node_id from, const heartbeat_response& m);
  void take_promise(follower_progress& p, const heartbeat_response& m);
  [[nodiscard]] follower_progress* answered(node_id from, term t, std::uint64_t round);
  [[nodiscard]] log_index acknowledged_by_quorum() const;
  [[nodiscard]] log_index held_with_data(node_id voter) const;
  [[nodiscard]] bool witnessed(node_id id) const;
  void look_at_laggards(leader_role& l);
  void advance_commit();
  bool transfer(node_id to);
  void tell_transferee();
  [[nodiscard]] node_id transfer_target() const;
  [[nodiscard]] bool heard_lately(const follower_progress& p) const;
  void lead(ready& out);
  void replicate(follower_progress& p, ready& out);
  bool send_append(follower_progress& p, ready& out);
  void send_heartbeat(follower_progress& p, ready& out);
  [[nodiscard]] log_index sendable(const follower_progress& to) const;
  [[nodiscard]] bool notice_due(const follower_progress& p) const;
  [[nodiscard]] bool work_due(const follower_progress& p) const;

  // --- membership.cpp
  [[nodiscard]] boost::system::result<proposed, change_error> change_members(configuration target,
                                                                             std::span<const std::byte> details);
  [[nodiscard]] change_error leave_joint();
  void append_configuration(const configuration& next, std::span<const std::byte> details);
  void configuration_changed();
  void rebuild_peers();
  void finish_change();
  void release_departed(leader_role& l);

  // --- reads.cpp
  void read_index(read_context context);
  void receive(node_id from, const read_index_request& m);
  void receive(node_id from, const read_index_response& m);
  void register_read(node_id from, read_context context);
  void answer_read(const pending_read& r, bool ok, log_index index);
  void begin_rounds(leader_role& l);
  void finish_rounds();
  [[nodiscard]] std::uint64_t lease_until() const;
  [[nodiscard]] bool lease_holds() const;
  void fail_led_reads();
  void fail_forwarded_reads();
  void expire_forwarded_reads();

  // --- output.cpp
  void take(ready& out);
  void persist(ready& out);
  void release(ready& out);
  void release_acknowledgement(ready& out);
  [[nodiscard]] write_number acknowledgement_waits_for() const;
  void hand_out_committed(ready& out);
  [[nodiscard]] bool has_ready() const;
  [[nodiscard]] bool committed_due() const;
  [[nodiscard]] bool needs_write() const { return hard_dirty || installing || handed_to_disk < log.last_index(); }

  // --- never change
  const options opt;

  // --- what the paper calls persistent
  quorumd::term current_term;
  node_id vote;
  bool hard_dirty = false; ///< changed since the last write was handed out
  entry_log log;
  configurations configs;

  // --- volatile
  any_role role;
  log_index commit;
  snapshot_mark snapshot;               ///< the newest there is
  std::vector<node_id> witnesses;       ///< members without data, in any order
  std::vector<follower_progress> peers; ///< every member but oneself, by id, and a leader's departing ones
  random_source random;
  std::uint64_t now = 1;          ///< ticks since the start
  std::uint64_t election_due = 0; ///< the tick at which a follower campaigns
  std::uint64_t leader_heard = 0; ///< the tick
  std::uint64_t promised_until;   ///< the tick before which nobody else is helped to lead
  std::uint64_t clock_us = 0;     ///< the owner's clock
  std::uint32_t ticks_owed = 0;   ///< that passed by it, and are still to be counted

  // --- persisting
  write_tracker writes;
  log_index handed_to_disk;                ///< entries up to here are in some write
  std::optional<snapshot_mark> installing; ///< to go into the next write

  // --- applying
  log_index handed_to_apply;
  log_index applied;
  log_index apply_barrier; ///< an installed snapshot: nothing is handed out before it is applied; 0 for none
  load_slot apply_load;
  std::uint64_t last_ticket = 0;

  // --- what is due to leave
  struct acknowledgement {
    node_id to;
    log_index match;
    std::uint64_t round = 0;
  };
  struct held_message {
    write_number until;
    outgoing what;
  };
  std::vector<outgoing> leaving;
  std::vector<outgoing> with_hard_state;
  std::optional<acknowledgement> ack; ///< since the last take()
  std::vector<held_message> held;     ///< wait for writes that were handed out earlier
  std::vector<read_state> answered_reads;
  soft_state told_soft;
  bool told_configuration = true; ///< which one is in force

  struct forwarded_read {
    read_context context;
    std::uint64_t since = 0;
  };
  std::vector<forwarded_read> forwarded; ///< to the known leader
};

} // namespace quorumd::raft
