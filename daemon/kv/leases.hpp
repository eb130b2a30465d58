#pragma once

#include "consensus/types/ids.hpp"
#include "daemon/kv/command.hpp"
#include "daemon/kv/record.hpp"
#include "daemon/kv/result.hpp"

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace quorumd::kv {

/// How many leases there are at most. A constant, since every node must judge alike.
inline constexpr std::size_t leases_max = 1'000'000;

/// A lease, but for its keys.
struct lease_record {
  lease_id id;
  std::int64_t ttl_s = 0;                    ///< what it was granted for
  log_index granted;                         ///< by this entry, which tells it from another one of the same id
  std::optional<std::uint64_t> remaining_ms; ///< of that, as a leader said last; nothing: all of it

  friend bool operator==(const lease_record&, const lease_record&) = default;
};

/// Is told what becomes of the leases, in order, of nothing that is taken back, and of nothing before it can be seen.
/// The calls come from within the store: they read nothing of it, and change nothing.
class lease_listener {
 public:
  virtual ~lease_listener() = default;
  virtual void granted(const lease_record& l) = 0;
  /// The lease of that id which was granted then is no more.
  virtual void ended(lease_id id, log_index granted) = 0;
  /// What remains of it is another time than before.
  virtual void checkpointed(const lease_record& l) = 0;
};

class lease_capture;

/// The leases, a part of the state, with the keys that are attached to each: the live ones whose newest version names
/// it. Time is the leader's; nothing here ends by itself. What is read is what the store shows: nothing of a command
/// that is half made.
class leases {
 public:
  [[nodiscard]] bool contains(lease_id id) const { return all_.contains(id); }
  [[nodiscard]] std::optional<lease_record> find(lease_id id) const;
  /// The one with the next higher id: all of them, from {} on. Ids are in the order of unsigned numbers.
  [[nodiscard]] std::optional<lease_record> next(lease_id after) const;
  [[nodiscard]] std::size_t size() const { return all_.size(); }
  /// How many keys are attached to it. O(log n).
  [[nodiscard]] std::uint64_t key_count(lease_id id) const;
  /// Its keys behind that one, in order, so many at most; from the first on behind an empty one. The views hold until
  /// the store's next begin or proceed.
  [[nodiscard]] std::vector<std::string_view> keys(lease_id id, std::string_view after, std::size_t keys_max) const;
  /// Of everything here but the keys; 0 without a lease.
  [[nodiscard]] std::uint64_t hash() const { return hash_; }
  /// The same computed anew: for tests.
  [[nodiscard]] std::uint64_t recompute_hash() const;

  // What follows is the store's.

  /// The id that is not given is of the log entry, positive as a signed number, and no lease's.
  [[nodiscard]] result<lease_record> grant(log_index at, const grant_lease& g);
  /// It has no keys any more.
  void end(lease_id id);
  void checkpoint(const lease_checkpoint& c);
  /// From a snapshot, granted at that index at the latest; `snapshot_record`: it contradicts itself or the others.
  [[nodiscard]] result<void> restore(const lease_record& l, log_index applied);
  void listen(lease_listener* l) { listener_ = l; }

  /// The key leaves one lease and comes to another, in the revision that is being made, which shows once it is settled;
  /// 0 as a lease: none.
  void move(record& r, lease_id from, lease_id to, revision making);
  /// It comes from `to` back to `from` before that.
  void take_back(record& r, lease_id from, lease_id to);
  void settle();
  /// A key that the store is built with.
  void attach(record& r, lease_id to);
  /// The first of its keys, with what is being made; null: it has none.
  [[nodiscard]] record* first_key(lease_id id) const;
  /// Frees some of what earlier changes left behind.
  void tidy();

 private:
  friend class lease_capture;

  struct by_key {
    using is_transparent = void;
    bool operator()(const record* a, const record* b) const { return a->key() < b->key(); }
    bool operator()(const record* a, std::string_view b) const { return a->key() < b; }
    bool operator()(std::string_view a, const record* b) const { return a < b->key(); }
  };
  struct lease {
    lease_record is;
    absl::btree_set<record*, by_key> keys; ///< with what is being made
    std::uint64_t keys_before = 0;         ///< how many there were before `changed_in`
    revision changed_in;
  };
  struct place {
    lease_id from;
    std::string_view key;
    friend auto operator<=>(const place&, const place&) = default;
  };
  /// A key that what is being made took from the lease.
  struct moved {
    lease_id from;
    const record* of;
    [[nodiscard]] place at() const { return {from, of->key()}; }
  };
  struct by_place {
    using is_transparent = void;
    bool operator()(const moved& a, const moved& b) const { return a.at() < b.at(); }
    bool operator()(const moved& a, const place& b) const { return a.at() < b; }
    bool operator()(const place& a, const moved& b) const { return a < b.at(); }
  };
  using moved_set = absl::btree_set<moved, by_place>;
  using table = absl::btree_map<lease_id, std::unique_ptr<lease>>;

  [[nodiscard]] lease& of(lease_id id) const;
  void counts(lease& l) const;
  [[nodiscard]] bool shows(const record& r, lease_id of) const;
  void changes(const lease_record& before) const;

  table all_;
  std::uint64_t hash_ = 0; ///< the sum over the leases
  lease_listener* listener_ = nullptr;
  std::vector<lease_capture*> captures_;

  revision making_; ///< 0: no keys have moved that do not show yet
  moved_set moved_;
  std::vector<moved_set> left_behind_; ///< of earlier ones: large sets are freed bit by bit
};

/// The leases as they are when this is made, the last change having been that entry's, for whoever takes them bit by
/// bit while they change. Gone before they are.
class lease_capture {
 public:
  lease_capture(leases& of, log_index applied);
  lease_capture(const lease_capture&) = delete;
  lease_capture& operator=(const lease_capture&) = delete;
  ~lease_capture();

  /// The next ones in the order of their ids, of so many that are looked at; may be none before done(). The span holds
  /// until the next call.
  [[nodiscard]] std::span<const lease_record> next(std::size_t visits_max);
  [[nodiscard]] bool done() const { return done_; }
  /// What the last call of next() looked at.
  [[nodiscard]] std::size_t visits() const { return visits_; }

 private:
  friend class leases;

  leases& of_;
  const log_index applied_;
  lease_id last_;                            ///< all up to this one were yielded
  std::map<lease_id, lease_record> changed_; ///< later ones that have changed since, as they were
  bool done_ = false;
  std::size_t visits_ = 0;
  std::vector<lease_record> slice_;
};

} // namespace quorumd::kv
