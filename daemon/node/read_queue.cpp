#include "daemon/node/read_queue.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace quorumd::node {

raft::read_context read_queue::ask(coro::time_point now) {
  std::vector<read_request> next = spare();
  next.swap(gathered_);
  asked_.push_back({next_sequence_, now, std::move(next)});
  return {boot_, next_sequence_++};
}

void read_queue::answered(const raft::read_state& answer, log_index applied, coro::time_point now) {
  if (answer.context.boot != boot_) return;
  const auto found = std::lower_bound(asked_.begin(), asked_.end(), answer.context.sequence,
                                      [](const batch& b, std::uint64_t sequence) { return b.sequence < sequence; });
  if (found == asked_.end() || found->sequence != answer.context.sequence) return;
  std::vector<read_request> reads = std::move(found->reads);
  const coro::time_point asked = bugs_.age_by_answer ? now : found->asked;
  asked_.erase(found);
  if (!answer.ok) {
    std::move(reads.begin(), reads.end(), std::back_inserter(refused_));
    give_back(std::move(reads));
  } else if (answer.index <= applied || bugs_.serve_before_applied) {
    know(asked);
    serve_all(reads);
    give_back(std::move(reads));
  } else {
    waits_.push_back({answer.index, asked, std::move(reads)});
  }
}

void read_queue::wait_for(log_index index, read_request r) {
  auto found = std::find_if(waits_.begin(), waits_.end(), [&](const auto& w) { return w.index == index; });
  if (found == waits_.end()) found = waits_.insert(found, {index, {}, spare()});
  found->reads.push_back(std::move(r));
}

void read_queue::applied(log_index index) {
  for (std::size_t i = 0; i < waits_.size();) {
    if (waits_[i].index > index) {
      ++i;
      continue;
    }
    std::vector<read_request> reads = std::move(waits_[i].reads);
    know(waits_[i].asked);
    waits_.erase(waits_.begin() + static_cast<std::ptrdiff_t>(i));
    serve_all(reads);
    give_back(std::move(reads));
  }
}

void read_queue::retry() {
  std::move(refused_.begin(), refused_.end(), std::back_inserter(gathered_));
  refused_.clear();
}

void read_queue::expire(coro::time_point now) {
  const auto no_leader = [now](const read_request& r) { return std::min(r.leader_by, r.deadline) <= now; };
  const auto too_late = [now](const read_request& r) { return r.deadline <= now; };
  expire_in(gathered_, no_leader, request_errc::no_quorum);
  expire_in(refused_, no_leader, request_errc::no_quorum);
  for (batch& b : asked_) expire_in(b.reads, no_leader, request_errc::no_quorum);
  for (waiting_batch& w : waits_) expire_in(w.reads, too_late, request_errc::timeout);
  std::erase_if(asked_, [](const batch& b) { return b.reads.empty(); });
  std::erase_if(waits_, [](const waiting_batch& w) { return w.reads.empty(); });
}

void read_queue::clear(request_errc why) {
  const auto fail_all = [&](std::vector<read_request>& reads) {
    for (const read_request& r : reads) fail_(r, why);
    reads.clear();
  };
  fail_all(gathered_);
  fail_all(refused_);
  for (batch& b : asked_) fail_all(b.reads);
  for (waiting_batch& w : waits_) fail_all(w.reads);
  asked_.clear();
  waits_.clear();
}

std::size_t read_queue::size_of_asked() const {
  std::size_t n = 0;
  for (const batch& b : asked_) n += b.reads.size();
  return n;
}

std::size_t read_queue::waiting() const {
  std::size_t n = 0;
  for (const waiting_batch& w : waits_) n += w.reads.size();
  return n;
}

void read_queue::serve_all(std::vector<read_request>& reads) {
  for (read_request& r : reads) serve_(std::move(r));
}

std::vector<read_request> read_queue::spare() {
  if (spares_.empty()) return {};
  std::vector<read_request> s = std::move(spares_.back());
  spares_.pop_back();
  return s;
}

void read_queue::give_back(std::vector<read_request> reads) {
  reads.clear();
  if (spares_.size() < 8) spares_.push_back(std::move(reads));
}

template <class Due>
void read_queue::expire_in(std::vector<read_request>& reads, Due due, request_errc why) {
  std::erase_if(reads, [&](const read_request& r) {
    const bool gone = r.to.sink != nullptr && r.to.sink->gone(r.to);
    if (!gone && !due(r)) return false;
    fail_(r, why);
    return true;
  });
}

} // namespace quorumd::node
