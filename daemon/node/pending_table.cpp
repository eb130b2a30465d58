#include "daemon/node/pending_table.hpp"

#include "consensus/types/invariant.hpp"

#include <utility>

namespace quorumd::node {

void pending_table::push(log_index index, quorumd::term term, const reply_to& to, coro::time_point deadline) {
  while (count_ != 0 && first_ + (count_ - 1) >= index) {
    fail_record(at(count_ - 1), request_errc::unknown);
    --count_;
  }
  if (count_ == 0) first_ = index;
  while (first_ + count_ < index) { // entries that nobody waits for
    if (count_ == ring_.size()) grow();
    at(count_++) = record{};
  }
  if (count_ == ring_.size()) grow();
  at(count_++) = record{term, deadline, to};
  ++waiting_;
}

std::optional<pending_table::record> pending_table::take(log_index index) {
  if (count_ == 0 || first_ > index) return std::nullopt;
  QUORUMD_INVARIANT(first_ == index, "entries are applied in order, so the oldest pending request is the next");
  const record r = at(0);
  drop_front();
  if (!r.term) return std::nullopt;
  --waiting_;
  return r;
}

void pending_table::covered(log_index index) {
  while (count_ != 0 && first_ <= index) {
    fail_record(at(0), request_errc::unknown);
    drop_front();
  }
}

void pending_table::expire(coro::time_point now) {
  for (std::size_t i = 0; i < count_; ++i)
    if (at(i).term && at(i).deadline <= now) fail_record(at(i), request_errc::unknown);
}

void pending_table::clear() {
  for (std::size_t i = 0; i < count_; ++i) fail_record(at(i), request_errc::unknown);
  count_ = 0;
}

void pending_table::grow() {
  std::vector<record> larger(ring_.size() * 2);
  for (std::size_t i = 0; i < count_; ++i) larger[i] = at(i);
  ring_ = std::move(larger);
  head_ = 0;
}

void pending_table::drop_front() {
  head_ = (head_ + 1) & (ring_.size() - 1);
  --count_;
  first_ = first_.next();
}

void pending_table::fail_record(record& r, request_errc why) {
  if (!r.term) return;
  --waiting_;
  const record gone = std::exchange(r, record{});
  fail_(gone, why);
}

} // namespace quorumd::node
