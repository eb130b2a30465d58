#pragma once

#include "consensus/types/ids.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The commands and reads of the state machine, in etcd v3's model. Everything here is a view: the bytes belong to
/// the log entry or frame that the command was decoded from, and a plain put needs no allocation.
///
/// Ranges, wherever a key comes with a range_end: an empty range_end means the one key, a range_end of one zero byte
/// means every key from `key` on, anything else the keys from `key` up to but without range_end.
namespace quorumd::kv {

/// The operations that one list of a transaction may hold; nested transactions share what is left (as in etcd).
inline constexpr std::size_t operations_max = 128;
/// The bytes of keys and values that one command may carry in all. A constant, not an option: every node must judge
/// a command in the log alike.
inline constexpr std::size_t request_bytes_max = std::size_t{3} * 512 * 1024;
/// What the keys and values in one answer may take, or one item beyond it. A range by itself ends with `more`; a
/// transaction or deletion that would answer with more than that fails and changes nothing. Constant, as above.
inline constexpr std::size_t reply_bytes_max = std::size_t{1024} * 1024;
/// What one key and value in an answer take beside their bytes.
inline constexpr std::size_t reply_item_bytes = 64;
/// The records that the compares and ranges of one replicated transaction may visit. Constant, as above.
inline constexpr std::size_t txn_visits_max = 1'000'000;

/// Sets a key.
struct put {
  std::string_view key;
  std::string_view value;
  lease_id lease;
  bool prev_kv = false;      ///< answer with the version that this one replaces
  bool ignore_value = false; ///< keep the key's value; `value` must be empty and the key present
  bool ignore_lease = false; ///< keep the key's lease; `lease` must be 0 and the key present
};

/// Deletes the keys of a range.
struct delete_range {
  std::string_view key;
  std::string_view range_end;
  bool prev_kv = false; ///< answer with the deleted versions
};

enum class sort_target : std::uint8_t { key = 0, version = 1, create = 2, mod = 3, value = 4 };
/// `none` is the order of keys, but ascending by the target if that is another than the key.
enum class sort_order : std::uint8_t { none = 0, ascend = 1, descend = 2 };

/// Reads the keys of a range as of one revision.
struct range_request {
  std::string_view key;
  std::string_view range_end;
  std::uint64_t limit = 0;    ///< at most so many keys, counted after filters and sorting; 0: all
  quorumd::revision revision; ///< 0: the current one
  bool keys_only = false;     ///< leave the values out
  bool count_only = false;    ///< answer with the count alone
  sort_target target = sort_target::key;
  sort_order order = sort_order::none;
  /// Only keys whose revisions lie within; 0: no bound.
  quorumd::revision min_mod_revision;
  quorumd::revision max_mod_revision;
  quorumd::revision min_create_revision;
  quorumd::revision max_create_revision;

  /// For whoever pages through a range (not part of etcd's request). A page ends, with `more`, before the keys, the
  /// values and reply_item_bytes for each pass this bound; it holds at least one key. 0: no bound.
  std::uint64_t page_bytes_max = 0;
  /// End at the page's end instead of counting the whole range: `count` is then the number of keys in the reply.
  bool skip_count = false;
};

enum class compare_target : std::uint8_t { version = 0, create = 1, mod = 2, value = 3, lease = 4 };
enum class compare_relation : std::uint8_t { equal = 0, greater = 1, less = 2, not_equal = 3 };

/// A condition: the target of every key in the range stands in the relation to the operand. A range without keys
/// compares as one record of zeros, except by value, which is then false.
struct compare {
  std::string_view key;
  std::string_view range_end;
  compare_target target = compare_target::version;
  compare_relation relation = compare_relation::equal;
  std::int64_t number = 0; ///< the operand, unless the target is the value
  std::string_view value;  ///< the operand if the target is the value
};

struct operation;

/// Runs `success` if all compares hold, else `failure`, as one revision. Every compare, those of nested transactions
/// too, is decided before anything runs.
struct txn {
  std::vector<compare> compares;
  std::vector<operation> success;
  std::vector<operation> failure;
};

/// One operation of a transaction.
struct operation {
  std::variant<put, range_request, delete_range, txn> what;
};

/// Forgets history: afterwards reads below the revision fail.
struct compact {
  quorumd::revision revision;
};

/// What all members must do alike, whoever leads: a part of the state. Bytes are counted as store::stored_bytes() does.
struct settings {
  std::uint64_t keep_revisions = 100'000; ///< older ones are compacted; 0: only history_bytes_max bounds them
  std::uint64_t history_bytes_max = std::uint64_t{256} * 1024 * 1024; ///< of old revisions; older ones are compacted
  std::uint64_t quota_bytes = std::uint64_t{4} * 1024 * 1024 * 1024; ///< of all, beyond which puts are refused; 0: none
  std::uint64_t keep_for_ms = 0; ///< revisions that were superseded longer ago are compacted; 0: however old they are

