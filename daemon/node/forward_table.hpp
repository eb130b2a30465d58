#pragma once

#include "consensus/types/ids.hpp"
#include "coro/clock.hpp"
#include "daemon/node/request.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

namespace quorumd::node {

/// The requests that this node has sent on to the leader and that wait for its answer. Never sent a second time:
/// when the stream breaks, their outcome is unknown.
class forward_table {
 public:
  struct record {
    node_id leader; ///< 0: answered
    coro::time_point deadline;
    reply_to to;
    std::size_t bytes = 0; ///< of its command
    bool bulk = false;
  };
  using fail = std::function<void(const record&, request_errc)>;

  explicit forward_table(fail f, std::uint64_t first_id = 1)
      : fail_(std::move(f))
      , first_(first_id) {}

  /// Registers a request and names it.
  [[nodiscard]] std::uint64_t push(node_id leader, const reply_to& to, coro::time_point deadline, std::size_t bytes = 0,
                                   bool bulk = false);
  /// The leader answered: the record, unless it has left already.
  [[nodiscard]] std::optional<record> take(node_id leader, std::uint64_t id);
  /// The stream to the leader broke.
  void broken(node_id leader, request_errc what = request_errc::unknown);
  void expire(coro::time_point now);
  void clear();
  [[nodiscard]] std::size_t size() const { return waiting_; }
  /// Of the commands that wait.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::size_t bulk_bytes() const { return bulk_bytes_; }

 private:
  void fail_record(record& r, request_errc why);
  void forget(const record& r);
  void trim();

  fail fail_;
  std::uint64_t first_; ///< the id of the oldest record
  std::deque<record> records_;
  std::size_t waiting_ = 0;
  std::size_t bytes_ = 0;
  std::size_t bulk_bytes_ = 0; ///< of them
};

} // namespace quorumd::node
