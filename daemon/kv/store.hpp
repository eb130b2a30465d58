#pragma once

#include "consensus/types/ids.hpp"
#include "daemon/kv/command.hpp"
#include "daemon/kv/key_index.hpp"
#include "daemon/kv/key_tree.hpp"
#include "daemon/kv/leases.hpp"
#include "daemon/kv/record.hpp"
#include "daemon/kv/result.hpp"
#include "daemon/kv/sessions.hpp"
#include "daemon/kv/work.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

namespace quorumd::kv {

struct options {
  /// due_compaction lets history outgrow what is to be kept by a tenth or by this many revisions, whichever is more.
  std::uint64_t compaction_slack = 1000;
};

/// The state machine: etcd v3's data model in memory. A pure function of the commands applied: no clock, no I/O, no
/// randomness. Belongs to one loop. An empty store is at revision 1; each command that changes something makes the
/// next revision, which all of its operations share. A key's versions are kept until compacted.
///
/// A command whose work grows with the store is applied in slices. Until it is finished nothing of it can be seen: the
/// revision it makes is above every one that can be read, and what is said of the whole store here (applied(), keys(),
/// content_hash() and the like) is said of the revision before it. However the slices fall, the outcome is the same.
class store {
 public:
  explicit store(const options& o);
  store(const store&) = delete;
  store& operator=(const store&) = delete;
  /// Every snapshot_cursor and reading of the store is gone by then.
  ~store();

  /// Begins with the command of the log entry at that index, which is above applied(); the command and its bytes stay
  /// until finish(). Judges it as validate() does; an error changes nothing but applied(). Nobody waits for an answer:
  /// the reply need not hold what the command read. What a session had carried out before is not carried out again: it
  /// comes to what it came to then.
  void begin(log_index index, const command& c, bool answered = true, const session_call& call = {});
  /// Goes on with it for so many visits of records at most; whether it is ready to be finished.
  [[nodiscard]] bool proceed(std::size_t visits_max);
  /// What it came to; once. The reply's views hold until the next begin or compact_step.
  [[nodiscard]] result<reply> finish();
  /// Whether a command is under way, between begin() and finish().
  [[nodiscard]] bool busy() const { return beginning_ != log_index(); }
  /// Records that the command which was begun last has visited.
  [[nodiscard]] std::size_t visits() const { return state_ ? state_->work.visits() : 0; }
  /// All of that at once.
  [[nodiscard]] result<reply> apply(log_index index, const command& c, const session_call& call = {});
  /// Notes an entry that carries no command for the state machine.
  void skip(log_index index);

  /// Reads, all at once; the views hold until the next begin or compact_step. O(log n) for one key, O(keys in the
  /// range) for others: what may be long is for a `reading`.
  [[nodiscard]] result<range_reply> range(const range_request& r) const;

  /// Keeps a readable revision readable on this node, by range() and reading, until unpin(): compact commands go on,
  /// and what they would free stays. As many times as it is unpinned.
  void pin(revision r);
  [[nodiscard]] bool readable(revision r) const { return r >= floor_for(r) && r <= current_; }
  void unpin(revision r);

  [[nodiscard]] log_index applied() const { return applied_; }
  [[nodiscard]] revision current() const { return current_; }
  /// The lowest revision that can be read; 0 before the first compaction.
  [[nodiscard]] revision compacted() const { return compacted_; }
  /// The lowest revision from which on all changes are known, for `history`: compacted(); or, until the next
  /// compaction, the one after it where the state came from a snapshot, which has no tombstones of compacted() itself.
  [[nodiscard]] revision history_floor() const { return compacted_ < history_from_ ? history_from_ : compacted_; }
  /// Keys that exist now.
  [[nodiscard]] std::uint64_t keys() const { return now_.keys; }
  /// Bytes of the keys that exist now and of their values.
  [[nodiscard]] std::uint64_t bytes() const { return now_.bytes; }
  /// About what that which can be read takes in memory, with its history.
  [[nodiscard]] std::uint64_t stored_bytes() const {
    return now_.bytes + now_.keys * record_overhead + now_.attached * attachment_overhead +
           leases_.size() * lease_overhead + history_bytes();
  }
  /// Of it what no read at current() finds.
  [[nodiscard]] std::uint64_t history_bytes() const { return left_behind().bytes - forgotten_sum_.bytes; }
  /// Bytes of keys and values that are in memory, with history and what physical compaction has yet to free. Differs
  /// between nodes at the same applied index; all the others here do not.
  [[nodiscard]] std::uint64_t held_bytes() const { return held_bytes_; }

