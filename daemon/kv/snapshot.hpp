#pragma once

#include "daemon/kv/result.hpp"
#include "daemon/kv/store.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quorumd::kv {

/// The state at the moment a snapshot was pinned, but for the sessions, the leases and the versions of the keys. The
/// settings are a section of their own.
struct snapshot_header {
  log_index applied;
  revision current;
  revision compacted;
  std::optional<kv::settings> settings;
  std::uint16_t level = 0;        ///< store::level()
  std::uint64_t time_ms = 0;      ///< the log's, that sessions end by
  std::uint64_t content_hash = 0; ///< store::content_hash() then: the builder's proof that nothing is missing

  friend bool operator==(const snapshot_header&, const snapshot_header&) = default;
};

/// One version of a key. A tombstone has version 0, no value, no lease and create_revision 0.
struct record_view {
  std::string_view key;
  std::string_view value;
  revision create_revision;
  revision mod_revision;
  std::uint32_t sub = 0; ///< the place of the change within its revision, from 0
  std::uint64_t version = 0;
  lease_id lease;

  [[nodiscard]] bool tombstone() const { return version == 0; }
  friend bool operator==(const record_view&, const record_view&) = default;
};

/// Takes a snapshot of the store as it is when the cursor is made, while the store goes on being written and
/// compacted: physical compaction leaves alone what the cursor has to yield. Several may run at once. On the store's
/// loop; gone before the store is.
class snapshot_cursor {
 public:
  explicit snapshot_cursor(store& s);
  snapshot_cursor(const snapshot_cursor&) = delete;
  snapshot_cursor& operator=(const snapshot_cursor&) = delete;
  ~snapshot_cursor();

  [[nodiscard]] const snapshot_header& header() const { return header_; }
  /// The clients' sessions then.
  [[nodiscard]] const std::vector<std::shared_ptr<const session_record>>& sessions() const { return sessions_; }
  /// The leases then, to be taken before the records: builders need them first.
  [[nodiscard]] lease_capture& leases() { return leases_; }
  /// Of the records.
  [[nodiscard]] bool done() const { return done_; }
  /// The next records, ordered by key and then by revision: everything that can be read at a revision from
  /// header().compacted to header().current, and the tombstones in between. Stops once it has visited about
  /// bytes_max of them; may yield none before done(), where the store has grown many keys since. The views hold until
  /// the store's next apply or compact_step, the span until the next call.
  [[nodiscard]] std::span<const record_view> next(std::size_t bytes_max);
  /// Of keys and versions, by the last call of next().
  [[nodiscard]] std::size_t visits() const { return visits_; }

 private:
  store& store_;
  snapshot_header header_;
  std::vector<std::shared_ptr<const session_record>> sessions_;
  lease_capture leases_;
  std::string key_; ///< where to go on: this key,
  revision after_;  ///< its versions above this revision
  bool done_ = false;
  std::size_t visits_ = 0;
  std::vector<record_view> slice_;
};

/// How a state that is restored differs from what the snapshot holds.
struct restoration {
  /// Later changes are left out; 0: none are. Keys that were of leases that have ended since are of none then.
  revision as_of;
  std::uint64_t raise = 0; ///< the current revision is so much higher than the last change
  /// No session goes on: it would be of another cluster.
  bool without_sessions = false;
};

/// Makes a store of a snapshot's header, leases and records, in the order in which a cursor yields them. The input may
/// be anything: what contradicts itself is an error, and the builder is then to be thrown away.
class store_builder {
 public:
  /// With `how.as_of` the content hash, which is of the whole, is not compared.
  store_builder(const options& o, const snapshot_header& header, const restoration& how = {});
  ~store_builder();

  /// Once at most, before finish().
  void add(const kv::settings& s) { store_->settings_ = s; }
  [[nodiscard]] result<void> add(session_record s);
  /// All leases come before the first record.
  [[nodiscard]] result<void> add(const lease_record& l);
  /// Copies the record's bytes.
  [[nodiscard]] result<void> add(const record_view& r);
  /// The store, whose content_hash() is the header's; once, after the last record.
  [[nodiscard]] result<std::unique_ptr<store>> finish();

 private:
  struct read_change {
    revision at;
    std::uint32_t sub;
    record* of;
    store::sums left_behind;
  };
  [[nodiscard]] bool sound(const record_view& r) const;
  [[nodiscard]] bool opens(const record_view& r) const;
  [[nodiscard]] bool follows(const version& before, const record_view& r) const;
  [[nodiscard]] result<void> close_record();

  snapshot_header header_;
  restoration how_;
  std::unique_ptr<store> store_;
  record* last_ = nullptr;
  key_tree::iterator place_; ///< of the last one
  std::vector<read_change> changes_;
};

} // namespace quorumd::kv
