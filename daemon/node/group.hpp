#pragma once

#include "consensus/raft/core.hpp"
#include "consensus/storage/wal.hpp"
#include "coro/fatal.hpp"
#include "coro/loop.hpp"
#include "coro/mailbox.hpp"
#include "coro/task.hpp"
#include "coro/task_group.hpp"
#include "coro/worker.hpp"
#include "daemon/node/applier.hpp"
#include "daemon/node/bugs.hpp"
#include "daemon/node/consistency.hpp"
#include "daemon/node/fair_queue.hpp"
#include "daemon/node/forward_replies.hpp"
#include "daemon/node/forward_table.hpp"
#include "daemon/node/lease_keeper.hpp"
#include "daemon/node/member_admin.hpp"
#include "daemon/node/member_relay.hpp"
#include "daemon/node/observer.hpp"
#include "daemon/node/peer_map.hpp"
#include "daemon/node/pending_table.hpp"
#include "daemon/node/read_queue.hpp"
#include "daemon/node/read_server.hpp"
#include "daemon/node/request.hpp"
#include "daemon/node/revision_ages.hpp"
#include "daemon/node/revision_pins.hpp"
#include "daemon/node/sink_set.hpp"
#include "daemon/node/snapshot_copies.hpp"
#include "daemon/node/snapshot_delegation.hpp"
#include "daemon/node/snapshot_installer.hpp"
#include "daemon/node/snapshot_place.hpp"
#include "daemon/node/snapshot_sender.hpp"
#include "daemon/node/snapshot_taker.hpp"
#include "daemon/node/stage_recorder.hpp"
#include "daemon/node/status_collector.hpp"
#include "daemon/node/succession.hpp"
#include "daemon/node/watches.hpp"
#include "wire/transport.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace quorumd::node {

struct group_options {
  raft::options raft;
  wire::local_identity self;
  coro::duration tick = std::chrono::milliseconds(10);
  /// What one turn may do for the state machine before whoever else waits for the loop has their turn. Reads, and what
  /// compaction frees, have a part of it each for themselves.
  coro::duration turn_budget = std::chrono::milliseconds(2);
  std::size_t slice_cost = 256; ///< of applying and reading, between two looks at the clock: see applier::proceed
  kv::settings initial;         ///< of the cluster, if this node leads it before there are any
  revision_pin_options pins;
  lease_keeper::options leases;
  kv::watch_hub_options watches;
  coro::duration time_interval = std::chrono::seconds(20); ///< between two words of the leader on how time passes
  std::size_t waiting_max = 65'536;                        ///< requests that wait for a leader
  /// Commands, in bytes, that are proposed and not applied, or forwarded and not answered, at a time; the others wait
  /// for their turn. Enough to keep the disks busy, little enough to wait behind.
  std::size_t ahead_bytes_max = std::size_t{4} * 1024 * 1024;
  std::size_t bulk_ahead_bytes_max = std::size_t{1} * 1024 * 1024; ///< likewise, beyond which bulk waits
  snapshot_policy snapshots;
  snapshot_transfer_options transfers;
  /// A member's number by its name; 0 if that can be no name. Without it no member is ever added.
  std::function<node_id(std::string_view)> id_of = [](std::string_view) { return node_id(); };
  node::consistency::options consistency;
  std::string corrupt; ///< why its state counted for nothing when it ran last; empty: it counted
  node::bugs bugs;
};

/// What happened to the stream of a peer, in order with its messages.
struct peer_event {
  enum class kind : std::uint8_t { up, down, full, room, messages };
  node_id from;
  kind what = kind::messages;
  quorumd::incarnation incarnation;         ///< of `up`
  std::uint64_t features = 0;               ///< of `up`: that both have
  log_index members_index;                  ///< of `up`
  std::string name;                         ///< of `up`
  std::string client_address;               ///< of `up`
  std::vector<wire::peer_message> messages; ///< of `messages`
  wire::inbound_hold hold;                  ///< until they are taken
};

