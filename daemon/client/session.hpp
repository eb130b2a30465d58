#pragma once

#include "coro/entropy.hpp"
#include "daemon/client/client.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <utility>

namespace quorumd::client {

/// A session of a client with the cluster (thesis 6.3): commands that take effect once however often they are sent, so
/// that one whose outcome is unknown may be sent again. Belongs to the client's loop, and ends before the client.
class client_session {
 public:
  client_session(client& c, coro::entropy& e)
      : client_(c)
      , entropy_(e) {}
  client_session(const client_session&) = delete;
  client_session& operator=(const client_session&) = delete;

  /// Makes it. `refused` and `invalid`: some member runs a version that knows no sessions. It ends by itself when
  /// nothing was asked in it for so long.
  [[nodiscard]] coro::task<boost::system::result<void, call_error>> open(coro::time_point deadline,
                                                                         std::chrono::milliseconds idle_max);
  /// Tells the cluster that it is over, if it was opened; what comes of that is not told.
  [[nodiscard]] coro::task<void> close(coro::time_point deadline);
  [[nodiscard]] bool is_open() const { return static_cast<bool>(id_); }

  /// One command of the session; at its end, its answer is no longer asked for.
  class turn {
   public:
    turn() = default;
    turn(turn&& other) noexcept
        : of_(std::exchange(other.of_, nullptr))
        , sequence_(other.sequence_) {}
    turn& operator=(turn&&) = delete;
    ~turn() {
      if (of_ != nullptr) of_->ended(sequence_);
    }
    /// For client::call(), with repeat::idempotent: each time it is sent.
    [[nodiscard]] kv::session_call call() const;

   private:
    friend class client_session;
    turn(client_session& of, std::uint64_t sequence)
        : of_(&of)
        , sequence_(sequence) {}

    client_session* of_ = nullptr;
    std::uint64_t sequence_ = 0;
  };
  /// Whether another command may begin: not too many are ahead of one that has no answer.
  [[nodiscard]] bool has_room() const { return ended_.size() < kv::session_window; }
  /// While it is open and has room.
  [[nodiscard]] turn begin();

 private:
  void ended(std::uint64_t sequence);

  client& client_;
  coro::entropy& entropy_;
  session_id id_;
  std::uint64_t answered_ = 0; ///< all up to this one have ended
  std::deque<bool> ended_;     ///< of those after it
};

} // namespace quorumd::client
