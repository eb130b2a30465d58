#include "daemon/kv/leases.hpp"

#include "consensus/types/invariant.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace quorumd::kv {
namespace {

/// Of a set that is left behind, at a time.
constexpr std::size_t tidied_at_once = 256;

constexpr std::uint64_t all_remains = std::numeric_limits<std::uint64_t>::max();

std::uint64_t hash_of_lease(const lease_record& l) {
  return hash_of(std::array{l.id.value(), static_cast<std::uint64_t>(l.ttl_s), l.granted.value(),
                            l.remaining_ms.value_or(all_remains)});
}

std::uint64_t ttl_ms(const lease_record& l) {
  return static_cast<std::uint64_t>(l.ttl_s) * 1000;
}

} // namespace

// --- reads ---

leases::lease& leases::of(lease_id id) const {
  const auto at = all_.find(id);
  QUORUMD_INVARIANT(at != all_.end(), "a live key's lease exists");
  return *at->second;
}

std::optional<lease_record> leases::find(lease_id id) const {
  const auto at = all_.find(id);
  return at == all_.end() ? std::nullopt : std::optional(at->second->is);
}

std::optional<lease_record> leases::next(lease_id after) const {
  const auto at = all_.upper_bound(after);
  return at == all_.end() ? std::nullopt : std::optional(at->second->is);
}

std::uint64_t leases::key_count(lease_id id) const {
  const auto at = all_.find(id);
  if (at == all_.end()) return 0;
  const lease& l = *at->second;
  return making_ && l.changed_in == making_ ? l.keys_before : l.keys.size();
}

/// Whether the key, which is attached with what is being made, was so before.
bool leases::shows(const record& r, lease_id of) const {
  if (!making_ || r.newest().mod != making_) return true;
  const version* v = r.at(making_.prev());
  return v != nullptr && v->lease == of;
}

std::vector<std::string_view> leases::keys(lease_id id, std::string_view after, std::size_t keys_max) const {
  std::vector<std::string_view> out;
  const auto found = all_.find(id);
  if (found == all_.end()) return out;
  const auto& held = found->second->keys;
  auto here = held.upper_bound(after);
  auto gone = moved_.upper_bound(place{id, after});
  while (out.size() < keys_max) {
    while (here != held.end() && !shows(**here, id)) ++here; // a transaction's: not many
    const bool more_gone = gone != moved_.end() && gone->from == id;
    if (here == held.end() && !more_gone) break;
    if (more_gone && (here == held.end() || gone->of->key() < (*here)->key()))
      out.push_back((gone++)->of->key());
    else
      out.push_back((*here++)->key());
  }
  return out;
}

std::uint64_t leases::recompute_hash() const {
  std::uint64_t sum = 0;
  for (const auto& [id, l] : all_) sum += hash_of_lease(l->is);
  return sum;
}

// --- leases ---

result<lease_record> leases::grant(log_index at, const grant_lease& g) {
  if (g.id && all_.contains(g.id)) return error(errc::lease_exists);
  if (all_.size() >= leases_max) return error(errc::too_many_leases);
  lease_record made{.id = g.id, .ttl_s = std::max(g.ttl_s, lease_ttl_least_s), .granted = at, .remaining_ms = {}};
  const auto positive = [](std::uint64_t id) { return lease_id(id & std::numeric_limits<std::int64_t>::max()); };
  if (!g.id) made.id = positive(hash_of(std::array{at.value()}));
  while (!made.id || all_.contains(made.id)) made.id = positive(made.id.value() + 1);
  auto l = std::make_unique<lease>();
  l->is = made;
  all_.emplace(made.id, std::move(l));
  hash_ += hash_of_lease(made);
  if (listener_ != nullptr) listener_->granted(made);
  return made;
}

void leases::end(lease_id id) {
  const auto at = all_.find(id);
  QUORUMD_INVARIANT(at != all_.end() && at->second->keys.empty(), "a lease ends after its keys");
  const lease_record was = at->second->is;
  changes(was);
  hash_ -= hash_of_lease(was);
  all_.erase(at);
  if (listener_ != nullptr) listener_->ended(was.id, was.granted);
}

