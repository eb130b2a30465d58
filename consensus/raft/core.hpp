#pragma once

#include "consensus/raft/message.hpp"
#include "consensus/raft/ready.hpp"

#include <boost/assert/source_location.hpp>
#include <boost/system/result.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace quorumd::raft {

/// Deliberate bugs that the simulator must find; none in production. One build serves all.
enum class mutant : std::uint8_t {
  none,
  ack_before_sync,          ///< an append is acknowledged before it is durable
  vote_request_before_sync, ///< votes are asked for before the own vote is durable
  two_votes_a_term,         ///< the vote given is forgotten
  commit_old_term,          ///< an older term's entry is committed by counting (figure 8)
  skip_conflict_check,      ///< an append is taken without comparing prev_term
  read_without_round,       ///< a read is served without its quorum round
  echo_old_round,           ///< an older term's message is answered with its round
  change_in_one_step,       ///< the voters change without a joint configuration
  change_while_pending,     ///< a change begins while the one before it is not committed
  keep_truncated_members,   ///< a configuration stays in force though its entry was truncated
  keep_replaced_progress,   ///< what a replaced member had acknowledged still counts
  no_check_quorum,          ///< a leader that no majority answers goes on
  count_older_answers,      ///< an answer of an older term counts
  vote_without_log,         ///< a vote is given though the candidate's log is behind
  commit_beyond_match,      ///< followers are told to commit, and do, what they have not matched
  truncate_always,          ///< an append takes away what stands behind its beginning, also where it is the same
  install_over_conflict,    ///< a snapshot leaves what stands behind its index, also where the terms differ
  count_learners,           ///< learners' acknowledgements count
  new_majority_alone,       ///< in a joint configuration the old majority is not asked
  vote_before_joined,       ///< a node that joined with an empty disk votes by what the log says of an earlier one
  read_before_commit,       ///< a new leader answers reads before an entry of its term is committed (case 78)
  lease_without_promise,    ///< followers break what they promised
  forget_promise,           ///< a node that was started again has forgotten what it promised
  lease_for_ever,           ///< a lease does not end while the leader does not hear the time
  lease_in_transfer,        ///< a leader that hands over goes on reading by its lease
  witness_leads,            ///< a witness stands for election
};

struct options {
  group_id group{1};
  node_id self;
  std::uint64_t seed = 1; ///< of the random election timeouts

  /// Of a node that joined with an empty disk: who leads told it in `joined_term` of the members as of the committed
  /// entry `joined_at`. What the log says of it before that entry was of an earlier node of its number, whose votes and
  /// acknowledgements it has forgotten: it obeys no older leader, and votes for nobody without that entry, nor
  /// campaigns without it.
  log_index joined_at;
  term joined_term;

  bool witness = false; ///< holds no data, so that it votes and never leads (see set_witnesses)

  std::uint32_t election_ticks = 30; ///< timeouts are drawn from [this, twice this)
  std::uint32_t heartbeat_ticks = 5;
  std::uint32_t disk_stall_ticks = 60; ///< a leader whose disk finishes no write for longer steps down (case 29)

  std::size_t append_bytes_max = std::size_t{256} * 1024; ///< of entries in one append, unless one entry is larger
  std::uint32_t inflight_appends_max = 256;               ///< unanswered appends to one follower
  std::size_t inflight_bytes_max = std::size_t{8} * 1024 * 1024;
  std::size_t uncommitted_bytes_max = std::size_t{64} * 1024 * 1024; ///< proposals beyond are refused
  std::size_t cache_bytes_max = std::size_t{32} * 1024 * 1024;       ///< of entries kept in memory once applied
  std::size_t committed_bytes_max = std::size_t{4} * 1024 * 1024;    ///< of entries handed out and not applied

  /// Leases of reads (thesis §6.4.1): a follower promises with each answer to a heartbeat that it helps nobody else to
  /// lead for so long, and a leader that a quorum has promised it answers reads at once; 0: neither. Clocks may run
  /// fast or slow by one part in twenty.
  std::uint32_t lease_ticks = 0;
  std::uint32_t promised_ticks = 0; ///< what this node may have promised before it was started
  std::uint32_t tick_us = 10000;    ///< of the owner's clock

