#include "daemon/node/lease_keeper.hpp"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

namespace quorumd::node {
namespace {

using std::chrono::milliseconds;

/// Ids in one answer.
constexpr std::size_t listed_max = 20'000;
/// Keys of a lease in one answer, besides their bytes' bound.
constexpr std::size_t keys_step = 1024;

/// What a clock can hold of it: centuries are as good as for ever.
coro::duration time_for(std::int64_t ttl_s) {
  constexpr std::int64_t most_s = std::int64_t{100} * 365 * 24 * 60 * 60;
  return std::chrono::seconds(std::min(ttl_s, most_s));
}

coro::duration remaining_of(const kv::lease_record& l) {
  const coro::duration whole = time_for(l.ttl_s);
  if (!l.remaining_ms) return whole;
  const auto most = static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(whole).count());
  return milliseconds(static_cast<std::int64_t>(std::min(*l.remaining_ms, most)));
}

} // namespace

lease_keeper::~lease_keeper() {
  detach();
}

void lease_keeper::attach(kv::store& s) {
  detach();
  store_ = &s;
  s.listen(this);
  if (leads_) lead();
}

void lease_keeper::detach() {
  if (store_ != nullptr) store_->listen(nullptr);
  store_ = nullptr;
}

void lease_keeper::lead() {
  if (!bugs_.expire_by_follower) stop_leading();
  leads_ = true;
  changed_ = true; // what was asked a moment too early is answered now
  adopting_ = lease_id();
}

void lease_keeper::stop_leading() {
  changed_ = leads_;
  leads_ = false;
  times_ = {};
  queue_ = {};
  adopting_.reset();
  urgent_.clear();
  expiring_ = 0;
}

bool lease_keeper::adopt(std::size_t visits_max) {
  for (; adopting_ && visits_max != 0; --visits_max) {
    const auto next = store_->leases().next(*adopting_);
    if (!next) {
      adopting_.reset();
      break;
    }
    adopting_ = next->id;
    time_of(*next);
  }
  return !adopting_;
}

/// What is left of it; it begins now if nobody has asked before.
lease_keeper::time_left& lease_keeper::time_of(const kv::lease_record& l) {
  const auto [at, is_new] = times_.try_emplace(l.id);
  if (is_new) {
    at->second = {.until = now_() + remaining_of(l), .granted = l.granted};
    queue(l.id, at->second.until);
  }
  return at->second;
}

void lease_keeper::queue(lease_id id, coro::time_point at) {
  queue_.push_back({at, id});
  std::push_heap(queue_.begin(), queue_.end());
}

void lease_keeper::granted(const kv::lease_record& l) {
  if (leads_ || bugs_.expire_by_follower) time_of(l);
}

void lease_keeper::ended(lease_id id, log_index) {
  const auto at = times_.find(id);
  if (at == times_.end()) return;
  if (at->second.expiring) --expiring_;
  times_.erase(at); // its place in the queue is passed over
  changed_ = true;
}

void lease_keeper::checkpointed(const kv::lease_record& l) {
  const auto at = times_.find(l.id);
  if (at == times_.end()) return;
  if (l.remaining_ms)
    at->second.telling = false;
  else
    at->second.renewing = false;
  changed_ = true;
}

coro::time_point lease_keeper::due() const {
  return queue_.empty() || expiring_ >= options_.expiring_max ? coro::time_point::max() : queue_.front().at;
}

std::vector<kv::expire_lease> lease_keeper::take_expired() {
  std::vector<kv::expire_lease> over;
  const coro::time_point now = now_();
  while (due() <= now) {
    const lease_id id = queue_.front().id;
    std::pop_heap(queue_.begin(), queue_.end());
    queue_.pop_back();
    const auto at = times_.find(id);
    if (at == times_.end() || at->second.expiring) continue;
    if (at->second.until > now) { // renewed
      queue(id, at->second.until);
      continue;
    }
    at->second.expiring = true;
    ++expiring_;
    over.push_back({id, at->second.granted});
  }
  return over;
}

void lease_keeper::not_proposed(const kv::expire_lease& e) {
  const auto at = times_.find(e.id);
  if (at == times_.end() || !at->second.expiring) return;
  at->second.expiring = false;
  --expiring_;
  queue(e.id, at->second.until);
}

/// Of a lease that is renewed as it should be nothing is ever told.
bool lease_keeper::worth_telling(const kv::lease_record& l, const time_left& t) const {
  if (t.expiring || t.telling || t.renewing) return false;
  const coro::duration left = t.until - now_();
  if (left < options_.checkpoint_interval) return false;
  const coro::duration gone = remaining_of(l) - left;
  return gone >= (l.remaining_ms ? options_.checkpoint_interval : time_for(l.ttl_s) / 2);
}