/// The driver of one Raft group and the sole owner of its core and its state machine. Everything that comes to the
/// group comes through its inbox; one turn takes all of it, lets the core decide, and carries out what it says:
/// messages leave while the log writes, acknowledgements leave when it has, what is committed is applied, and the
/// answers of the whole turn leave together.
///
/// Belongs to one loop; submit() and deliver() may be called from any.
class group final : public storage::completion {
 public:
  struct seams {
    coro::loop& loop;
    storage::wal& wal;
    snapshot_place snapshots;
    wire::transport& transport;
    coro::worker& snapshot_worker;
    node::observer& observer;
    coro::fatal_hook& fatal;
    /// Ends the stream of a member whose data directory is not the one on record.
    std::function<void(node_id, const std::string& reason)> refuse;
    /// What is on record, or who is to be reached, may have changed.
    std::function<void(const membership&, const std::vector<wire::member>& reachable)> members_changed;
    /// The state counts for nothing any more, and why, or counts again (empty): that is to outlive the node.
    std::function<void(const std::string& why)> corrupt;
  };

  group(group_options o, seams s, const raft::initial_state& recovered, applier::state state);
  ~group() override;

  // --- from any thread ---
  void submit(std::vector<write_request>& batch) { writes_inbox_.push_all(batch); }
  void submit(std::vector<read_request>& batch) { reads_inbox_.push_all(batch); }
  void deliver(peer_event e) { peers_inbox_.push(std::move(e)); }
  /// Runs f on the group's loop in its next turn.
  void call(std::function<void()> f) { calls_inbox_.push(std::move(f)); }

  /// Some sink that had no room may have it now.
  void room_returned() { room_inbox_.push({}); }

  // --- on the group's loop ---
  /// Endless: turns whenever something came, and ticks. Cancelled to end; throws nothing else.
  [[nodiscard]] coro::task<void> run();
  /// Hands leadership over, if this node leads, and waits until another does or the time is up. New requests are
  /// refused from now on.
  [[nodiscard]] coro::task<void> drain(coro::duration at_most);
  /// Waits until everything that was recovered as committed is applied, or the time is up: whether it is.
  [[nodiscard]] coro::task<bool> catch_up(coro::duration at_most);
  /// Answers everything that still waits; after run() has ended and nobody submits any more.
  void fail_all();

  /// The sink is flushed when this turn ends: for answers that it makes itself, in a call() or a status receiver.
  void flush_later(reply_sink& s) { sinks_.add(s); }
  [[nodiscard]] coro::time_point now() const { return seams_.loop.now(); }
  [[nodiscard]] status_collector& status() { return status_; }
  [[nodiscard]] member_admin& members() { return admin_; }
  /// Of whatever member leads: it is asked if it is another.
  void change_members(const client::member_change& c, coro::time_point deadline, member_admin::receiver done);
  [[nodiscard]] snapshot_copies& copies() { return copies_; }
  [[nodiscard]] node::watches& watching() { return watching_; }
  /// Whether puts are refused for want of space, on the disk or in the store.
  [[nodiscard]] bool is_full() const { return !seams_.wal.accepting_puts() || !over_quota(1).empty(); }
  /// Why this node's state counts for nothing, so that it serves none of it; empty: it counts. It votes and keeps the
  /// log as before, but hands leadership over, and takes and sends no snapshot.
  [[nodiscard]] const std::string& corrupt() const { return corrupt_; }
  /// The members whose states are known to count for nothing, and why.
  [[nodiscard]] const std::map<node_id, std::string>& corrupt_members() const { return consistency_.corrupt(); }
  /// Whether the store has used so much of its quota that the observer was told.
  [[nodiscard]] bool is_nearly_full() const { return nearly_full_; }
  /// Whether no leader has been known for three election timeouts, and three seconds.
  [[nodiscard]] bool leaderless() const;
  [[nodiscard]] const raft::soft_state& soft() const { return soft_; }
  /// Where clients reach the leader; empty if it is this node, unknown, or has not said.
  [[nodiscard]] std::string_view leader_address() const;
  [[nodiscard]] std::size_t waiting_requests() const { return pending_.size() + forwards_.size() + writes_.size(); }
  [[nodiscard]] const raft::core& core() const { return core_; }
  [[nodiscard]] const applier& state() const { return applier_; }
  /// Where the time of requests went.
  [[nodiscard]] const group_metrics& metrics() const { return stages_.metrics(); }
  /// What stands in queues now.
  [[nodiscard]] queue_depths depths() const;
  void add_to(group_mailboxes& sum);

  void wal_persisted(group_id, raft::write_number up_to) override;
  void wal_failed(const storage::error& e) override;

 private:
  coro::task<void> run_turns();
  coro::task<void> wake_at(coro::time_point at);
  coro::task<void> load(raft::load_request r);

