#include "consensus/types/invariant.hpp"
#include "daemon/kv/store_walk.hpp"
#include "daemon/kv/validate.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

namespace quorumd::kv {
namespace {

constexpr std::size_t any_bytes = std::numeric_limits<std::size_t>::max() / 2;

bool passes(const range_request& r, const version& v) {
  return (!r.min_mod_revision || v.mod >= r.min_mod_revision) && (!r.max_mod_revision || v.mod <= r.max_mod_revision) &&
         (!r.min_create_revision || v.create >= r.min_create_revision) &&
         (!r.max_create_revision || v.create <= r.max_create_revision);
}

key_value_view shown(const range_request& r, const record& of, const version& v) {
  key_value_view kv = view_of(of, v);
  if (r.keys_only) kv.value = {};
  return kv;
}

} // namespace

/// Fills a reply with keys in the reply's order, up to the request's limit and page, and within the room of the whole
/// answer.
class store::page {
 public:
  enum class verdict : std::uint8_t { taken, full, failed };

  page(const range_request& request, range_reply& reply, run_state& s)
      : request_(request)
      , reply_(reply)
      , state_(s) {}

  /// `full`, and `more` is set, if there is no room for this one; then there is none for any later one.
  [[nodiscard]] verdict take(const key_value_view& kv) {
    const std::size_t bytes = item_bytes(kv);
    if (full(bytes)) {
      reply_.more = true;
      return verdict::full;
    }
    if (!state_.room.take(bytes)) {
      state_.failed = errc::reply_too_large;
      return verdict::failed;
    }
    bytes_ += bytes;
    ++taken_;
    if (state_.answered) reply_.kvs.push_back(kv);
    return verdict::taken;
  }
  [[nodiscard]] std::uint64_t taken() const { return taken_; }

 private:
  [[nodiscard]] bool full(std::size_t next_bytes) const {
    if (request_.limit != 0 && taken_ >= request_.limit) return true;
    return request_.page_bytes_max != 0 && taken_ != 0 && bytes_ + next_bytes > request_.page_bytes_max;
  }

  const range_request& request_;
  range_reply& reply_;
  run_state& state_;
  std::size_t bytes_ = 0;
  std::uint64_t taken_ = 0;
};

namespace {

/// The order of a reply that is sorted by another target than the key. Equal ones stay in the order of their keys,
/// whichever way it is sorted.
class reply_order {
 public:
  explicit reply_order(const range_request& r)
      : target_(r.target)
      , descending_(r.order == sort_order::descend) {}

  bool operator()(const key_value_view& a, const key_value_view& b) const {
    if (descending_ ? less(b, a) : less(a, b)) return true;
    if (descending_ ? less(a, b) : less(b, a)) return false;
    return a.key < b.key;
  }

 private:
  [[nodiscard]] bool less(const key_value_view& a, const key_value_view& b) const {
    switch (target_) {
    case sort_target::key:
      return a.key < b.key;
    case sort_target::version:
      return a.version < b.version;
    case sort_target::create:
      return a.create_revision < b.create_revision;
    case sort_target::mod:
      return a.mod_revision < b.mod_revision;
    case sort_target::value:
      return a.value < b.value;
    }
    return false;
  }

  sort_target target_;
  bool descending_;
};

/// The first ones in an order of all that are offered: those that can come into a reply, and one more that says that
/// there are more. Its memory is bounded by what a reply may hold, not by the range.
class first_ones {
 public:
  first_ones(const range_request& r, std::size_t bytes_max)
      : order_(r)
      , limit_(r.limit)
      , keys_only_(r.keys_only)
      , bytes_max_(bytes_max) {}

  void offer(const key_value_view& kv) {
    kept_.push_back(kv);
    std::push_heap(kept_.begin(), kept_.end(), order_);
    bytes_ += bytes_of(kv);
    while (kept_.size() > 2 && last_is_beyond()) {
      std::pop_heap(kept_.begin(), kept_.end(), order_);
      bytes_ -= bytes_of(kept_.back());
      kept_.pop_back();
    }
  }
  /// In order.
  [[nodiscard]] std::vector<key_value_view>& sorted() {
    std::sort_heap(kept_.begin(), kept_.end(), order_);
    return kept_;
  }

