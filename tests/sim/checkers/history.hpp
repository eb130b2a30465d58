#pragma once

#include "coro/clock.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace quorumd::sim {

/// One key as a response showed it.
struct seen_key {
  std::string key;
  std::string value;
  std::uint64_t create_revision = 0;
  std::uint64_t mod_revision = 0;
  std::uint64_t version = 0;

  friend bool operator==(const seen_key&, const seen_key&) = default;
};

/// One thing that an operation does: to `key`, or to the keys from `key` up to but without `end`, or to those of a
/// lease.
struct action {
  enum class kind : std::uint8_t { put, erase, get, revoke };
  kind what = kind::get;
  std::string key;
  std::string end;
  std::string value;          ///< of a put; the clients never write one value twice
  std::uint64_t revision = 0; ///< of a get; 0: the current one
  std::uint64_t lease = 0;    ///< of a put, 0: none, or of a revocation; the clients never grant one id twice

  friend bool operator==(const action&, const action&) = default;
};

/// What an action answered.
struct action_result {
  std::uint64_t deleted = 0;
  std::vector<seen_key> kvs;

  friend bool operator==(const action_result&, const action_result&) = default;
};

/// A condition of a transaction on one key.
struct condition {
  enum class target : std::uint8_t { version, mod_revision, value };
  std::string key;
  target of = target::version;
  bool equal = true; ///< else: not equal
  std::uint64_t number = 0;
  std::string value;
};

enum class outcome : std::uint8_t {
  ok,          ///< acknowledged: `response` is what it said
  not_applied, ///< the answer promises that it had no effect
  compacted,   ///< a read of a revision that is gone
  unknown,     ///< no answer, or one that says so: it may take effect at any later time
};

/// One operation of a client. A plain put, delete or get is a transaction of one action.
struct operation {
  enum class kind : std::uint8_t { write, read, stale_read, compact, grant };

  std::uint64_t id = 0;
  std::uint64_t client = 0;
  kind what = kind::read;
  std::vector<condition> conditions;
  std::vector<action> then;
  std::vector<action> otherwise;
  std::uint64_t compact_to = 0;
  std::uint64_t lease = 0; ///< that is granted
  std::int64_t ttl_s = 0;  ///< for so long

  std::uint64_t not_below = 0; ///< of a stale read: its age is bounded, and this revision is older

  // Moments, as numbers that only grow; two are never equal.
  std::uint64_t invoked = 0;
  std::uint64_t returned = 0; ///< 0: never
  // The same two in virtual time, for a person only.
  coro::time_point asked_at;
  coro::time_point answered_at;

  outcome result = outcome::unknown;
  std::uint64_t revision = 0; ///< that the response carried
  bool succeeded = true;      ///< which list ran
  std::vector<action_result> results;

  /// Whether it is a command, and no read.
  [[nodiscard]] bool writes() const { return what == kind::write || what == kind::compact || what == kind::grant; }
  [[nodiscard]] const std::vector<action>& ran() const { return succeeded ? then : otherwise; }
  /// Whether the response says that it made a revision. That of a revocation does not tell.
  [[nodiscard]] bool made_revision() const;
  [[nodiscard]] bool revokes() const {
    return what == kind::write && !then.empty() && then.front().what == action::kind::revoke;
  }
};

/// For a person.
[[nodiscard]] std::string describe(const operation& o);

} // namespace quorumd::sim