  // One turn.
  void turn();
  void take_inbox(std::uint32_t ticks_owed);
  static constexpr std::uint32_t house_keeping_ticks = 5;
  [[nodiscard]] bool is_witness(node_id id) const {
    return std::find(witnesses_.begin(), witnesses_.end(), id) != witnesses_.end();
  }
  [[nodiscard]] std::uint64_t lease_clock() const { return seams_.loop.timers().the_clock().boot_us(); }
  [[nodiscard]] std::uint32_t count_ticks();
  void take_ticks(std::uint32_t count, std::uint32_t counted);
  void sleep_until_due();
  void carry_out(raft::ready& r);
  void send(std::vector<raft::outgoing>& messages);
  struct held_back;
  void say_how_long(held_back& h);
  void persist(raft::ready& r);
  void go_on(coro::time_point until);
  void apply_some();
  coro::task<void> free_elsewhere(applier::state s);
  void compact_some();
  void follow(const raft::soft_state& s);
  void judged(const std::string& why);
  void refuse_all(request_errc why, const std::string& detail);
  /// This node cannot go on.
  void stop(coro::fatal_cause cause, const std::string& why);

  // Requests (group_requests.cpp).
  void admit(write_request r);
  void take_writes();
  bool forget_applied();
  [[nodiscard]] bool take_write(write_request& r);
  [[nodiscard]] bool may_take_writes() const;
  /// Bytes of commands, and how many of them are bulk.
  struct command_bytes {
    std::size_t all = 0;
    std::size_t bulk = 0;
    void add(std::size_t bytes, bool is_bulk) {
      all += bytes;
      if (is_bulk) bulk += bytes;
    }
    command_bytes& operator+=(const command_bytes& o) {
      all += o.all;
      bulk += o.bulk;
      return *this;
    }
    command_bytes& operator-=(const command_bytes& o) {
      all -= o.all;
      bulk -= o.bulk;
      return *this;
    }
  };
  [[nodiscard]] command_bytes ahead() const;
  [[nodiscard]] node_id reachable_leader() const;
  void propose_batch();
  void wait_again(write_request r);
  void forward(node_id leader, write_request r);
  void accept(read_request r);
  void serve_reads();
  void serve_watches();
  [[nodiscard]] read_server::slice serve(read_request& r);
  read_server::slice answer(const read_request& r, const kv::result<kv::range_reply>& found);
  void keep_readable(const read_request& r, revision current);
  void retry_waiting();
  void expire(coro::time_point now);
  void fail_write(const reply_to& to, request_errc why, std::string_view detail = {});
  void propose_own(entry_kind kind, std::span<const std::byte> payload);
  void keep_house();
  void keep_settings();
  [[nodiscard]] std::string raise_level(std::uint16_t level);
  void keep_time();
  [[nodiscard]] bool knows_level() const;
  struct level_objection;
  [[nodiscard]] level_objection objection_to(std::uint16_t level) const;
  void note_age();
  void compact_history();
  [[nodiscard]] std::string over_quota(std::uint64_t more) const;
  void watch_quota();

  // Leases (group_leases.cpp).
  void ask_about_lease(write_request r);
  [[nodiscard]] read_server::slice answer_about_lease(read_request& r);
  void ask_elsewhere(read_request r);
  void keep_leases();
  void expire_leases();
  void tell_of_leases(const kv::checkpoint_leases& c);
  [[nodiscard]] coro::time_point leases_due() const;

  // Peers (group_peers.cpp).
  void take(peer_event& e);
  void receive(node_id from, wire::raft_message m);
  void receive(node_id from, wire::forward_request m);
  void receive(node_id from, wire::forward_reply m);
  void receive(node_id from, wire::snapshot_chunk m);
  void receive(node_id from, wire::snapshot_credit m);
  void receive(node_id from, const wire::snapshot_order& m);
  void receive(node_id from, const wire::snapshot_report& m);
  void receive(node_id from, wire::status_query m);
  void receive(node_id from, wire::status_answer m);
  void receive(node_id from, wire::relay_request m);
  void receive(node_id from, const wire::relay_reply& m);
  [[nodiscard]] bool can_unpack(node_id id) const;
  [[nodiscard]] std::optional<log_index> pinned(log_index floor) const;
  void check_members();
  void record_members();
  void follow_members();
  void tell_members();
  void leave_if_removed();
  [[nodiscard]] std::string removed_text() const;

