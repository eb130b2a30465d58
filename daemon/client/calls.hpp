#pragma once

#include "consensus/types/chunk.hpp"
#include "coro/clock.hpp"
#include "daemon/client/protocol.hpp"
#include "daemon/client/waiter.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace quorumd::client {

/// How a wait of a call ended.
enum class call_end : std::uint8_t {
  none,        ///< it has not
  connected,   ///< there is a connection now
  unreachable, ///< every endpoint was tried in vain
  replied,     ///< `reply` holds the answer
  unsent,      ///< the connection was lost, and not all of the request had left
  lost,        ///< the connection was lost, and the request may have arrived
  expired,     ///< the deadline passed
  stopped,     ///< the client was stopped
};

/// One request that waits, for a connection or for its reply. Pooled.
struct client_call {
  std::uint64_t id = 0; ///< on the wire; 0 when free
  std::uint32_t slot = 0;
  bool encoded = false; ///< its frame is in the stream, or was
  bool direct = false;  ///< completed as a number, without a coroutine of its own
  bool command = false;
  bool once = false; ///< not to be sent again once it may have arrived
  bool sent = false; ///< expired: all of its frame had been written
  call_end end = call_end::none;
  request_errc code = request_errc::none; ///< direct: how it was answered
  std::uint64_t tag = 0;                  ///< direct: the submitter's
  std::uint64_t frame_end = 0;            ///< the stream's length once the frame is written
  std::size_t frame_bytes = 0;
  coro::time_point deadline;
  coro::time_point sent_at;                            ///< when its frame was made
  coro::time_point leave_at = coro::time_point::max(); ///< when a server that says nothing is left
  client_waiter done;
  std::optional<client_reply> reply; ///< views of `bytes`
  chunk_ref bytes;
};

/// The calls of one client: pooled records under ids that a late reply of an earlier request cannot hit. Grows to the
/// largest number of calls at a time and allocates nothing after that.
class client_calls {
 public:
  client_calls() = default;
  client_calls(const client_calls&) = delete;
  client_calls& operator=(const client_calls&) = delete;

  /// A free record, with a new id.
  [[nodiscard]] client_call& open(coro::time_point deadline);
  /// The open record of that id, or nullptr.
  [[nodiscard]] client_call* find(std::uint64_t id);
  /// Gives the record back; what it held is released.
  void close(client_call& c);
  /// Gives an open record a new id, so that it can be sent again.
  void renew(client_call& c);

  [[nodiscard]] std::size_t open_count() const { return slots_.size() - free_.size(); }

  template <class F>
  void for_each_open(F f) {
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (slots_[i]->id != 0) f(*slots_[i]);
  }

 private:
  // An id is a count of uses above the slot's number: the same slot never has the same id twice.
  static constexpr unsigned slot_bits = 24;

  std::vector<std::unique_ptr<client_call>> slots_;
  std::vector<std::uint32_t> free_;
  std::uint64_t uses_ = 0;
};

} // namespace quorumd::client