  /// A hash of everything that can be read: the versions that a read at some revision from compacted() on can find,
  /// the tombstones above compacted(), the two revisions, the settings, the level, the sessions and the leases. Equal
  /// on two nodes at the same applied index, however far their physical compaction is. O(1).
  [[nodiscard]] std::uint64_t content_hash() const;
  /// A hash of the versions that can be read alone, from compacted() on: equal on two nodes at the same current() and
  /// compacted(). O(1).
  [[nodiscard]] std::uint64_t keys_hash() const;
  /// content_hash() computed anew from the versions held: for tests.
  [[nodiscard]] std::uint64_t recompute_content_hash() const;

  /// Frees versions that the last compact command made unreachable, of at most so many changes, oldest first; but keys
  /// that were deleted at compacted() itself stay until the next one, without their values. Returns whether another
  /// call would free more. What a snapshot_cursor can still yield is left alone: call again after the cursor is gone,
  /// as after each compact command.
  bool compact_step(std::size_t changes_max);

  /// The compact command to propose so that no more history stays readable than the settings say; nothing if it has not
  /// outgrown that yet: by options::compaction_slack, where it is revisions that are counted. Does not know of one that
  /// is proposed but not applied.
  [[nodiscard]] std::optional<revision> due_compaction() const;
  /// Nothing before the first configure command.
  [[nodiscard]] const std::optional<kv::settings>& settings() const { return settings_; }
  /// What every member knows, and may be used; 0 before the first raise_level.
  [[nodiscard]] std::uint16_t level() const { return level_; }
  [[nodiscard]] const kv::sessions& sessions() const { return sessions_; }
  [[nodiscard]] const kv::leases& leases() const { return leases_; }
  /// Is told what becomes of the leases from now on; null: nobody. One at a time, which outlives the store or is taken
  /// off it. A state that a snapshot brings is another store.
  void listen(lease_listener* l) { leases_.listen(l); }

 private:
  friend class history;
  friend class reading;
  friend class snapshot_cursor;
  friend class store_builder;
  class walk;
  class page;

  /// What a key takes beside its bytes and its value's, what an older version does beside its value's with the change
  /// that superseded it, and what a change does that superseded nothing.
  static constexpr std::uint64_t record_overhead = 144;
  static constexpr std::uint64_t version_overhead = 96;
  static constexpr std::uint64_t change_overhead = 32;
  /// What a lease takes, and a key beside what it takes anyway where it is attached to one.
  static constexpr std::uint64_t lease_overhead = 160;
  static constexpr std::uint64_t attachment_overhead = 16;

  /// Of what changes left behind: the hashes, and the memory that they keep in use.
  struct sums {
    std::uint64_t hash = 0;
    std::uint64_t bytes = 0;
    /// A change of the key, whose newest version was `before`, to `next`.
    void add(std::string_view key, const version& before, const version& next) {
      if (before.tombstone()) {
        bytes += change_overhead;
        return;
      }
      hash += before.hash + (next.tombstone() ? next.hash : 0);
      bytes += before.value.size() + version_overhead + (next.tombstone() ? key.size() + record_overhead : 0);
    }
  };

  /// A change of a key. It left something unreachable for reads from its revision on, unless it created the key: the
  /// version before it and, if it is a deletion, its own tombstone.
  struct noted_change {
    revision at;
    record* of;
    sums sum; ///< of what this and all earlier changes left behind
  };

  /// What is said of the whole store.
  struct totals {
    std::uint64_t keys = 0;
    std::uint64_t bytes = 0;
    std::uint64_t attached = 0;      ///< of the keys to leases
    std::uint64_t versions_hash = 0; ///< the sum over the versions that can be read
  };

  /// The revision that a command is making, and what it holds so far.
  struct change {
    revision main;
    std::uint32_t subs = 0; ///< the last ones in changes_
    sums sum_before;        ///< superseded_sum_, then
  };