kv::checkpoint_leases lease_keeper::take_checkpoints(coro::duration every) {
  kv::checkpoint_leases c = take_urgent();
  if (!leads_ || adopting_) return c;
  const auto rounds = std::max<std::int64_t>(options_.checkpoint_interval / every, 1);
  std::size_t looks =
      std::min(store_->leases().size() / static_cast<std::size_t>(rounds) + 1, kv::lease_checkpoints_max);
  for (; looks != 0 && c.list.size() < kv::lease_checkpoints_max; --looks) {
    const auto l = store_->leases().next(looked_at_);
    looked_at_ = l ? l->id : lease_id();
    if (!l) break;
    const auto t = times_.find(l->id);
    if (t == times_.end() || !worth_telling(*l, t->second)) continue;
    t->second.telling = true;
    const auto left = std::chrono::duration_cast<milliseconds>(t->second.until - now_());
    c.list.push_back({l->id, l->granted, static_cast<std::uint64_t>(left.count())});
  }
  return c;
}

kv::checkpoint_leases lease_keeper::take_urgent() {
  kv::checkpoint_leases c;
  const std::size_t n = std::min(urgent_.size(), kv::lease_checkpoints_max);
  c.list.assign(urgent_.begin(), urgent_.begin() + static_cast<std::ptrdiff_t>(n));
  urgent_.erase(urgent_.begin(), urgent_.begin() + static_cast<std::ptrdiff_t>(n));
  return c;
}

void lease_keeper::not_proposed(const kv::checkpoint_leases& c) {
  for (const kv::lease_checkpoint& one : c.list) {
    if (!one.remaining_ms)
      urgent_.push_back(one);
    else if (const auto at = times_.find(one.id); at != times_.end())
      at->second.telling = false;
  }
}

std::optional<kv::result<kv::reply>> lease_keeper::answer(const kv::lease_question& q) {
  if (q.what == kv::lease_question::kind::list) return list(q);
  const auto l = store_->leases().find(q.id);
  if (!l) return kv::reply{.revision = store_->current(), .body = kv::lease_answer{.id = q.id, .ttl_s = -1}};
  if (q.what == kv::lease_question::kind::renew) return renew(*l);
  return tell_time(*l, q);
}

std::optional<kv::result<kv::reply>> lease_keeper::renew(const kv::lease_record& l) {
  time_left& t = time_of(l);
  if (t.expiring) return std::nullopt; // it is gone soon, unless another leads by then
  if (t.telling) return std::nullopt;  // what was told is void then, and is to be taken back
  if (l.remaining_ms && !bugs_.forget_checkpoint) {
    if (!std::exchange(t.renewing, true)) urgent_.push_back({l.id, l.granted, std::nullopt});
    return std::nullopt;
  }
  t.until = now_() + time_for(l.ttl_s);
  return kv::reply{.revision = store_->current(),
                   .body = kv::lease_answer{.id = l.id, .ttl_s = l.ttl_s, .granted_ttl_s = l.ttl_s}};
}

kv::reply lease_keeper::tell_time(const kv::lease_record& l, const kv::lease_question& q) {
  const coro::duration left = std::max<coro::duration>(time_of(l).until - now_(), coro::duration(0));
  const std::int64_t left_s = std::chrono::duration_cast<std::chrono::seconds>(left).count();
  const bool whole = time_for(l.ttl_s) != std::chrono::seconds(l.ttl_s); // more than a clock is asked to hold
  kv::lease_answer a{.id = l.id, .ttl_s = whole ? l.ttl_s : left_s, .granted_ttl_s = l.ttl_s};
  std::string_view after = q.after;
  for (std::size_t bytes = 0; q.keys && !a.more;) {
    const auto some = store_->leases().keys(l.id, after, keys_step);
    for (const std::string_view key : some) {
      bytes += key.size() + kv::reply_item_bytes;
      a.more = bytes > kv::reply_bytes_max && !a.keys.empty();
      if (a.more) break;
      a.keys.push_back(key);
    }
    if (some.size() < keys_step) break;
    after = some.back();
  }
  return {.revision = store_->current(), .body = std::move(a)};
}

kv::reply lease_keeper::list(const kv::lease_question& q) {
  kv::lease_answer a;
  lease_id after = q.id;
  for (auto l = store_->leases().next(after); l && !a.more; l = store_->leases().next(after)) {
    a.more = a.leases.size() == listed_max;
    if (!a.more) a.leases.push_back(after = l->id);
  }
  return {.revision = store_->current(), .body = std::move(a)};
}

} // namespace quorumd::node
