#include "daemon/kv/snapshot.hpp"

#include "consensus/types/invariant.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace quorumd::kv {
namespace {

/// What visiting a version costs besides its bytes, so that slices without bytes are bounded too.
constexpr std::size_t visit_bytes = 64;

record_view view_of_record(const record& r, const version& v) {
  return {.key = r.key(),
          .value = v.value.view(),
          .create_revision = v.create,
          .mod_revision = v.mod,
          .sub = v.sub,
          .version = v.number,
          .lease = v.lease};
}

} // namespace

snapshot_cursor::snapshot_cursor(store& s)
    : store_(s)
    , header_{.applied = s.applied_,
              .current = s.current_,
              .compacted = s.compacted_,
              .settings = s.settings_,
              .level = s.level_,
              .time_ms = s.sessions_.now_ms(),
              .content_hash = s.content_hash()}
    , sessions_(s.sessions_.capture())
    , leases_(s.leases_, s.applied_) {
  store_.pinned_floors_.insert(header_.compacted);
}

snapshot_cursor::~snapshot_cursor() {
  store_.pinned_floors_.erase(store_.pinned_floors_.find(header_.compacted));
}

std::span<const record_view> snapshot_cursor::next(std::size_t bytes_max) {
  slice_.clear();
  visits_ = 0;
  if (done_) return slice_;
  std::size_t visited = 0;
  const auto stop = [&](const record& r, revision after) {
    if (visited == 0 || visited < bytes_max) return false;
    key_ = r.key();
    after_ = after;
    return true;
  };
  // A key that was left halfway is still there: what it has yet to yield is pinned.
  auto at = store_.tree_.lower_bound(key_);
  for (; at != store_.tree_.end(); ++at, after_ = {}) {
    const record& r = *at;
    if (stop(r, after_)) return slice_;
    const std::size_t yielded = slice_.size();
    const std::size_t last = r.up_to(header_.current);
    for (std::size_t i = std::max(r.first_readable(header_.compacted), r.up_to(after_)); i < last; ++i) {
      if (stop(r, after_)) return slice_;
      slice_.push_back(view_of_record(r, r[i]));
      after_ = r[i].mod;
      visited += visit_bytes + r.key().size() + r[i].value.size();
      ++visits_;
    }
    if (slice_.size() != yielded) continue;
    visited += visit_bytes;
    ++visits_;
  }
  done_ = true;
  return slice_;
}

store_builder::store_builder(const options& o, const snapshot_header& header, const restoration& how)
    : header_(header)
    , how_(how)
    , store_(std::make_unique<store>(o)) {
  store_->applied_ = header.applied;
  store_->current_ = header.current;
  store_->compacted_ = header.compacted;
  if (header.compacted) store_->history_from_ = header.compacted.next();
  store_->settings_ = header.settings;
  store_->level_ = header.level;
  store_->sessions_.restore_time(header.time_ms);
}

store_builder::~store_builder() = default;

/// Whether a record can be the first of its key: everything older was compacted, or never was.
bool store_builder::opens(const record_view& r) const {
  if (r.tombstone()) return false;
  return r.mod_revision <= header_.compacted || r.version == 1;
}

/// Whether a record can come after the newest one so far of its key.
bool store_builder::follows(const version& before, const record_view& r) const {
  if (r.mod_revision <= before.mod || r.mod_revision <= header_.compacted) return false;
  if (r.tombstone()) return !before.tombstone();
  if (before.tombstone()) return r.version == 1;
  return r.version == before.number + 1 && r.create_revision == before.create;
}

/// What holds for a record by itself.
bool store_builder::sound(const record_view& r) const {
  if (r.key.empty() || r.mod_revision.value() < 2 || r.mod_revision > header_.current) return false;
  if (r.tombstone()) return r.value.empty() && !r.create_revision && !r.lease;
  if (r.create_revision.value() < 2 || r.create_revision > r.mod_revision) return false;
  return (r.version == 1) == (r.create_revision == r.mod_revision) &&
         r.version - 1 <= r.mod_revision - r.create_revision;
}

result<void> store_builder::add(session_record s) {
  return store_->sessions_.restore(std::move(s));
}

result<void> store_builder::add(const lease_record& l) {
  return store_->leases_.restore(l, header_.applied);
}

result<void> store_builder::add(const record_view& r) {
  if (!sound(r)) return error(errc::snapshot_record);
  if (how_.as_of && r.mod_revision > how_.as_of) return {};
  const bool same_key = last_ != nullptr && last_->key() == r.key;
  if (same_key && r.mod_revision <= last_->newest().mod) return error(errc::snapshot_order);
  if (!same_key && last_ != nullptr && r.key < last_->key()) return error(errc::snapshot_order);
  if (same_key ? !follows(last_->newest(), r) : !opens(r)) return error(errc::snapshot_record);
  if (!same_key) {
    if (const result<void> closed = close_record(); !closed) return closed;
    const store::placed made = store_->record_of(r.key);
    last_ = made.of;
    place_ = *made.at;
  }
  version v;
  v.value = stable_bytes(r.value);
  v.create = r.create_revision;
  v.mod = r.mod_revision;
  v.sub = r.sub;
  v.number = r.version;
  v.lease = how_.as_of && !store_->leases_.contains(r.lease) ? lease_id() : r.lease;
  v.hash = version_hash(r.key, v);
  store_->now_.versions_hash += v.hash;
  store_->held_bytes_ += v.value.size();
  if (v.mod > header_.compacted) {
    changes_.push_back({v.mod, v.sub, last_, {}});
    changes_.back().left_behind.add(r.key, last_->newest(), v);
  }
  last_->push(std::move(v));
  return {};
}

result<void> store_builder::close_record() {
  if (last_ == nullptr || !last_->live()) return {};
  if (const lease_id of = last_->newest().lease) {
    if (!store_->leases_.contains(of)) return error(errc::snapshot_record);
    store_->leases_.attach(*last_, of);
    ++store_->now_.attached;
  }
  store_->tree_.became_live(place_);
  ++store_->now_.keys;
  store_->now_.bytes += last_->key().size() + last_->newest().value.size();
  return {};
}

result<std::unique_ptr<store>> store_builder::finish() {
  QUORUMD_INVARIANT(store_ != nullptr, "a store is built once");
  if (const result<void> closed = close_record(); !closed) return closed.error();
  if (header_.current.value() < 1 || header_.compacted > header_.current) return error(errc::snapshot_record);
  if (!how_.as_of && store_->content_hash() != header_.content_hash) return error(errc::snapshot_hash);
  std::sort(changes_.begin(), changes_.end(),
            [](const read_change& a, const read_change& b) { return std::tie(a.at, a.sub) < std::tie(b.at, b.sub); });
  for (const read_change& c : changes_) {
    store_->superseded_sum_.hash += c.left_behind.hash;
    store_->superseded_sum_.bytes += c.left_behind.bytes;
    store_->changes_.push_back({c.at, c.of, store_->superseded_sum_});
  }
  changes_ = {};
  store_->changed_ = store_->now_;
  if (how_.without_sessions) store_->sessions_ = {};
  if (how_.as_of) store_->current_ = how_.as_of;
  store_->current_ = store_->current_ + how_.raise;
  return std::move(store_);
}

} // namespace quorumd::kv
