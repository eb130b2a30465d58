#include "daemon/kv/store.hpp"

#include "consensus/types/invariant.hpp"
#include "daemon/kv/store_walk.hpp"
#include "daemon/kv/validate.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

namespace quorumd::kv {

store::run_state::run_state() = default;

store::store(const options& o)
    : options_(o) {}

store::~store() {
  QUORUMD_INVARIANT(pinned_floors_.empty(), "no snapshot cursor, reading or pin outlives its store");
  running_.reset();
  for (key_tree::iterator at = tree_.begin(); at != tree_.end(); ++at) record::destroyer()(&*at);
}

void store::skip(log_index index) {
  QUORUMD_INVARIANT(index > applied_ && !busy(), "log entries are applied in order, each once");
  applied_ = index;
}

// --- a command's course ---

void store::begin(log_index index, const command& c, bool answered, const session_call& call) {
  QUORUMD_INVARIANT(index > applied_ && !busy(), "log entries are applied in order, each once");
  beginning_ = index;
  call_ = call;
  leases_.tidy();
  outcome_.reset();
  if (call) {
    outcome_ = sessions_.known(call);
    if (outcome_) return;
  }
  if (const result<void> ok = validate(c); !ok) {
    outcome_ = ok.error();
    return;
  }
  state_.emplace();
  state_->at = current_;
  state_->floor = compacted_;
  state_->making = &making_;
  state_->answered = answered || call; // a session's is kept
  state_->visits_max = txn_visits_max;
  std::visit([this](const auto& each) { start(each); }, c);
}

bool store::proceed(std::size_t visits_max) {
  if (!running_) return true;
  if (!running_->run(state_->work, visits_max)) return false;
  outcome_ = running_->take();
  running_.reset();
  return true;
}

result<reply> store::finish() {
  QUORUMD_INVARIANT(busy() && outcome_ && !running_, "a command is finished once, when it has come to something");
  applied_ = beginning_;
  beginning_ = {};
  if (call_) sessions_.settle(call_, *outcome_);
  return std::move(*outcome_);
}

result<reply> store::apply(log_index index, const command& c, const session_call& call) {
  begin(index, c, true, call);
  while (!proceed(std::numeric_limits<std::size_t>::max())) {
  }
  return finish();
}

void store::start(const put& p) {
  if (const result<void> ok = check(p); !ok) {
    outcome_ = ok.error();
    return;
  }
  start_change();
  put_reply done = run(p, making_);
  complete(making_);
  outcome_ = reply{current_, std::move(done)};
}

void store::start(const delete_range& d) {
  if (!d.range_end.empty()) {
    running_.emplace(execute(d));
    return;
  }
  start_change();
  delete_range_reply done;
  const bool fits = erase_one(d, done, *state_);
  QUORUMD_INVARIANT(fits, "the first item of a reply always fits");
  complete(making_);
  outcome_ = reply{current_, std::move(done)};
}

void store::start(const txn& t) {
  running_.emplace(execute(t));
}

void store::start(const compact& c) {
  if (c.revision <= compacted_) {
    outcome_ = error(errc::compacted, compacted_);
  } else if (c.revision > current_) {
    outcome_ = error(errc::future_revision, current_);
  } else {
    compacted_ = c.revision;
    forget_up_to(c.revision);
    outcome_ = reply{current_, compact_reply{}};
  }
}

void store::start(const configure& c) {
  kv::settings next = settings_.value_or(kv::settings{});
  if (!c.initial || !settings_) {
    next.keep_revisions = c.keep_revisions.value_or(next.keep_revisions);
    next.history_bytes_max = c.history_bytes_max.value_or(next.history_bytes_max);
    next.quota_bytes = c.quota_bytes.value_or(next.quota_bytes);
    next.keep_for_ms = c.keep_for_ms.value_or(next.keep_for_ms);
  }
  if (!sound(next)) {
    outcome_ = error(errc::settings_conflict);
    return;
  }
  settings_ = next;
  outcome_ = reply{current_, configure_reply{next}};
}

void store::start(const open_session& o) {
  const result<session_id> made = sessions_.open(beginning_, o);
  outcome_ = made ? result<reply>(reply{current_, open_session_reply{*made}}) : made.error();
}

void store::start(const close_session& c) {
  const result<void> closed = sessions_.close(c.session);
  outcome_ = closed ? result<reply>(reply{current_, done_reply{}}) : closed.error();
}

void store::start(const pass_time& t) {
  sessions_.pass(t.ms);
  outcome_ = reply{current_, done_reply{}};
}

void store::start(const raise_level& r) {
  level_ = std::max(level_, r.level);
  outcome_ = reply{current_, done_reply{}};
}

void store::start(const grant_lease& g) {
  const result<lease_record> made = leases_.grant(beginning_, g);
  outcome_ = made ? result<reply>(reply{current_, grant_lease_reply{made->id, made->ttl_s}}) : made.error();
}

void store::start(const revoke_lease& r) {
  if (leases_.contains(r.id))
    running_.emplace(end_lease(r.id));
  else
    outcome_ = error(errc::lease_not_found);
}

void store::start(const expire_lease& e) {
  const std::optional<lease_record> found = leases_.find(e.id);
  if (found && found->granted == e.granted)
    running_.emplace(end_lease(e.id));
  else
    outcome_ = reply{current_, done_reply{}};
}

void store::start(const checkpoint_leases& c) {
  for (const lease_checkpoint& one : c.list) leases_.checkpoint(one);
  outcome_ = reply{current_, done_reply{}};
}

/// The leader answers it; here it is out of place.
void store::start(const lease_question&) {
  outcome_ = error(errc::invalid_option);
}

sliced<result<reply>> store::end_lease(lease_id id) {
  start_change();
  while (record* r = leases_.first_key(id)) {
    if (!state_->work.spend()) co_await state_->work.pause();
    write(*r, version{}, making_);
  }
  complete(making_);
  leases_.end(id);
  co_return reply{current_, done_reply{}};
}

sliced<result<reply>> store::execute(const delete_range& d) {
  start_change();
  delete_range_reply done;
  const bool well = co_await run(d, done, *state_);
  if (!well) {
    co_await undo(*state_);
    co_return error(*state_->failed);
  }
  complete(making_);
  co_return reply{current_, std::move(done)};
}

void store::start_change() {
  making_ = {.main = current_.next(), .sum_before = superseded_sum_};
}

void store::complete(const change& c) {
  if (c.subs != 0) {
    current_ = c.main;
    now_ = changed_;
  }
  making_ = {};
  leases_.settle();
}

/// Takes everything back that the command changed.
sliced<bool> store::undo(run_state& s) {
  change& c = *s.making;
  for (; c.subs != 0; --c.subs) {
    if (!s.work.spend()) co_await s.work.pause();
    record& r = *changes_.back().of;
    changes_.pop_back();
    held_bytes_ -= r.newest().value.size();
    const bool was_live = r.live();
    const lease_id was_of = r.newest().lease;
    r.pop_newest();
    if (was_of != r.newest().lease) leases_.take_back(r, r.newest().lease, was_of);
    if (was_live && !r.live()) tree_.became_dead(tree_.lower_bound(r.key()));
    if (!was_live && r.live()) tree_.became_live(tree_.lower_bound(r.key()));
    if (r.size() == 0) remove(r);
  }
  superseded_sum_ = c.sum_before;
  changed_ = now_;
  making_ = {};
  leases_.settle();
  co_return true;
}

// --- operations ---

result<void> store::check(const put& p) const {
  if (p.lease && !leases_.contains(p.lease)) return error(errc::lease_not_found);
  if (!p.ignore_value && !p.ignore_lease) return {};
  const record* r = index_.find(p.key);
  if (r == nullptr || !r->live()) return error(errc::key_not_found);
  return {};
}

put_reply store::run(const put& p, change& c) {
  const placed found = record_of(p.key);
  record& r = *found.of;
  const version& before = r.newest();
  put_reply done;
  if (p.prev_kv && r.live()) done.prev = view_of(r, before);
  version next;
  next.value = stable_bytes(p.ignore_value ? before.value.view() : p.value);
  next.lease = p.ignore_lease ? before.lease : p.lease;
  next.create = r.live() ? before.create : c.main;
  next.number = before.number + 1;
  write(r, std::move(next), c, found.at);
  return done;
}

bool store::run(const put& p, put_reply& done, run_state& s) {
  done = run(p, *s.making);
  if (!done.prev || s.room.take(item_bytes(*done.prev))) return true;
  s.failed = errc::reply_too_large;
  return false;
}

sliced<bool> store::run(const delete_range& d, delete_range_reply& done, run_state& s) {
  walk w(tree_, d.key, d.range_end);
  for (;;) {
    if (!s.work.spend()) co_await w.pause(s.work);
    record* r = w.next(true);
    if (r == nullptr) co_return true;
    if (!erase(*r, w.here(), d.prev_kv, done, s)) co_return false;
  }
}

bool store::erase_one(const delete_range& d, delete_range_reply& done, run_state& s) {
  record* r = index_.find(d.key);
  return r == nullptr || !r->live() || erase(*r, {}, d.prev_kv, done, s);
}

bool store::erase(record& r, std::optional<key_tree::iterator> at, bool prev_kv, delete_range_reply& done,
                  run_state& s) {
  if (prev_kv) {
    const key_value_view before = view_of(r, r.newest());
    if (!s.room.take(item_bytes(before))) {
      s.failed = errc::reply_too_large;
      return false;
    }
    if (s.answered) done.prev.push_back(before);
  }
  ++done.deleted;
  write(r, version{}, *s.making, at);
  return true;
}

store::placed store::record_of(std::string_view key) {
  if (record* known = index_.find(key)) return {known, {}};
  record* made = record::make(key).release();
  held_bytes_ += key.size();
  index_.insert(*made);
  return {made, tree_.insert(*made)};
}

void store::write(record& r, version next, change& c, std::optional<key_tree::iterator> at) {
  next.mod = c.main;
  next.sub = c.subs++;
  next.hash = version_hash(r.key(), next);
  changed_.versions_hash += next.hash;
  held_bytes_ += next.value.size();
  const bool was_live = r.live();
  const bool lives = !next.tombstone();
  const lease_id from = r.newest().lease;
  const lease_id to = next.lease;
  superseded_sum_.add(r.key(), r.newest(), next);
  changes_.push_back({next.mod, &r, superseded_sum_});
  if (was_live) {
    --changed_.keys;
    changed_.bytes -= r.key().size() + r.newest().value.size();
  }
  if (lives) {
    ++changed_.keys;
    changed_.bytes += r.key().size() + next.value.size();
  }
  r.push(std::move(next));
  if (from != to) {
    if (to) ++changed_.attached;
    if (from) --changed_.attached;
    leases_.move(r, from, to, c.main);
  }
  if (was_live == lives) return;
  if (lives) {
    tree_.became_live(at ? *at : tree_.lower_bound(r.key()));
  } else {
    tree_.became_dead(at ? *at : tree_.lower_bound(r.key()));
  }
}

/// Takes what the compaction hides out of the hash, without visiting it.
void store::forget_up_to(revision floor) {
  const auto above = [](revision r, const noted_change& c) { return r < c.at; };
  const auto end = std::upper_bound(changes_.begin(), changes_.end(), floor, above);
  if (end == changes_.begin()) return;
  const sums sum = std::prev(end)->sum;
  now_.versions_hash -= sum.hash - forgotten_sum_.hash;
  changed_ = now_;
  forgotten_sum_ = sum;
}

revision store::physical_floor() const {
  return pinned_floors_.empty() ? compacted_ : std::min(compacted_, *pinned_floors_.begin());
}

bool store::can_free(revision floor) const {
  if (changes_.empty()) return false;
  return changes_.front().at < floor || (freed_ < changes_.size() && changes_[freed_].at <= floor);
}

bool store::compact_step(std::size_t changes_max) {
  const revision floor = physical_floor();
  for (; changes_max != 0 && can_free(floor); --changes_max) {
    if (freed_ == 0 || changes_.front().at == floor) free_superseded(changes_[freed_++]);
    if (changes_.front().at == floor) continue;
    free_tombstone(changes_.front());
    changes_.pop_front();
    --freed_;
  }
  return can_free(floor);
}

/// All changes before this one were freed: the oldest version of the key is the one that it superseded, or its own.
void store::free_superseded(const noted_change& c) {
  record& r = *c.of;
  if (r[0].mod == c.at) return;
  QUORUMD_INVARIANT(r.size() >= 2 && r[0].mod < c.at && r[1].mod == c.at, "a change follows what it superseded");
  held_bytes_ -= r[0].value.size();
  r.pop_oldest();
}

void store::free_tombstone(const noted_change& c) {
  record& r = *c.of;
  QUORUMD_INVARIANT(r[0].mod == c.at, "a change that is forgotten made its key's oldest version");
  if (!r[0].tombstone()) return;
  if (r.size() == 1)
    remove(r);
  else
    r.pop_oldest();
}

/// The record leaves the store.
void store::remove(record& r) {
  held_bytes_ -= r.key().size();
  index_.erase(r);
  tree_.erase(r);
  record::destroyer()(&r);
}

std::optional<revision> store::due_compaction() const {
  if (!settings_) return std::nullopt;
  revision due = compacted_;
  const std::uint64_t keep = settings_->keep_revisions;
  const std::uint64_t kept = current_ - compacted_;
  if (keep != 0 && kept > keep && kept - keep > std::max(keep / 10, options_.compaction_slack)) due = current_ - keep;
  const std::uint64_t most = settings_->history_bytes_max;
  if (history_bytes() > most) { // down to a tenth less
    const std::uint64_t drop = left_behind().bytes - (most - most / 10);
    const auto too_few = [](const noted_change& c, std::uint64_t bytes) { return c.sum.bytes < bytes; };
    due = std::max(due, std::lower_bound(changes_.begin(), changes_.end(), drop, too_few)->at);
  }
  return due == compacted_ ? std::nullopt : std::optional(due);
}

std::uint64_t store::content_hash() const {
  return content_hash(now_.versions_hash, sessions_.hash(), leases_.hash());
}

std::uint64_t store::content_hash(std::uint64_t versions, std::uint64_t sessions, std::uint64_t leases) const {
  const kv::settings s = settings_.value_or(kv::settings{0, 0, 0, 0});
  const std::uint64_t parts[] = {
      versions,      current_.value(), compacted_.value(), s.keep_revisions, s.history_bytes_max,
      s.quota_bytes, level_,           sessions,           leases,           s.keep_for_ms};
  // What a version before this one does not know is left out while there is none of it: its hashes are the same.
  const std::size_t known = s.keep_for_ms != 0             ? 10
                            : leases != 0                  ? 9
                            : level_ != 0 || sessions != 0 ? 8
                            : settings_                    ? 6
                                                           : 3;
  return hash_of(std::span(parts).first(known));
}

std::uint64_t store::keys_hash() const {
  const std::uint64_t parts[] = {now_.versions_hash, current_.value(), compacted_.value()};
  return hash_of(parts);
}

std::uint64_t store::recompute_content_hash() const {
  std::uint64_t sum = 0;
  for (key_tree::iterator r = tree_.begin(); r != tree_.end(); ++r)
    for (std::size_t i = r->first_readable(compacted_), n = r->up_to(current_); i < n; ++i)
      sum += version_hash(r->key(), (*r)[i]);
  return content_hash(sum, sessions_.recompute_hash(), leases_.recompute_hash());
}

} // namespace quorumd::kv