  friend bool operator==(const settings&, const settings&) = default;
};
/// From four fifths of the quota on it is said that it is nearly used, until less than three quarters are.
[[nodiscard]] constexpr std::uint64_t nearly_used_from(std::uint64_t quota_bytes) {
  return quota_bytes / 5 * 4;
}
[[nodiscard]] constexpr std::uint64_t nearly_used_until(std::uint64_t quota_bytes) {
  return quota_bytes / 4 * 3;
}
inline constexpr std::uint64_t history_bytes_least = 1024 * 1024;
/// How long history can be kept, if a time is said at all: up to ten years.
inline constexpr std::uint64_t keep_for_ms_least = 1000;
inline constexpr std::uint64_t keep_for_ms_most = std::uint64_t{87'600} * 60 * 60 * 1000;
/// Whether they can be kept together: some history, and no more of it than half of the quota.
[[nodiscard]] constexpr bool sound(const settings& s) {
  const bool bytes =
      s.history_bytes_max >= history_bytes_least && (s.quota_bytes == 0 || s.history_bytes_max <= s.quota_bytes / 2);
  return bytes && (s.keep_for_ms == 0 || (s.keep_for_ms >= keep_for_ms_least && s.keep_for_ms <= keep_for_ms_most));
}

/// Changes what is given of the settings; the rest stays, or is the default where there are none yet.
struct configure {
  std::optional<std::uint64_t> keep_revisions;
  std::optional<std::uint64_t> history_bytes_max;
  std::optional<std::uint64_t> quota_bytes;
  std::optional<std::uint64_t> keep_for_ms{};
  bool initial = false; ///< only if there are none yet; it has no effect otherwise
};

/// Begins a client's session; the answer names it.
struct open_session {
  std::uint64_t nonce = 0;       ///< drawn by the client: no other cluster's session has the same name
  std::uint64_t idle_ms_max = 0; ///< without a command of it for so long, it ends: see session_idle_ms_least
};
/// Ends it: none of its commands will be sent again.
struct close_session {
  session_id session;
};
/// How long a session may be idle, in the log's time (pass_time).
inline constexpr std::uint64_t session_idle_ms_least = 1000;
inline constexpr std::uint64_t session_idle_ms_most = std::uint64_t{24} * 60 * 60 * 1000;

/// So much time went by while a leader led. The log's time is the sum of these: no clock that is set wrong can move it,
/// and it never runs faster than the leaders' own.
struct pass_time {
  std::uint64_t ms = 0;
};
/// Every member knows this level of the protocol (wire/status.hpp), so that what it brings may be used. It never falls.
struct raise_level {
  std::uint16_t level = 0;
};

/// The seconds that a lease is granted for: less is raised to the least, more is refused. Constant, as above.
inline constexpr std::int64_t lease_ttl_least_s = 2;
inline constexpr std::int64_t lease_ttl_most_s = 9'000'000'000;
/// Grants a lease, to which puts can attach keys: they are deleted with it.
struct grant_lease {
  lease_id id; ///< 0: the store names it
  std::int64_t ttl_s = 0;
};
/// Deletes the keys that are attached to it, in their order and as one revision, and the lease.
struct revoke_lease {
  lease_id id;
};
/// A leader found its time run out. As revoke_lease, but of the lease alone that was granted by that entry: another one
/// of the same id stays, and that there is none any more is no error.
struct expire_lease {
  lease_id id;
  log_index granted;
};
/// What remains of a lease's time, so that another leader need not begin it anew.
struct lease_checkpoint {
  lease_id id;
  log_index granted;                         ///< another lease of the id is left alone
  std::optional<std::uint64_t> remaining_ms; ///< nothing: all of it, since it was renewed

  friend bool operator==(const lease_checkpoint&, const lease_checkpoint&) = default;
};
/// How many one command may carry. Constant, as above.
inline constexpr std::size_t lease_checkpoints_max = 1000;
/// A leader tells what remains of some leases; those that are gone are passed over.
struct checkpoint_leases {
  std::vector<lease_checkpoint> list;
};

/// What the leader alone knows of leases, or does with them by itself. It comes to the leader as a command does, and
/// never into the log.
struct lease_question {
  enum class kind : std::uint8_t {
    renew = 0, ///< gives it all of its time again
    time = 1,  ///< asks what is left of it
    list = 2,  ///< asks for the leases behind `id`
  };
  kind what = kind::renew;
  lease_id id;
  bool keys = false;        ///< of `time`: and for its keys
  std::string_view after{}; ///< those behind this one
};

/// What is replicated; and, last, what travels as if it were.
using command = std::variant<put, delete_range, txn, compact, configure, open_session, close_session, pass_time,
                             raise_level, grant_lease, revoke_lease, expire_lease, checkpoint_leases, lease_question>;
/// Whether it is a leader's to propose, and no client's.
[[nodiscard]] bool is_leaders_own(const command& c);

/// From which level on there are sessions, leases, and history that is bounded by its age.
inline constexpr std::uint16_t session_level = 3;
inline constexpr std::uint16_t lease_level = 4;
inline constexpr std::uint16_t age_level = 5;
/// How many commands of a session may be under way, or answered without the client's having said so.
inline constexpr std::uint64_t session_window = 1024;

/// Which of a session's commands this is, so that it takes effect once however often it is sent (thesis 6.3).
struct session_call {
  session_id session;         ///< 0: of none
  std::uint64_t sequence = 0; ///< from 1 on
  std::uint64_t answered = 0; ///< it has the answers of all up to this one, and sends none of them again

  [[nodiscard]] explicit operator bool() const { return static_cast<bool>(session); }
  friend bool operator==(const session_call&, const session_call&) = default;
};

/// A command as the log has it.
struct logged_command {
  command what;
  session_call call;
};
/// The lowest level at which members understand it; 0: all do.
[[nodiscard]] std::uint16_t needed_level(const command& c, const session_call& call);

/// Whether the transaction, whichever lists run, changes nothing.
[[nodiscard]] bool only_reads(const txn& t);

/// The range_end for which [prefix, range_end) holds exactly the keys with that prefix; one zero byte if there is no
/// greater key. For the empty prefix use one zero byte as the key too.
[[nodiscard]] std::string prefix_end(std::string_view prefix);

} // namespace quorumd::kv