 private:
  [[nodiscard]] std::size_t bytes_of(const key_value_view& kv) const {
    return item_bytes(kv) - (keys_only_ ? kv.value.size() : 0);
  }
  /// Whether those before the last one fill a reply and show that there is more.
  [[nodiscard]] bool last_is_beyond() const {
    if (limit_ != 0 && kept_.size() - 1 > limit_) return true;
    return bytes_ - bytes_of(kept_.front()) > bytes_max_;
  }

  const reply_order order_;
  const std::uint64_t limit_;
  const bool keys_only_;
  const std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::vector<key_value_view> kept_; ///< a heap, the last one in front
};

} // namespace

/// Only of what can be seen: records that wait to be freed are not there on every member.
bool store::look(run_state& s) {
  if (s.visits_max == 0 || ++s.visits <= s.visits_max) return true;
  s.failed = errc::too_many_visits;
  return false;
}

/// The one key of a request that names no range: the same as below, without the tree.
bool store::read_one(const range_request& r, revision when, range_reply& done, run_state& s) const {
  const record* found = index_.find(r.key);
  const version* v = found == nullptr ? nullptr : found->at(when);
  if (v == nullptr) return true;
  done.count = 1;
  if (r.count_only) return true;
  page p(r, done, s);
  if (passes(r, *v) && p.take(shown(r, *found, *v)) == page::verdict::failed) return false;
  if (r.skip_count) done.count = p.taken();
  return true;
}

sliced<bool> store::read(const range_request& r, revision when, range_reply& done, run_state& s) const {
  if (r.range_end.empty()) co_return read_one(r, when, done, s);
  if (!below(r.key, r.range_end)) co_return true;
  if (r.count_only || (exact(when) && !r.skip_count)) {
    const bool counted = co_await count(r, when, done, s);
    if (!counted || r.count_only) co_return counted;
  }
  if (r.target != sort_target::key) {
    const bool sorted = co_await read_sorted(r, when, done, s);
    co_return sorted;
  }
  const bool in_order = co_await read_in_order(r, when, done, s);
  co_return in_order;
}

std::uint64_t store::live_in(std::string_view key, std::string_view range_end) const {
  const auto end = range_end == no_end ? tree_.end() : tree_.lower_bound(range_end);
  return tree_.live_before(end) - tree_.live_before(tree_.lower_bound(key));
}

sliced<bool> store::count(const range_request& r, revision when, range_reply& done, run_state& s) const {
  if (exact(when)) {
    done.count = live_in(r.key, r.range_end);
    co_return true;
  }
  walk w(tree_, r.key, r.range_end);
  for (;;) {
    if (!s.work.spend()) co_await w.pause(s.work);
    const record* of = w.next(false);
    if (of == nullptr) co_return true;
    if (of->at(when) == nullptr) continue;
    if (!look(s)) co_return false;
    ++done.count;
  }
}

/// Keys that come in the reply's order: what does not fit is counted, not kept.
sliced<bool> store::read_in_order(const range_request& r, revision when, range_reply& done, run_state& s) const {
  const bool counted = exact(when) || r.skip_count; // the slices to come see other trees
  page p(r, done, s);
  walk w(tree_, r.key, r.range_end, r.order == sort_order::descend);
  for (bool room = true; room || !counted;) {
    if (!s.work.spend()) co_await w.pause(s.work);
    const record* of = w.next(exact(when));
    if (of == nullptr) break;
    const version* v = of->at(when);
    if (v == nullptr) continue;
    if (!look(s)) co_return false;
    if (!counted) ++done.count;
    if (!room || !passes(r, *v)) continue;
    const page::verdict taken = p.take(shown(r, *of, *v));
    if (taken == page::verdict::failed) co_return false;
    room = taken == page::verdict::taken;
  }
  if (r.skip_count) done.count = p.taken();
  co_return true;
}

/// Keeps the first ones of all, sorted by another target than the key.
sliced<bool> store::read_sorted(const range_request& r, revision when, range_reply& done, run_state& s) const {
  const bool counted = exact(when) || r.skip_count;
  first_ones first(r, r.page_bytes_max == 0 ? s.room.most() : std::min<std::size_t>(r.page_bytes_max, s.room.most()));
  walk w(tree_, r.key, r.range_end);
  for (;;) {
    if (!s.work.spend()) co_await w.pause(s.work);
    const record* of = w.next(exact(when));
    if (of == nullptr) break;
    const version* v = of->at(when);
    if (v == nullptr) continue;
    if (!look(s)) co_return false;
    if (!counted) ++done.count;
    if (passes(r, *v)) first.offer(view_of(*of, *v));
  }
  page p(r, done, s);
  for (key_value_view kv : first.sorted()) {
    if (r.keys_only) kv.value = {};
    const page::verdict taken = p.take(kv);
    if (taken == page::verdict::failed) co_return false;
    if (taken == page::verdict::full) break;
  }
  if (r.skip_count) done.count = p.taken();
  co_return true;
}

result<void> store::check_readable(revision r, revision floor, revision latest) {
  if (r > latest) return error(errc::future_revision, latest);
  if (r && r < floor) return error(errc::compacted, floor);
  return {};
}

sliced<result<range_reply>> store::execute_read(const range_request& r, run_state& s) const {
  range_reply done;
  done.revision = s.at;
  const bool well = co_await read(r, r.revision ? r.revision : s.at, done, s);
  if (!well) co_return error(*s.failed);
  co_return done;
}

result<range_reply> store::range(const range_request& r) const {
  if (const result<void> ok = validate(r); !ok) return ok.error();
  if (const result<void> ok = check_readable(r.revision, floor_for(r.revision), current_); !ok) return ok.error();
  run_state s;
  s.at = current_;
  s.room = reply_room(any_bytes);
  if (r.range_end.empty()) {
    range_reply done;
    if (!read_one(r, r.revision ? r.revision : current_, done, s)) return error(*s.failed);
    done.revision = current_;
    return done;
  }
  sliced<result<range_reply>> run = execute_read(r, s);
  while (!run.run(s.work, std::numeric_limits<std::size_t>::max())) {
  }
  return run.take();
}

// --- in slices ---

reading::reading(store& s, const range_request& r)
    : store_(s)
    , needs_(r.revision ? r.revision : s.current_) {
  state_.at = s.current_;
  state_.room = store::reply_room(any_bytes); // it comes in pages
  result<void> ok = validate(r);
  if (ok) ok = store::check_readable(r.revision, s.floor_for(r.revision), s.current_);
  if (!ok)
    refused_ = ok.error();
  else
    range_.emplace(s.execute_read(r, state_));
}

reading::reading(store& s, const txn& t)
    : store_(s)
    , needs_(s.compacted_) {
  state_.at = s.current_;
  state_.floor = s.compacted_;
  if (const result<void> ok = validate(t); !ok)
    refused_ = ok.error();
  else
    txn_.emplace(s.execute_reads(t, state_));
}

reading::~reading() {
  if (pinned_) store_.pinned_floors_.erase(store_.pinned_floors_.find(needs_));
}

bool reading::proceed(std::size_t visits_max) {
  if (refused_) return true;
  if (range_ ? range_->run(state_.work, visits_max) : txn_->run(state_.work, visits_max)) return true;
  if (!std::exchange(pinned_, true)) store_.pinned_floors_.insert(needs_);
  return false;
}

result<range_reply> reading::take_range() {
  if (refused_) return *refused_;
  return range_->take();
}

result<reply> reading::take_txn() {
  if (refused_) return *refused_;
  return txn_->take();
}

void store::pin(revision r) {
  QUORUMD_INVARIANT(readable(r), "what is pinned can be read");
  pinned_floors_.insert(r);
  kept_.insert(r);
}

void store::unpin(revision r) {
  pinned_floors_.erase(pinned_floors_.find(r));
  kept_.erase(kept_.find(r));
}

} // namespace quorumd::kv
