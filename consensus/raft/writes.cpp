#include "consensus/raft/writes.hpp"

#include "consensus/types/invariant.hpp"

#include <algorithm>

namespace quorumd::raft {

write_number write_tracker::begin(log_index last, bool hard, std::uint64_t tick) {
  begun_ = begun_.next();
  if (hard) hard_ = begun_;
  writes_.push_back({last, tick});
  return begun_;
}

void write_tracker::finish(write_number n, std::uint64_t tick) {
  QUORUMD_INVARIANT(n <= begun_, "only writes that were handed out become durable");
  if (finished_ < n) finished_at_ = tick;
  for (; finished_ < n; finished_ = finished_.next()) {
    durable_ = std::max(durable_, writes_.front().last);
    writes_.pop_front();
  }
}

void write_tracker::truncated(log_index from) {
  durable_ = std::min(durable_, from.prev());
  for (std::size_t i = 0; i < writes_.size(); ++i) writes_[i].last = std::min(writes_[i].last, from.prev());
}

std::optional<write_number> write_tracker::covering(log_index index) const {
  if (index <= durable_) return write_number();
  for (std::size_t i = 0; i < writes_.size(); ++i)
    if (writes_[i].last >= index) return finished_ + (i + 1);
  return std::nullopt;
}

std::optional<std::uint64_t> write_tracker::waiting_since() const {
  if (writes_.empty()) return std::nullopt;
  return std::max(writes_.front().tick, finished_at_);
}

} // namespace quorumd::raft
