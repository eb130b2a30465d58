#pragma once

#include "consensus/types/ids.hpp"
#include "daemon/kv/command.hpp"

#include <boost/assert/source_location.hpp>
#include <boost/system/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace quorumd::kv {

/// Why a command or read has no effect. Each but the snapshot ones is a plain answer to a client.
enum class errc : std::uint8_t {
  compacted = 1,       ///< the revision is below the compaction floor; for compact: not above it
  future_revision,     ///< the revision is above the current one
  key_not_provided,    ///< an empty key
  key_not_found,       ///< ignore_value or ignore_lease of an absent key
  value_provided,      ///< ignore_value together with a value
  lease_provided,      ///< ignore_lease together with a lease
  lease_not_found,     ///< the put names a lease that does not exist
  too_many_operations, ///< a list of a transaction beyond operations_max
  duplicate_key,       ///< a transaction that would change one key twice
  request_too_large,   ///< more than request_bytes_max of keys and values
  invalid_option,      ///< an enumerator out of its range
  reply_too_large,     ///< a transaction or deletion that would answer with more than reply_bytes_max
  too_many_visits,     ///< a transaction whose compares and ranges pass txn_visits_max
  settings_conflict,   ///< a history that is next to nothing, or of more than half the quota; or its age
  snapshot_order,      ///< a snapshot's records are not in order of key and revision
  snapshot_record,     ///< a snapshot's record contradicts its header or its neighbours
  snapshot_hash,       ///< a snapshot's records are not those that its header was taken of
  session_unknown,     ///< there is no such session: it ended, or never began
  session_answered,    ///< the session has said that it has this command's answer
  session_call,        ///< a number that no command of a session can have
  session_idle,        ///< a session that may be idle for less or more than is allowed
  too_many_sessions,   ///< as many are open as may be, and none was idle for long
  answer_not_kept,     ///< the command took effect before; its answer was too large to be kept for one who asks again
  range_empty,         ///< a watch of no key: its range_end is not above its key
  lease_exists,        ///< a grant of an id that a lease has
  ttl_too_large,       ///< a grant for more than lease_ttl_most_s
  too_many_leases,     ///< as many are granted as may be
};

/// What the code means, in words.
[[nodiscard]] const char* describe(errc code);

/// The error of this module: a code and the revision that the request ran against.
class error {
 public:
  error() = default;
  explicit error(errc code, revision bound = {})
      : bound_(bound)
      , code_(code) {}

  [[nodiscard]] errc code() const { return code_; }
  /// The compaction floor for `compacted`, the current revision for `future_revision`, the one after the command for
  /// `answer_not_kept`, else 0.
  [[nodiscard]] revision bound() const { return bound_; }
  /// One sentence, with the bound where there is one.
  [[nodiscard]] std::string message() const;

  friend bool operator==(const error&, const error&) = default;

 private:
  revision bound_;
  errc code_ = errc::key_not_provided;
};

/// How boost::system::result turns an error that nobody looked at into an exception.
[[noreturn]] void throw_exception_from_error(const error& e, const boost::source_location& where);

template <class T>
using result = boost::system::result<T, error>;

/// One version of a key, as clients see it. Views point into the store and hold until its next mutation (apply,
/// compact_step) or its end.
struct key_value_view {
  std::string_view key;
  std::string_view value;
  revision create_revision;  ///< when the key last came into being
  revision mod_revision;     ///< when this version was written
  std::uint64_t version = 0; ///< 1 at creation, one more at each put
  lease_id lease;

  friend bool operator==(const key_value_view&, const key_value_view&) = default;
};

struct put_reply {
  std::optional<key_value_view> prev; ///< if asked for and there was one
};

struct delete_range_reply {
  std::uint64_t deleted = 0;
  std::vector<key_value_view> prev; ///< if asked for, in the order of keys
};

struct range_reply {
  quorumd::revision revision; ///< the store's current one, also when an older one was read
  std::vector<key_value_view> kvs;
  std::uint64_t count = 0; ///< keys in the range, whatever limit and filters say (see range_request::skip_count)
  bool more = false;       ///< limit or page left some out
};

struct operation_reply;

struct txn_reply {
  bool succeeded = false;                 ///< which list ran
  std::vector<operation_reply> responses; ///< one for each of its operations, in their order
};

struct operation_reply {
  std::variant<put_reply, range_reply, delete_range_reply, txn_reply> what;
};

struct compact_reply {};

struct configure_reply {
  settings now; ///< all of them, after the command
};

struct open_session_reply {
  session_id session;
};

struct grant_lease_reply {
  lease_id id;
  std::int64_t ttl_s = 0; ///< as it was granted, which may be more than was asked for
};

/// What the leader says of leases.
struct lease_answer {
  lease_id id;
  std::int64_t ttl_s = 0;         ///< what is left of its time, whole seconds; -1: there is no such lease
  std::int64_t granted_ttl_s = 0; ///< of how much
  std::vector<std::string_view> keys;
  std::vector<lease_id> leases;
  bool more = false; ///< there are more keys, or leases, than these
};

/// Of whatever has nothing to say but that it is done: close_session, revoke_lease and a leader's own.
struct done_reply {};

/// What a command did; the body is of the command's kind.
struct reply {
  quorumd::revision revision; ///< the store's revision after the command
  std::variant<put_reply, delete_range_reply, txn_reply, compact_reply, configure_reply, open_session_reply, done_reply,
               grant_lease_reply, lease_answer>
      body;
};

} // namespace quorumd::kv
