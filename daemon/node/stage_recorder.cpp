#include "daemon/node/stage_recorder.hpp"

#include <algorithm>
#include <utility>

namespace quorumd::node {
namespace {
constexpr std::size_t forwards_known = 4096;
} // namespace

stage_recorder::stage_recorder(const coro::loop& l)
    : loop_(l)
    , forwards_(forwards_known) {}

void stage_recorder::follow(const std::vector<node_id>& peers) {
  std::vector<group_metrics::peer_stages> stages;
  std::vector<put_timeline::cursor> cursors;
  for (const node_id id : peers) {
    const auto known =
        std::find_if(metrics_.peers.begin(), metrics_.peers.end(), [id](const auto& p) { return p.id == id; });
    if (known == metrics_.peers.end()) {
      stages.push_back({.id = id, .acknowledged = {}, .wire = {}, .sync = {}});
      cursors.emplace_back();
    } else {
      cursors.push_back(acknowledged_[static_cast<std::size_t>(known - metrics_.peers.begin())]);
      stages.push_back(std::move(*known));
    }
  }
  metrics_.peers = std::move(stages);
  acknowledged_ = std::move(cursors);
}

void stage_recorder::turn_begins() {
  turn_ = look();
}

void stage_recorder::turn_ends() {
  look();
  metrics_.turn.record(now_ - turn_);
  if (!applied_now_.empty()) {
    puts_.pass(answered_, applied_to_, [this](const put_timeline::batch& b, log_index first, std::uint64_t n) {
      for (log_index i = first; i < first + n; i = i.next())
        if (puts_.knows(i)) metrics_.put.whole.record(now_ - b.proposed + puts_.age(i));
    });
    for (const applied_part& p : applied_now_) metrics_.put.answer.record(now_ - p.at, p.count);
    applied_now_.clear();
  }
  for (const coro::time_point received : served_) metrics_.read.whole.record(now_ - received);
  served_.clear();
}

void stage_recorder::proposed(log_index first, std::span<const write_request> requests) {
  proposed_at_ = look();
  puts_.begin(first, now_);
  for (const write_request& r : requests) {
    const bool known = r.arrival.received != coro::time_point(); // a follower's client has its clock there
    puts_.add(now_ - (known ? r.arrival.received : turn_));
    if (known) metrics_.put.inbox.record(turn_ - r.arrival.handed);
  }
  metrics_.put.propose.record(now_ - turn_, requests.size());
  metrics_.put.batch.record(requests.size());
  unqueued_ += requests.size();
}

void stage_recorder::queued() {
  if (unqueued_ == 0) return;
  metrics_.put.encode.record(look() - proposed_at_, unqueued_);
  unqueued_ = 0;
}

void stage_recorder::persisted(log_index up_to) {
  look();
  puts_.pass(persisted_, up_to, [this](const put_timeline::batch& b, log_index, std::uint64_t n) {
    metrics_.put.sync.record(now_ - b.proposed, n);
  });
}

void stage_recorder::acknowledged(node_id by, log_index match, std::chrono::microseconds held) {
  const auto p = std::lower_bound(metrics_.peers.begin(), metrics_.peers.end(), by,
                                  [](const group_metrics::peer_stages& s, node_id id) { return s.id < id; });
  if (p == metrics_.peers.end() || p->id != by) return;
  coro::time_point newest; // its answer speaks of this one, the older ones were in its hands meanwhile
  puts_.pass(acknowledged_[static_cast<std::size_t>(p - metrics_.peers.begin())], match,
             [&](const put_timeline::batch& b, log_index, std::uint64_t n) {
               p->acknowledged.record(turn_ - b.proposed, n);
               newest = b.proposed;
             });
  if (newest == coro::time_point() || held.count() == 0) return;
  p->sync.record(held);
  p->wire.record(turn_ - newest - held);
}

void stage_recorder::committed(log_index up_to) {
  look();
  puts_.pass(committed_, up_to, [this](put_timeline::batch& b, log_index, std::uint64_t n) {
    metrics_.put.commit.record(now_ - b.proposed, n);
    b.committed = now_;
  });
}

void stage_recorder::slice_ends(log_index before, log_index applied) {
  look();
  metrics_.apply_slice.record(now_ - apply_began_);
  if (applied == before) return;
  metrics_.apply_batch.record(applied - before);
  applied_to_ = applied;
  std::uint64_t puts = 0;
  puts_.pass(applied_, applied, [&](const put_timeline::batch& b, log_index, std::uint64_t n) {
    metrics_.put.apply.record(now_ - b.committed, n);
    puts += n;
  });
  if (puts != 0) applied_now_.push_back({.at = now_, .count = puts});
  for (auto r = rounds_.begin(); waiting_ != 0 && r != rounds_.end(); ++r) {
    if (!r->index || r->index > applied) continue;
    metrics_.read.apply.record(now_ - r->answered, r->count);
    r->index = {};
    --waiting_;
  }
}

void stage_recorder::forwarded(std::uint64_t id, const arrival& a) {
  forwards_[id % forwards_.size()] = {.id = id, .sent = turn_, .received = a.received};
}

void stage_recorder::forward_answered(std::uint64_t id) {
  const forward_slot& f = forwards_[id % forwards_.size()];
  if (f.id != id) return;
  metrics_.put.forward.record(turn_ - f.sent);
  if (f.received != coro::time_point()) metrics_.put.whole.record(turn_ - f.received);
}

std::chrono::microseconds stage_recorder::held(coro::time_point taken) {
  const coro::duration d = now_ - taken;
  metrics_.hold.record(d);
  return std::max(std::chrono::duration_cast<std::chrono::microseconds>(d), std::chrono::microseconds(1));
}

void stage_recorder::read_taken(const read_request& r) {
  if (!r.stale) ++taken_;
  if (r.arrival.handed != coro::time_point()) metrics_.read.inbox.record(turn_ - r.arrival.handed);
}

void stage_recorder::reads_asked(std::uint64_t sequence, bool by_lease) {
  read_round& r = round_of(sequence);
  if (r.index) --waiting_; // as old as that, and still not applied: forgotten
  r = {.sequence = sequence, .count = std::exchange(taken_, 0), .asked = turn_, .answered = {}, .index = {}};
  if (r.count != 0) metrics_.read.batch.record(r.count);
  if (r.count != 0 && by_lease) metrics_.read.lease.record(r.count);
}

void stage_recorder::reads_answered(std::uint64_t sequence, bool ok, log_index index, log_index applied) {
  read_round& r = round_of(sequence);
  if (r.sequence != sequence || !ok || r.count == 0) return;
  metrics_.read.round.record(now_ - r.asked, r.count);
  if (index <= applied) {
    metrics_.read.apply.record(std::uint64_t{0}, r.count);
    return;
  }
  r.answered = now_;
  r.index = index;
  ++waiting_;
}

void stage_recorder::read_served(const read_request& r) {
  if (r.arrival.received != coro::time_point()) served_.push_back(r.arrival.received);
}

} // namespace quorumd::node
