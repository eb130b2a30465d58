#pragma once

#include "consensus/types/ids.hpp"
#include "coro/clock.hpp"
#include "daemon/node/request.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

namespace quorumd::node {

/// The requests that this node proposed as leader and that wait to be applied, in one ring of pooled records keyed by
/// (index, term): an entry of another term at a request's index means that the request was not applied.
class pending_table {
 public:
  struct record {
    quorumd::term term; ///< 0: nobody waits at this index
    coro::time_point deadline;
    reply_to to;
  };

  /// Called for every record that leaves without its entry being applied.
  using fail = std::function<void(const record&, request_errc)>;

  explicit pending_table(fail f)
      : fail_(std::move(f)) {}

  /// Registers a request at its place in the log. What an earlier term proposed from that index on has been replaced
  /// in this log by what the new leader (this node again) holds, and fails as unknown:
  /// another member may still hold it, win a later election and commit it (a cluster of five can; only an entry of
  /// another term that is *applied* at the index proves the opposite).
  void push(log_index index, quorumd::term term, const reply_to& to, coro::time_point deadline);

  /// The record that waits at the index, which is the next to be applied; null if none does.
  [[nodiscard]] const record* find(log_index index) const {
    return count_ != 0 && first_ == index && ring_[head_].term ? &ring_[head_] : nullptr;
  }
  /// The entry at the index was applied: the record that waited there, if one did. Indexes never go back.
  [[nodiscard]] std::optional<record> take(log_index index);

  /// A snapshot stands in for everything up to the index: what waited there has an unknown outcome.
  void covered(log_index index);

  /// Fails what is past its deadline as unknown; it is in the log and may still be applied.
  void expire(coro::time_point now);

  /// Fails everything as unknown.
  void clear();

  /// Requests that wait.
  [[nodiscard]] std::size_t size() const { return waiting_; }

 private:
  [[nodiscard]] record& at(std::size_t offset) { return ring_[(head_ + offset) & (ring_.size() - 1)]; }
  void grow();
  void drop_front();
  void fail_record(record& r, request_errc why);

  fail fail_;
  std::vector<record> ring_ = std::vector<record>(1024);
  std::size_t head_ = 0;
  std::size_t count_ = 0; ///< records in the ring, waiting or not
  std::size_t waiting_ = 0;
  log_index first_; ///< the index of the record at head_, if count_ is not 0
};

} // namespace quorumd::node
