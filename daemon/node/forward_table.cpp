#include "daemon/node/forward_table.hpp"

#include <utility>

namespace quorumd::node {

std::uint64_t forward_table::push(node_id leader, const reply_to& to, coro::time_point deadline, std::size_t bytes,
                                  bool bulk) {
  records_.push_back({leader, deadline, to, bytes, bulk});
  ++waiting_;
  bytes_ += bytes;
  if (bulk) bulk_bytes_ += bytes;
  return first_ + records_.size() - 1;
}

std::optional<forward_table::record> forward_table::take(node_id leader, std::uint64_t id) {
  if (id < first_ || id - first_ >= records_.size()) return std::nullopt;
  record& r = records_[id - first_];
  if (r.leader != leader) return std::nullopt;
  const record found = std::exchange(r, record{});
  forget(found);
  trim();
  return found;
}

void forward_table::broken(node_id leader, request_errc what) {
  for (record& r : records_)
    if (r.leader == leader) fail_record(r, what);
  trim();
}

void forward_table::expire(coro::time_point now) {
  for (record& r : records_)
    if (r.leader && r.deadline <= now) fail_record(r, request_errc::unknown);
  trim();
}

void forward_table::clear() {
  for (record& r : records_) fail_record(r, request_errc::unknown);
  trim();
}

void forward_table::fail_record(record& r, request_errc why) {
  if (!r.leader) return;
  const record gone = std::exchange(r, record{});
  forget(gone);
  fail_(gone, why);
}

void forward_table::forget(const record& r) {
  --waiting_;
  bytes_ -= r.bytes;
  if (r.bulk) bulk_bytes_ -= r.bytes;
}

void forward_table::trim() {
  while (!records_.empty() && !records_.front().leader) {
    records_.pop_front();
    ++first_;
  }
}

} // namespace quorumd::node
