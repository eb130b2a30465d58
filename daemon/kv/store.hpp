#pragma once

#include "consensus/types/ids.hpp"
#include "daemon/kv/command.hpp"
#include "daemon/kv/record.hpp"
#include "daemon/kv/result.hpp"

#include <absl/container/btree_map.h>
#include <absl/container/flat_hash_set.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
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
class store {
 public:
  explicit store(const options& o);
  store(const store&) = delete;
  store& operator=(const store&) = delete;
  /// Every snapshot_cursor of the store is gone by then.
  ~store();

  /// Applies the command of the log entry at that index, which is above applied(). Judges it as validate() does; an
  /// error changes nothing but applied(). The reply's views hold until the next apply or compact_step.
  [[nodiscard]] result<reply> apply(log_index index, const command& c);
  /// Notes an entry that carries no command for the state machine.
  void skip(log_index index);

  /// Reads; the views hold until the next apply or compact_step. O(keys in the range), unless skip_count and a limit
  /// or page end it sooner.
  [[nodiscard]] result<range_reply> range(const range_request& r) const;

  [[nodiscard]] log_index applied() const { return applied_; }
  [[nodiscard]] revision current() const { return current_; }
  /// The lowest revision that can be read; 0 before the first compaction.
  [[nodiscard]] revision compacted() const { return compacted_; }
  /// Keys that exist now.
  [[nodiscard]] std::uint64_t keys() const { return keys_; }
  /// Bytes of the keys that exist now and of their values.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  /// Bytes of keys and values that are in memory, with history and what physical compaction has yet to free. Differs
  /// between nodes at the same applied index; all the others here do not.
  [[nodiscard]] std::uint64_t held_bytes() const { return held_bytes_; }

  /// A hash of everything that can be read: the versions that a read at some revision from compacted() on can find,
  /// the tombstones above compacted(), and the two revisions. Equal on two nodes at the same applied index, however
  /// far their physical compaction is. O(1).
  [[nodiscard]] std::uint64_t content_hash() const;
  /// The same computed anew from the versions held: for tests.
  [[nodiscard]] std::uint64_t recompute_content_hash() const;

  /// Frees versions that the last compact command made unreachable, of at most so many changes, oldest first. Returns
  /// whether another call would free more. What a snapshot_cursor can still yield is left alone: call again after
  /// the cursor is gone, as after each compact command.
  bool compact_step(std::size_t changes_max);

  /// The compact command to propose so that the last keep_revisions revisions stay readable; nothing if history has
  /// not outgrown that by options::compaction_slack yet. Does not know of one that is proposed but not applied.
  [[nodiscard]] std::optional<revision> due_compaction(std::uint64_t keep_revisions) const;

 private:
  friend class snapshot_cursor;
  friend class store_builder;

  using map = absl::btree_map<std::string_view, std::unique_ptr<record>, std::less<>>;

  /// A record with its key's hash, so that growing the table reads no keys.
  struct indexed {
    std::size_t hash;
    record* of;
  };
  struct index_hash {
    using is_transparent = void;
    std::size_t operator()(const indexed& i) const { return i.hash; }
    std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>{}(key); }
  };
  struct index_equal {
    using is_transparent = void;
    bool operator()(const indexed& a, const indexed& b) const { return a.of == b.of; }
    bool operator()(const indexed& a, std::string_view key) const { return a.of->key() == key; }
    bool operator()(std::string_view key, const indexed& a) const { return a.of->key() == key; }
  };

  /// A change that left something unreachable for reads from its revision on: the version before it and, if it is a
  /// deletion, its own tombstone.
  struct superseding {
    revision at;
    record* of;
    std::uint64_t hash_sum; ///< of what this and all earlier changes left behind
  };

  /// The revision that a command is making, and how many changes it holds so far.
  struct change {
    revision main;
    std::uint32_t subs = 0;
  };

  /// Which list each transaction runs, outer before inner, in order.
  using path = std::vector<bool>;

  [[nodiscard]] result<reply> execute(const put& p);
  [[nodiscard]] result<reply> execute(const delete_range& d);
  [[nodiscard]] result<reply> execute(const txn& t);
  [[nodiscard]] result<reply> execute(const compact& c);

  // What the compares of a transaction decide, and whether its operations can then run.
  void decide(const txn& t, path& decided) const;
  [[nodiscard]] bool holds(const compare& c) const;
  [[nodiscard]] result<void> check(const put& p) const;
  [[nodiscard]] result<void> check_readable(revision r) const;
  [[nodiscard]] result<void> check(const txn& t, path::const_iterator& decided) const;

  // Checked operations: these cannot fail.
  [[nodiscard]] put_reply run(const put& p, change& c);
  [[nodiscard]] delete_range_reply run(const delete_range& d, change& c);
  [[nodiscard]] range_reply run(const range_request& r, change& c);
  [[nodiscard]] txn_reply run(const txn& t, change& c, path::const_iterator& decided);

  struct span {
    map::const_iterator first, last;
  };
  [[nodiscard]] span find(std::string_view key, std::string_view range_end) const;
  [[nodiscard]] range_reply read(const range_request& r, revision at) const;
  [[nodiscard]] range_reply read_one(const range_request& r, revision at) const;

  /// The record of the key; null if there is none.
  [[nodiscard]] record* find(std::string_view key) const;
  /// The record of the key, made if need be.
  record& record_of(std::string_view key);
  /// Gives the record its next version and keeps the books.
  void write(record& r, version next, change& c);
  void finish(const change& c);
  void forget_up_to(revision floor);
  void free(const superseding& s);
  /// Up to where nobody needs what was superseded.
  [[nodiscard]] revision physical_floor() const;

  options options_;
  map map_; ///< by views of the records' own keys, so that views handed out survive its moves
  /// The same records by hash, for single keys: two cache misses instead of one for each level of the map. Never
  /// iterated, since its order differs between processes.
  absl::flat_hash_set<indexed, index_hash, index_equal> index_;
  std::deque<superseding> superseded_;    ///< in the order of changes; freed from the front
  std::uint64_t superseded_sum_ = 0;      ///< the last one's hash_sum
  std::uint64_t forgotten_sum_ = 0;       ///< the hash_sum of the last one at or below compacted_
  std::multiset<revision> pinned_floors_; ///< the compaction floors of the snapshots being taken

  log_index applied_;
  revision current_{1};
  revision compacted_;
  std::uint64_t keys_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t held_bytes_ = 0;
  std::uint64_t versions_hash_ = 0; ///< the sum over the versions that can be read
};

/// The version as clients see it.
[[nodiscard]] inline key_value_view view_of(const record& r, const version& v) {
  return {r.key(), v.value.view(), v.create, v.mod, v.number, v.lease};
}

} // namespace quorumd::kv