  const group_options options_;
  const seams seams_;
  const log_index recovered_; ///< committed, as this node knew before its start: nobody reads what is older

  // Everything below belongs to the group's loop.
  coro::event wake_;
  coro::mailbox<write_request> writes_inbox_;
  coro::mailbox<read_request> reads_inbox_;
  coro::mailbox<peer_event> peers_inbox_;
  coro::mailbox<std::function<void()>> calls_inbox_;
  coro::mailbox<std::monostate> room_inbox_;
  std::vector<write_request> writes_in_;
  std::vector<read_request> reads_in_;
  std::vector<peer_event> peers_in_;
  std::vector<std::function<void()>> calls_in_;
  std::vector<std::monostate> room_in_;

  peer_map peers_;
  /// Who has a stream, and until which tick: of a member always, of who is none any more for a while, so that it
  /// learns.
  struct reach {
    wire::member who;
    std::uint64_t until = 0; ///< 0: a member
  };
  std::map<node_id, reach> reachable_;
  std::vector<node_id> witnesses_; ///< by the newest entry
  log_index members_seen_;         ///< of the roster that the observer was told last
  std::uint64_t removed_at_ = 0;   ///< tick; 0: this node is a member
  sink_set sinks_;
  pending_table pending_;
  forward_table forwards_;
  fair_queue<write_request> writes_; ///< wait for their turn, or for a leader
  read_queue reads_;
  applier applier_;
  node::watches watching_;
  lease_keeper leases_;
  std::vector<read_request> lease_waits_; ///< questions that the log is to hear something before
  coro::time_point leases_held_until_;    ///< the log took none of what is over
  revision_pins pins_;
  read_server ready_reads_; ///< refers to the state
  raft::core core_;
  raft::soft_state soft_;
  raft::ready ready_;
  chunk_arena arena_;
  forward_replies forward_replies_;
  coro::task_group tasks_;
  snapshot_pace pace_;
  struct timed_write {
    raft::write_number number;
    coro::time_point submitted;
  };
  std::optional<timed_write> timed_write_; ///< one at a time, for the pace
  stage_recorder stages_;
  snapshot_context snapshots_;
  snapshot_taker taker_;
  snapshot_sender sender_;
  snapshot_delegation delegation_;
  snapshot_installer installer_;
  snapshot_copies copies_;
  member_admin admin_;
  member_relay relay_;
  status_collector status_;
  std::string corrupt_;
  consistency consistency_;
  succession succession_;

  std::vector<write_request> proposing_; ///< the writes of this turn
  std::vector<proposal> batch_;          ///< their commands
  command_bytes proposing_bytes_;
  struct proposed_batch {
    log_index last;
    command_bytes bytes;
  };
  std::deque<proposed_batch> proposed_; ///< as leader, and not applied yet
  command_bytes proposed_bytes_;
  bool writes_held_ = false; ///< the core takes none now
  struct held_back {
    raft::write_number number;
    std::vector<raft::outgoing> messages;
    coro::time_point taken; ///< the turn that made them began
  };
  std::deque<held_back> held_back_; ///< until their write is durable
  struct installing {
    raft::write_number number;
    applier::state state;
  };
  std::deque<installing> installing_; ///< received snapshots, each to take over once its write is durable
  coro::time_point ticked_;           ///< up to when the ticks are counted
  std::uint32_t ahead_ = 0;           ///< ticks from then on to be slept through
  coro::time_point wakes_ = coro::time_point::max(); ///< when a turn comes though nothing happened
  std::uint64_t ticks_ = 0;
  std::optional<revision> compaction_proposed_; ///< in this term, as leader
  revision_ages ages_;
  std::optional<term> settings_proposed_;
  struct {
    term in;
    std::uint16_t level = 0;
  } level_proposed_;
  std::optional<coro::time_point> time_counted_; ///< up to when, as leader; nothing: there is no session
  std::optional<kv::settings> settings_seen_;
  coro::time_point leaderless_since_; ///< while no leader is known
  bool draining_ = false;
  bool failed_ = false;
  bool space_ = true;
  bool nearly_full_ = false;
  std::uint64_t led_since_ = 0;           ///< tick
  std::uint64_t members_recorded_at_ = 0; ///< tick
};

} // namespace quorumd::node
