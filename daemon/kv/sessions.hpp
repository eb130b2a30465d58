#pragma once

#include "consensus/types/ids.hpp"
#include "daemon/kv/command.hpp"
#include "daemon/kv/result.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

namespace quorumd::kv {

/// How many sessions there are at most. Constants all, since every node must judge alike.
inline constexpr std::size_t sessions_max = 1024;
/// What one session's kept answers take: keys, values, and a record for each operation of a transaction.
inline constexpr std::size_t session_answer_bytes_max = std::size_t{32} * 1024;
/// Where there are too many, the one that was idle longest ends for another, if that was at least this long.
inline constexpr std::uint64_t session_kept_ms_least = 60'000;

/// A reply with bytes of its own.
class owned_reply {
 public:
  explicit owned_reply(const reply& r);
  owned_reply(const owned_reply&) = delete;
  owned_reply& operator=(const owned_reply&) = delete;

  [[nodiscard]] const reply& get() const { return reply_; }
  /// What a copy takes beside the reply itself.
  [[nodiscard]] static std::size_t bytes_of(const reply& r);

 private:
  reply reply_;
  std::unique_ptr<char[]> bytes_;
};

/// What a command of a session came to, for when it is sent again.
struct kept_answer {
  struct plain_put {}; ///< done, and nothing to say of what was there before
  struct not_kept {};  ///< done; its answer was too large

  std::uint64_t sequence = 0;
  revision after; ///< the store's, after it
  std::variant<plain_put, not_kept, error, std::shared_ptr<const owned_reply>> what;

  /// What whoever sends it again is told; the views hold as long as this.
  [[nodiscard]] result<reply> answer() const;
};

/// One client's session (thesis 6.3).
struct session_record {
  session_id id;
  std::uint64_t idle_ms_max = 0;
  std::uint64_t used_ms = 0;    ///< the log's time when a command of it came last
  std::uint64_t answered = 0;   ///< none up to this one is sent again
  std::deque<kept_answer> kept; ///< of later ones, ascending
  std::size_t kept_bytes = 0;   ///< of their replies

  [[nodiscard]] const kept_answer* find(std::uint64_t sequence) const;
};

/// The sessions of all clients, a part of the state: at most sessions_max of them, each with at most session_window
/// answers. A session ends when it is closed or was idle too long by the log's time.
class sessions {
 public:
  /// The id is of the log entry and the nonce, so that none is given twice.
  [[nodiscard]] result<session_id> open(log_index at, const open_session& o);
  [[nodiscard]] result<void> close(session_id id);
  /// The log's time goes on, and sessions end by it.
  void pass(std::uint64_t ms);

  /// What a command is answered with instead of being carried out; nothing: it is carried out, and settle() follows.
  /// The views hold until the session's next settle() or end.
  [[nodiscard]] std::optional<result<reply>> known(const session_call& c) const;
  /// It came to this: kept until the client says that it has it.
  void settle(const session_call& c, const result<reply>& r);

  [[nodiscard]] std::size_t size() const { return all_.size(); }
  /// Milliseconds that leaders have counted.
  [[nodiscard]] std::uint64_t now_ms() const { return now_ms_; }
  /// Of everything here but the bytes of kept answers; 0 before there ever was a session.
  [[nodiscard]] std::uint64_t hash() const;
  /// The same computed anew: for tests.
  [[nodiscard]] std::uint64_t recompute_hash() const;

  /// All of them as they are now. They are not copied: a session that changes afterwards is.
  [[nodiscard]] std::vector<std::shared_ptr<const session_record>> capture() const;
  /// From a snapshot; `snapshot_record`: it contradicts itself or the others.
  [[nodiscard]] result<void> restore(session_record s);
  void restore_time(std::uint64_t ms) { now_ms_ = ms; }

 private:
  using table = std::map<session_id, std::shared_ptr<session_record>>;

  [[nodiscard]] session_record& edit(table::iterator at);
  void end(table::iterator at);
  void use(session_record& s, std::uint64_t answered);

  table all_;
  std::uint64_t now_ms_ = 0;
  std::uint64_t hash_ = 0; ///< the sum over the sessions
};

} // namespace quorumd::kv