  /// How much a reply may still take. The first item always fits.
  class reply_room {
   public:
    explicit reply_room(std::size_t bytes_max = reply_bytes_max)
        : most_(bytes_max)
        , left_(bytes_max) {}
    [[nodiscard]] std::size_t most() const { return most_; }
    [[nodiscard]] std::size_t taken() const { return most_ - left_; }
    [[nodiscard]] bool take(std::size_t bytes) {
      if (bytes > left_ && !untouched_) return false;
      left_ -= bytes < left_ ? bytes : left_;
      untouched_ = false;
      return true;
    }

   private:
    std::size_t most_;
    std::size_t left_;
    bool untouched_ = true;
  };

  /// One command or reading that runs in slices.
  struct run_state {
    run_state();
    kv::work work;
    revision at;              ///< what compares see, and reads that say no revision unless something is being made
    revision floor;           ///< the lowest that can be read
    change* making = nullptr; ///< null: it only reads
    reply_room room;
    bool answered = true;
    std::size_t visits_max = 0; ///< of compares and ranges; 0: no bound
    std::size_t visits = 0;
    std::optional<errc> failed; ///< nothing that it did is to stay
  };

  /// Which list each transaction runs, outer before inner, in order.
  using path = std::vector<bool>;

  void start(const put& p);
  void start(const delete_range& d);
  void start(const txn& t);
  void start(const compact& c);
  void start(const configure& c);
  void start(const open_session& o);
  void start(const close_session& c);
  void start(const pass_time& t);
  void start(const raise_level& r);
  void start(const grant_lease& g);
  void start(const revoke_lease& r);
  void start(const expire_lease& e);
  void start(const checkpoint_leases& c);
  void start(const lease_question& q);
  [[nodiscard]] sliced<result<reply>> execute(const delete_range& d);
  [[nodiscard]] sliced<result<reply>> execute(const txn& t);
  [[nodiscard]] sliced<result<reply>> end_lease(lease_id id);
  [[nodiscard]] sliced<result<reply>> execute_reads(const txn& t, run_state& s);
  [[nodiscard]] sliced<result<range_reply>> execute_read(const range_request& r, run_state& s) const;

  // What the compares of a transaction decide, and whether its operations can then run.
  [[nodiscard]] sliced<bool> decide(const txn& t, path& decided, run_state& s) const;
  [[nodiscard]] sliced<bool> holds(const compare& c, run_state& s) const;
  [[nodiscard]] bool holds_for_one(const compare& c, revision at) const;
  [[nodiscard]] static bool holds_for_none(const compare& c);
  [[nodiscard]] result<void> check(const put& p) const;
  [[nodiscard]] static result<void> check_readable(revision r, revision floor, revision latest);
  [[nodiscard]] result<void> check(const txn& t, path::const_iterator& decided, const run_state& s) const;

  // Checked operations. False: failed, as the state says.
  [[nodiscard]] put_reply run(const put& p, change& c);
  [[nodiscard]] bool run(const put& p, put_reply& done, run_state& s);
  [[nodiscard]] sliced<bool> run(const delete_range& d, delete_range_reply& done, run_state& s);
  [[nodiscard]] bool erase_one(const delete_range& d, delete_range_reply& done, run_state& s);
  [[nodiscard]] bool erase(record& r, std::optional<key_tree::iterator> at, bool prev_kv, delete_range_reply& done,
                           run_state& s);
  [[nodiscard]] sliced<bool> run(const range_request& r, range_reply& done, run_state& s) const;
  [[nodiscard]] sliced<bool> run(const txn& t, txn_reply& done, path::const_iterator& decided, run_state& s);
  [[nodiscard]] sliced<bool> undo(run_state& s);

  // Reads of a range as of a revision.
  [[nodiscard]] sliced<bool> read(const range_request& r, revision when, range_reply& done, run_state& s) const;
  [[nodiscard]] sliced<bool> read_in_order(const range_request& r, revision when, range_reply& done,
                                           run_state& s) const;
  [[nodiscard]] sliced<bool> read_sorted(const range_request& r, revision when, range_reply& done, run_state& s) const;
  [[nodiscard]] sliced<bool> count(const range_request& r, revision when, range_reply& done, run_state& s) const;
  [[nodiscard]] bool read_one(const range_request& r, revision when, range_reply& done, run_state& s) const;
  /// Counts a visit of a compare or range; false: too many.
  [[nodiscard]] static bool look(run_state& s);
  /// Whether what is live in the tree is what is live at the revision.
  [[nodiscard]] bool exact(revision when) const { return when == (making_.main ? making_.main : current_); }
  [[nodiscard]] std::uint64_t live_in(std::string_view key, std::string_view range_end) const;