  bool auto_leave = true; ///< a joint configuration is left as soon as it is committed; else by leave_joint()

  raft::mutant mutant = mutant::none;
};

/// What recovery found.
struct initial_state {
  hard_state hard;
  snapshot_mark start;        ///< the log's entries follow it; index 0 for a new log, whose members are the cluster's
  std::vector<term_run> runs; ///< of the entries after the start
  std::vector<entry> configurations; ///< those of kind `members` after the start, ascending
  log_index last;                    ///< the last entry; start.index for none
  log_index commit;                  ///< known committed; between start.index and last
  log_index applied; ///< what the state machine already holds, and so committed; between start.index and last
};

/// Why a core must not start from this state, or nothing: a state that no sound recovery yields.
[[nodiscard]] std::optional<std::string> validate(const initial_state& s);

enum class propose_error : std::uint8_t {
  none = 0,
  not_leader,   ///< see soft state for who is
  transferring, ///< leadership is being handed over
  too_much,     ///< uncommitted_bytes_max is reached: try later
};

/// What the error means, in words.
[[nodiscard]] const char* describe(propose_error error);
/// For result<T, propose_error>::value().
[[noreturn]] void throw_exception_from_error(propose_error error, const boost::source_location& where);

/// Why the members are not changed.
enum class change_error : std::uint8_t {
  none = 0,
  not_leader,
  transferring, ///< leadership is being handed over
  not_ready,    ///< the leader has not committed an entry of its own term yet (case 66)
  pending,      ///< another change is not over
  invalid,      ///< no voters, too many, or out of order
};

/// What the error means, in words.
[[nodiscard]] const char* describe(change_error error);
/// For result<T, change_error>::value().
[[noreturn]] void throw_exception_from_error(change_error error, const boost::source_location& where);

/// Where a proposed batch stands in the log: entry i of it is (term, first + i).
struct proposed {
  quorumd::term term;
  log_index first;
};

/// For status and metrics.
struct peer_progress {
  node_id id;
  log_index match;
  log_index next;
  enum class state : std::uint8_t { probe, replicate, snapshot } state = state::probe;
  bool recently_active = false;
};

/// The Raft state of one group: elections with pre-vote and check-quorum, replication, the commit rule, ReadIndex,
/// snapshots, leadership transfer (Ongaro's thesis). No input or output, clock, randomness, logging or threads of its
/// own: the same inputs give the same outputs.
///
/// The driver calls the inputs, then take(), and carries the output out as `ready` says. Several inputs may precede
/// one take(): their outputs are merged (one acknowledgement covers all that one write covers). The core never waits
/// for a write: it goes on with later inputs, and what depends on a write is held back by its number.
///
/// A broken invariant aborts the process.
class core {
  friend struct core_probe; ///< of the tests: copies a core and reads all of it

 public:
  /// The state passes validate().
  core(options o, initial_state s);
  ~core();
  core(const core&) = delete;
  core& operator=(const core&) = delete;

