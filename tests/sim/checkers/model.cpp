#include "tests/sim/checkers/model.hpp"

#include "tests/sim/prng.hpp"

#include <algorithm>

namespace quorumd::sim {
namespace {

std::uint64_t hash_of(std::uint64_t h, const std::string& s) {
  for (const char c : s) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return mix(h);
}

/// Of a lease that went.
std::uint64_t hash_of_ended(std::uint64_t lease, std::uint64_t revision) {
  return mix(mix(lease) + revision);
}

bool within(const std::string& key, const action& a) {
  return a.end.empty() ? key == a.key : key >= a.key && key < a.end;
}

} // namespace

const model::version* model::at(const versions& all, std::uint64_t revision) const {
  for (auto v = all.rbegin(); v != all.rend(); ++v)
    if (v->mod <= revision) return v->number == 0 ? nullptr : &*v;
  return nullptr;
}

bool model::holds(const condition& c) const {
  const auto found = keys_.find(c.key);
  const version* now = found == keys_.end() ? nullptr : at(found->second, revision_);
  bool same = false;
  switch (c.of) {
  case condition::target::version:
    same = (now == nullptr ? 0 : now->number) == c.number;
    break;
  case condition::target::mod_revision:
    same = (now == nullptr ? 0 : now->mod) == c.number;
    break;
  case condition::target::value:
    if (now == nullptr) return false; // an absent key compares false by value, whatever the relation
    same = now->value == c.value;
    break;
  }
  return same == c.equal;
}

void model::push(const std::string& key, version v) {
  v.hash = hash_of(mix(v.mod) ^ mix(mix(v.create) + v.number) ^ mix(v.lease), key + '\0' + v.value);
  hash_ += v.hash;
  changes_.emplace_back(v.mod, key);
  keys_[key].push_back(std::move(v));
}

std::uint64_t model::erase(const action& a, std::uint64_t at_revision) {
  std::vector<std::string> gone;
  for (const auto& [key, all] : keys_)
    if (!all.empty() && all.back().number != 0 &&
        (a.what == action::kind::revoke ? all.back().lease == a.lease : within(key, a)))
      gone.push_back(key);
  for (const std::string& key : gone) push(key, {at_revision, 0, 0, {}, 0, 0});
  return gone.size();
}

void model::put(const action& a, std::uint64_t at_revision) {
  const versions& all = keys_[a.key];
  version v{at_revision, at_revision, 1, a.value, a.lease, 0};
  if (!all.empty() && all.back().number != 0) {
    v.create = all.back().create;
    v.number = all.back().number + 1;
  }
  push(a.key, std::move(v));
}

bool model::refuses(const std::vector<action>& actions) const {
  return std::any_of(actions.begin(), actions.end(),
                     [&](const action& a) { return a.what == action::kind::put && ended_.contains(a.lease); });
}

model::answer model::apply(const operation& o) {
  answer out;
  for (const condition& c : o.conditions) out.succeeded = out.succeeded && holds(c);
  const std::uint64_t next = revision_ + 1;
  const std::vector<action>& actions = out.succeeded ? o.then : o.otherwise;
  if (refuses(actions)) return out;
  for (const action& a : actions) {
    action_result r;
    switch (a.what) {
    case action::kind::put:
      put(a, next);
      out.mutated = true;
      break;
    case action::kind::erase:
      r.deleted = erase(a, next);
      out.mutated = out.mutated || r.deleted != 0;
      break;
    case action::kind::get:
      r.kvs = read(a);
      break;
    case action::kind::revoke: // its answer does not say how many
      out.mutated = erase(a, next) != 0;
      if (out.mutated && ended_.emplace(a.lease, next).second) hash_ += hash_of_ended(a.lease, next);
      break;
    }
    out.results.push_back(std::move(r));
  }
  if (out.mutated) revision_ = next;
  return out;
}

std::vector<seen_key> model::read(const action& get) const {
  const std::uint64_t revision = get.revision == 0 ? revision_ : get.revision;
  std::vector<seen_key> out;
  for (const auto& [key, all] : keys_) {
    if (!within(key, get)) continue;
    if (const version* v = at(all, revision)) out.push_back({key, v->value, v->create, v->mod, v->number});
  }
  return out;
}

void model::undo_to(std::uint64_t revision) {
  while (!changes_.empty() && changes_.back().first > revision) {
    versions& all = keys_[changes_.back().second];
    hash_ -= all.back().hash;
    all.pop_back();
    changes_.pop_back();
  }
  std::erase_if(ended_, [&](const auto& e) {
    if (e.second <= revision) return false;
    hash_ -= hash_of_ended(e.first, e.second);
    return true;
  });
  revision_ = std::min(revision_, revision);
}

bool model::wrote(std::uint64_t revision, const std::string& key, const std::string& value) const {
  const auto found = keys_.find(key);
  if (found == keys_.end()) return false;
  return std::any_of(found->second.rbegin(), found->second.rend(),
                     [&](const version& v) { return v.mod == revision && v.number != 0 && v.value == value; });
}

} // namespace quorumd::sim