void leases::checkpoint(const lease_checkpoint& c) {
  const auto at = all_.find(c.id);
  if (at == all_.end() || at->second->is.granted != c.granted) return;
  lease_record& l = at->second->is;
  const bool whole = !c.remaining_ms || *c.remaining_ms >= ttl_ms(l);
  const std::optional<std::uint64_t> remaining = whole ? std::nullopt : c.remaining_ms;
  if (remaining == l.remaining_ms) return;
  changes(l);
  hash_ -= hash_of_lease(l);
  l.remaining_ms = remaining;
  hash_ += hash_of_lease(l);
  if (listener_ != nullptr) listener_->checkpointed(l);
}

result<void> leases::restore(const lease_record& l, log_index applied) {
  const bool sound = l.id && l.granted && l.granted <= applied && l.ttl_s >= lease_ttl_least_s &&
                     l.ttl_s <= lease_ttl_most_s && (!l.remaining_ms || *l.remaining_ms < ttl_ms(l));
  if (!sound || all_.contains(l.id) || all_.size() >= leases_max) return error(errc::snapshot_record);
  auto made = std::make_unique<lease>();
  made->is = l;
  all_.emplace_hint(all_.end(), l.id, std::move(made));
  hash_ += hash_of_lease(l);
  return {};
}

// --- keys ---

/// Its keys are about to change.
void leases::counts(lease& l) const {
  if (l.changed_in == making_) return;
  l.changed_in = making_;
  l.keys_before = l.keys.size();
}

void leases::move(record& r, lease_id from, lease_id to, revision making) {
  making_ = making;
  if (from) {
    lease& l = of(from);
    counts(l);
    l.keys.erase(&r);
    moved_.insert(moved_.end(), moved{from, &r}); // mostly in order
  }
  if (to) {
    lease& l = of(to);
    counts(l);
    l.keys.insert(l.keys.end(), &r);
  }
}

void leases::take_back(record& r, lease_id from, lease_id to) {
  if (to) of(to).keys.erase(&r);
  if (!from) return;
  of(from).keys.insert(&r);
  moved_.erase(moved{from, &r});
}

void leases::settle() {
  making_ = {};
  if (moved_.size() > tidied_at_once)
    left_behind_.push_back(std::exchange(moved_, {}));
  else
    moved_.clear();
}

void leases::attach(record& r, lease_id to) {
  lease& l = of(to);
  l.keys.insert(l.keys.end(), &r);
}

record* leases::first_key(lease_id id) const {
  const lease& l = of(id);
  return l.keys.empty() ? nullptr : *l.keys.begin();
}

void leases::tidy() {
  if (left_behind_.empty()) return;
  moved_set& last = left_behind_.back();
  for (std::size_t n = tidied_at_once; n != 0 && !last.empty(); --n) last.erase(last.begin());
  if (last.empty()) left_behind_.pop_back();
}

// --- snapshots ---

void leases::changes(const lease_record& before) const {
  for (lease_capture* c : captures_)
    if (before.id > c->last_ && before.granted <= c->applied_) c->changed_.emplace(before.id, before);
}

lease_capture::lease_capture(leases& of, log_index applied)
    : of_(of)
    , applied_(applied)
    , done_(of.size() == 0) {
  of_.captures_.push_back(this);
}

lease_capture::~lease_capture() {
  std::erase(of_.captures_, this);
}

std::span<const lease_record> lease_capture::next(std::size_t visits_max) {
  slice_.clear();
  visits_ = 0;
  auto at = of_.all_.upper_bound(last_);
  for (; !done_ && visits_ != visits_max; ++visits_) {
    const auto was = changed_.begin();
    const bool present = at != of_.all_.end();
    const bool changed = was != changed_.end() && (!present || was->first <= at->first);
    if (changed) {
      if (present && was->first == at->first) ++at;
      last_ = was->first;
      slice_.push_back(was->second);
      changed_.erase(was);
    } else if (present) {
      const lease_record& l = at->second->is;
      last_ = l.id;
      if (l.granted <= applied_) slice_.push_back(l);
      ++at;
    } else {
      done_ = true;
    }
  }
  return slice_;
}

} // namespace quorumd::kv