  // --- inputs -------------------------------------------------------------------------------------------------
  /// Time passed by one tick (10 ms in production).
  void tick();
  /// The owner's clock, in microseconds from any beginning: not earlier than before, and for a read that is asked for
  /// later not earlier than that. Only leases look at it. `ticks_owed` of its ticks are still to come.
  void set_clock(std::uint64_t us, std::uint32_t ticks_owed = 0);
  /// So many ticks from now on do nothing but count, unless some other input comes: nobody need wake for them.
  [[nodiscard]] std::uint32_t quiet_ticks() const;
  /// A message arrived from a member. Terms and indexes are at most number_max and entries of an append are dense and
  /// ascending: the codec checks. The sender belongs to the cluster, as whoever
  /// let it connect made sure; that it is no member, as far as this node knows, does not matter: this node may not know
  /// yet (thesis §4.1).
  void step(node_id from, message m);
  /// Appends the commands, all or none. They are sealed (moved from) only on success.
  [[nodiscard]] boost::system::result<proposed, propose_error> propose(std::span<proposal> batch);
  /// Makes the target's voters and learners the members: at once, if the voters stay as they are; else through a joint
  /// configuration (thesis §4.3), which the leader leaves when it is committed. `details` is the owner's, and stands in
  /// the entry, and in that which leaves; in the latter not if the former stands before the kept log. A leader that is
  /// no voter in the end steps down then.
  [[nodiscard]] boost::system::result<proposed, change_error> change_members(configuration target,
                                                                             std::span<const std::byte> details);
  /// Leaves a joint configuration that is committed; for options without auto_leave.
  [[nodiscard]] change_error leave_joint();
  /// Those among the members that hold terms and indexes only, and no data. They vote and acknowledge, and never lead;
  /// they are sent what a voter with data, and one that stays, holds durably.
  /// What a leader and witnesses hold alone is committed only as long as no other voter with data is heard that has
  /// been near the log's end within an election timeout: else the loss of one disk would lose it.
  void set_witnesses(std::vector<node_id> ids);
  /// Asks for a linearizable read (thesis §6.4): the answer comes as a read_state, later or in the next ready. A
  /// follower asks the leader; without a known leader the answer is not ok.
  void read_index(read_context context);
  /// Of what this node proposed as leader, by now.
  [[nodiscard]] std::size_t uncommitted_bytes() const;
  /// Hands leadership to the member, which catches up first (thesis §3.10). Not the leader or not a voter: nothing
  /// happens and the answer is false. Given up after an election timeout.
  bool transfer_leadership(node_id to);
  /// The best target for a transfer: the voter with the highest match that was heard lately; 0 for none.
  [[nodiscard]] node_id transfer_target() const;
  /// Campaigns at once, without waiting for the timeout; with pre-vote.
  void campaign();

  /// Write n and all before are durable.
  void persisted(write_number n);
  /// The state machine holds everything up to index.
  void applied(log_index index);
  /// The answer to a load_request.
  void loaded(std::uint64_t ticket, std::vector<entry> entries);
  /// A snapshot was made and covers everything up to the mark, which is applied: entries up to `keep_from` (exclusive)
  /// need not be kept. The driver truncates the log itself.
  void compacted(snapshot_mark mark, log_index keep_from);
  /// The snapshot for the member ended: it arrived and was acknowledged by its driver, or not.
  void snapshot_sent(node_id to, bool success);
  /// Another, empty data directory stands for the member from now on: what it had acknowledged counts no longer. It
  /// does not vote in the configuration in force.
  void replaced(node_id member);
  /// Messages to the member may have been lost: go back to probing.
  void unreachable(node_id peer);
  /// The stream to the member is full, or has room again: no appends to it meanwhile.
  void set_writable(node_id peer, bool writable);
  /// The stream to the member broke. If it was the leader, its lease is forgotten and a pre-vote follows after a
  /// short random delay.
  void stream_reset(node_id peer);

  // --- output -------------------------------------------------------------------------------------------------
  /// Moves everything that became due into `out`, which is empty.
  void take(ready& out);
  /// Whether take() would give something.
  [[nodiscard]] bool has_ready() const;

  // --- state --------------------------------------------------------------------------------------------------
  [[nodiscard]] soft_state soft() const;
  [[nodiscard]] hard_state hard() const;
  [[nodiscard]] log_index commit() const;
  [[nodiscard]] log_index last_index() const;
  [[nodiscard]] log_index first_index() const; ///< of the kept log
  [[nodiscard]] log_index persisted_index() const;
  /// The term of an index of the kept log or its start; term 0 beyond.
  [[nodiscard]] term term_at(log_index index) const;
  /// Those in force: of the newest entry of kind `members`, committed or not.
  [[nodiscard]] const configuration& members() const;
  /// Those that were in force at an index of the kept log, or its start.
  [[nodiscard]] const configuration& members_at(log_index index) const;
  /// The entry that members() came with; null if it stands before the kept log.
  [[nodiscard]] const entry* members_entry() const;
  /// Whether they are not committed, or joint.
  [[nodiscard]] bool changing_members() const;
  [[nodiscard]] std::vector<peer_progress> progress() const;
  /// Until when, by the owner's clock, this leader may answer reads without asking anybody; 0: it may not.
  [[nodiscard]] std::uint64_t lease_until_us() const;
  /// Whether it may now.
  [[nodiscard]] bool lease_holds() const;

 private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace quorumd::raft
