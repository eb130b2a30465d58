#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace quorumd::wire {

/// Why a request has no result. Only `unknown` leaves open whether a command took or will take effect; after any other
/// the state is as if it had not been asked.
enum class request_errc : std::uint8_t {
  none = 0,
  not_leader = 1,     ///< this node can't serve it; the error may carry the leader's client address
  overloaded = 2,     ///< a queue is full: try later
  not_applied = 3,    ///< the leader changed before it was committed
  unknown = 4,        ///< it was on its way when the leader or a stream was lost, or the deadline passed
  timeout = 5,        ///< the deadline passed before it was proposed or read
  no_quorum = 6,      ///< no leader, or a leader that a majority does not answer
  no_space = 7,       ///< the disk is full or the quota reached; deletes and compaction still work
  invalid = 8,        ///< the request contradicts itself; the text says how
  denied = 9,         ///< not for these credentials
  too_large = 10,     ///< beyond a limit; the text names it
  shutting_down = 11, ///< this node is stopping: ask another
  store = 12,         ///< the store's own answer, see kv::error
  internal = 13,      ///< this node can't go on; the text says why
  refused = 14,       ///< possible, but unsafe or out of place now; the text says why and what to do
  corrupt = 15,       ///< this node's state differs from the other members': it serves nothing; ask another
};
inline constexpr std::uint8_t request_errc_last = 15;

/// One or two words, as the command line prints them: "not leader".
[[nodiscard]] const char* name_of(request_errc code);

/// Whether the command certainly took no effect, so that it may be sent again.
[[nodiscard]] constexpr bool certainly_not_applied(request_errc code) {
  return code != request_errc::unknown;
}
/// Whether the same request may succeed later or at another node.
[[nodiscard]] constexpr bool worth_retrying(request_errc code) {
  switch (code) {
  case request_errc::not_leader:
  case request_errc::overloaded:
  case request_errc::not_applied:
  case request_errc::no_quorum:
  case request_errc::shutting_down:
  case request_errc::corrupt:
    return true;
  default:
    return false;
  }
}

/// What a request's remaining time is for whoever it is passed on to: a little less, so that it is the one who knows
/// why there is no result that says so, and not the one who waits for it. Members look at deadlines every 20 ms.
[[nodiscard]] constexpr std::chrono::milliseconds remaining_behind(std::chrono::milliseconds remaining) {
  using std::chrono::milliseconds;
  const milliseconds margin = std::clamp(remaining / 10, milliseconds(50), milliseconds(100));
  return std::max(milliseconds(1), remaining - std::min(margin, remaining / 2));
}

} // namespace quorumd::wire