  struct placed {
    record* of;
    std::optional<key_tree::iterator> at; ///< if that is known
  };
  /// The record of the key, made if need be.
  placed record_of(std::string_view key);
  void start_change();
  /// Gives the record its next version and keeps the books. `at` is its place in the tree, if that is known.
  void write(record& r, version next, change& c, std::optional<key_tree::iterator> at = {});
  void complete(const change& c);
  [[nodiscard]] std::uint64_t content_hash(std::uint64_t versions, std::uint64_t sessions, std::uint64_t leases) const;
  /// By all changes up to current().
  [[nodiscard]] const sums& left_behind() const { return making_.main ? making_.sum_before : superseded_sum_; }
  void forget_up_to(revision floor);
  [[nodiscard]] bool can_free(revision floor) const;
  void free_superseded(const noted_change& c);
  void free_tombstone(const noted_change& c);
  void remove(record& r);
  /// Below which a read at the revision is refused.
  [[nodiscard]] revision floor_for(revision r) const { return kept_.contains(r) ? r : compacted_; }
  /// Up to where nobody needs what was superseded.
  [[nodiscard]] revision physical_floor() const;

  options options_;
  key_tree tree_; ///< owns the records
  key_index index_;
  /// Every change from the physical floor on at least, in order; freed from the front. Those at the floor itself stay,
  /// and so do their tombstones, since history begins with them.
  std::deque<noted_change> changes_;
  std::size_t freed_ = 0;                 ///< so many in front that have freed what they superseded
  revision history_from_;                 ///< no earlier changes came with the snapshot that this was built of
  sums superseded_sum_;                   ///< the last one's
  sums forgotten_sum_;                    ///< of the last one at or below compacted_
  std::multiset<revision> pinned_floors_; ///< the lowest revisions that cursors, readings and pins need
  std::multiset<revision> kept_;          ///< of them the pins'

  log_index applied_;
  revision current_{1};
  revision compacted_;
  std::optional<kv::settings> settings_;
  std::uint16_t level_ = 0;
  kv::sessions sessions_;
  kv::leases leases_;
  totals now_;     ///< at current_
  totals changed_; ///< with what is being made
  std::uint64_t held_bytes_ = 0;

  // The command under way.
  log_index beginning_; ///< 0: none
  session_call call_;   ///< of a session's
  change making_;       ///< main is 0 while nothing is being made
  std::optional<run_state> state_;
  std::optional<sliced<result<reply>>> running_;
  std::optional<result<reply>> outcome_;
};

/// A read that may be long, done in slices at the revision that is the current one when it begins, or an earlier one,
/// while the store goes on being written and compacted. On the store's loop; gone before the store is. The request and
/// its bytes stay as long.
class reading {
 public:
  reading(store& s, const range_request& r);
  /// A transaction that only reads, as only_reads() says: one whole at the current revision.
  reading(store& s, const txn& t);
  reading(const reading&) = delete;
  reading& operator=(const reading&) = delete;
  ~reading();

  /// Goes on for so many visits of records at most; whether it has ended.
  [[nodiscard]] bool proceed(std::size_t visits_max);
  /// Records visited so far.
  [[nodiscard]] std::size_t visits() const { return state_.work.visits(); }
  /// What the keys and values found so far take in a reply.
  [[nodiscard]] std::size_t reply_bytes() const { return state_.room.taken(); }
  /// What it came to; the views hold until the store's next begin or compact_step, or the reading's end.
  [[nodiscard]] result<range_reply> take_range();
  [[nodiscard]] result<reply> take_txn();

 private:
  store& store_;
  store::run_state state_;
  revision needs_; ///< the lowest one that it reads
  bool pinned_ = false;
  std::optional<error> refused_;
  std::optional<sliced<result<range_reply>>> range_;
  std::optional<sliced<result<reply>>> txn_;
};

/// What it takes in a reply.
[[nodiscard]] inline std::size_t item_bytes(const key_value_view& kv) {
  return kv.key.size() + kv.value.size() + reply_item_bytes;
}

/// The version as clients see it.
[[nodiscard]] inline key_value_view view_of(const record& r, const version& v) {
  return {r.key(), v.value.view(), v.create, v.mod, v.number, v.lease};
}

} // namespace quorumd::kv
