#include "daemon/kv/store.hpp"

#include "consensus/types/invariant.hpp"
#include "daemon/kv/key_ranges.hpp"
#include "daemon/kv/validate.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace quorumd::kv {

store::store(const options& o)
    : options_(o) {}

store::~store() {
  QUORUMD_INVARIANT(pinned_floors_.empty(), "a snapshot cursor does not outlive its store");
}

void store::skip(log_index index) {
  QUORUMD_INVARIANT(index > applied_, "log entries are applied in order, each once");
  applied_ = index;
}

result<reply> store::apply(log_index index, const command& c) {
  skip(index);
  if (const result<void> ok = validate(c); !ok) return ok.error();
  return std::visit([this](const auto& each) { return execute(each); }, c);
}

result<reply> store::execute(const put& p) {
  if (const result<void> ok = check(p); !ok) return ok.error();
  change c{current_.next()};
  put_reply done = run(p, c);
  finish(c);
  return reply{current_, std::move(done)};
}

result<reply> store::execute(const delete_range& d) {
  change c{current_.next()};
  delete_range_reply done = run(d, c);
  finish(c);
  return reply{current_, std::move(done)};
}

result<void> store::check(const put& p) const {
  // Leases are granted by no command yet, so every lease but none is unknown.
  if (p.lease) return error(errc::lease_not_found);
  if (!p.ignore_value && !p.ignore_lease) return {};
  const record* r = find(p.key);
  if (r == nullptr || !r->live()) return error(errc::key_not_found);
  return {};
}

put_reply store::run(const put& p, change& c) {
  record& r = record_of(p.key);
  const version& before = r.newest();
  put_reply done;
  if (p.prev_kv && r.live()) done.prev = view_of(r, before);
  version next;
  next.value = stable_bytes(p.ignore_value ? before.value.view() : p.value);
  next.lease = p.ignore_lease ? before.lease : p.lease;
  next.create = r.live() ? before.create : c.main;
  next.number = before.number + 1;
  write(r, std::move(next), c);
  return done;
}

delete_range_reply store::run(const delete_range& d, change& c) {
  delete_range_reply done;
  for (auto [at, last] = find(d.key, d.range_end); at != last; ++at) {
    record& r = *at->second;
    if (!r.live()) continue;
    ++done.deleted;
    if (d.prev_kv) done.prev.push_back(view_of(r, r.newest()));
    write(r, version{}, c);
  }
  return done;
}

record* store::find(std::string_view key) const {
  const auto at = index_.find(key);
  return at == index_.end() ? nullptr : at->of;
}

record& store::record_of(std::string_view key) {
  if (record* known = find(key)) return *known;
  auto made = std::make_unique<record>(key);
  record& r = *made;
  held_bytes_ += key.size();
  index_.insert({index_hash{}(key), &r});
  map_.emplace(r.key(), std::move(made));
  return r;
}

void store::write(record& r, version next, change& c) {
  next.mod = c.main;
  next.sub = c.subs++;
  next.hash = version_hash(r.key(), next);
  versions_hash_ += next.hash;
  held_bytes_ += next.value.size();
  if (r.live()) {
    --keys_;
    bytes_ -= r.key().size() + r.newest().value.size();
    superseded_sum_ += r.newest().hash + (next.tombstone() ? next.hash : 0);
    superseded_.push_back({next.mod, &r, superseded_sum_});
  }
  if (!next.tombstone()) {
    ++keys_;
    bytes_ += r.key().size() + next.value.size();
  }
  r.push(std::move(next));
}

void store::finish(const change& c) {
  if (c.subs != 0) current_ = c.main;
}

result<reply> store::execute(const compact& c) {
  if (c.revision <= compacted_) return error(errc::compacted, compacted_);
  if (c.revision > current_) return error(errc::future_revision, current_);
  compacted_ = c.revision;
  forget_up_to(c.revision);
  return reply{current_, compact_reply{}};
}

/// Takes what the compaction hides out of the hash, without visiting it.
void store::forget_up_to(revision floor) {
  const auto above = [](revision r, const superseding& s) { return r < s.at; };
  const auto end = std::upper_bound(superseded_.begin(), superseded_.end(), floor, above);
  if (end == superseded_.begin()) return;
  const std::uint64_t sum = std::prev(end)->hash_sum;
  versions_hash_ -= sum - forgotten_sum_;
  forgotten_sum_ = sum;
}

revision store::physical_floor() const {
  return pinned_floors_.empty() ? compacted_ : std::min(compacted_, *pinned_floors_.begin());
}

bool store::compact_step(std::size_t changes_max) {
  const revision floor = physical_floor();
  for (; changes_max != 0 && !superseded_.empty() && superseded_.front().at <= floor; --changes_max) {
    free(superseded_.front());
    superseded_.pop_front();
  }
  return !superseded_.empty() && superseded_.front().at <= floor;
}

/// All changes before this one were freed, so the oldest version of the key is the one that it superseded.
void store::free(const superseding& s) {
  record& r = *s.of;
  QUORUMD_INVARIANT(r.size() >= 2 && r[0].mod < s.at && r[1].mod == s.at, "a change follows what it superseded");
  held_bytes_ -= r[0].value.size();
  const bool deletion = r[1].tombstone();
  if (deletion && r.size() == 2) {
    held_bytes_ -= r.key().size();
    index_.erase(index_.find(r.key()));
    map_.erase(map_.find(r.key()));
    return;
  }
  r.pop_oldest();
  if (deletion) r.pop_oldest();
}

std::optional<revision> store::due_compaction(std::uint64_t keep_revisions) const {
  const std::uint64_t kept = current_ - compacted_;
  const std::uint64_t slack = std::max(keep_revisions / 10, options_.compaction_slack);
  if (kept <= keep_revisions || kept - keep_revisions <= slack) return std::nullopt;
  return current_ - keep_revisions;
}

std::uint64_t store::content_hash() const {
  const std::uint64_t parts[] = {versions_hash_, current_.value(), compacted_.value()};
  return hash_of(parts);
}

std::uint64_t store::recompute_content_hash() const {
  std::uint64_t sum = 0;
  for (const auto& [key, r] : map_)
    for (std::size_t i = r->first_readable(compacted_); i < r->size(); ++i) sum += version_hash(key, (*r)[i]);
  const std::uint64_t parts[] = {sum, current_.value(), compacted_.value()};
  return hash_of(parts);
}

} // namespace quorumd::kv
