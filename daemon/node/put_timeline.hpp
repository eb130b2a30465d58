#pragma once

#include "consensus/types/ids.hpp"
#include "coro/clock.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace quorumd::node {

/// When the newest writes of a leader were proposed: batches of consecutive indexes in a ring, each with its time, and
/// for each index how old its request was by then. What is older than the rings hold is forgotten, so that a follower
/// which lags far behind costs nothing.
class put_timeline {
 public:
  struct batch {
    log_index first;
    std::uint64_t count = 0;
    coro::time_point proposed;
    coro::time_point committed;
  };
  /// How far somebody has come: everything before `index` of batch `number` is behind it.
  struct cursor {
    std::uint64_t number = 0;
    log_index index;
  };

  /// The batch begins; its requests' ages follow with add().
  void begin(log_index first, coro::time_point at) {
    if (newest_ - oldest_ == batches_.size()) ++oldest_;
    batches_[newest_++ % batches_.size()] = {.first = first, .count = 0, .proposed = at, .committed = {}};
  }
  void add(coro::duration age) {
    batch& b = batches_[(newest_ - 1) % batches_.size()];
    const log_index index = b.first + b.count++;
    const std::uint64_t units = age > coro::duration::zero() ? static_cast<std::uint64_t>(age / age_unit) : 0;
    ages_[index.value() % ages_.size()] = static_cast<std::uint32_t>(std::min<std::uint64_t>(units, UINT32_MAX));
    end_ = index.next();
  }
  /// What is not behind a cursor by now never was proposed, for all that this knows.
  void clear() { oldest_ = newest_; }

  /// Moves the cursor behind `up_to`; f(batch, first, count) hears of every stretch that it passes.
  template <class F>
  void pass(cursor& c, log_index up_to, F&& f) {
    if (c.number < oldest_) c = {.number = oldest_, .index = {}};
    for (; c.number < newest_; c = {.number = c.number + 1, .index = {}}) {
      batch& b = batches_[c.number % batches_.size()];
      const log_index from = std::max(b.first, c.index);
      const log_index end = b.first + b.count;
      const log_index to = std::min(end, up_to.next());
      if (to > from) f(b, from, to - from);
      if (to < end) {
        c.index = std::max(from, to);
        return;
      }
    }
  }

  /// How old the request at the index was when it was proposed, if that is still known.
  [[nodiscard]] bool knows(log_index index) const { return index + ages_.size() >= end_; }
  [[nodiscard]] coro::duration age(log_index index) const { return ages_[index.value() % ages_.size()] * age_unit; }

 private:
  static constexpr coro::duration age_unit = std::chrono::nanoseconds(64); // 4.5 minutes at most

  std::vector<batch> batches_ = std::vector<batch>(1024);
  std::vector<std::uint32_t> ages_ = std::vector<std::uint32_t>(32'768);
  std::uint64_t oldest_ = 0; ///< numbers of batches
  std::uint64_t newest_ = 0; ///< one beyond the last
  log_index end_;
};

} // namespace quorumd::node
