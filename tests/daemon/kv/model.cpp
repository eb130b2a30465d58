#include "tests/daemon/kv/model.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <utility>

namespace quorumd::kv::test {
namespace {

bool within(std::string_view k, std::string_view key, std::string_view end) {
  if (end.empty()) return k == key;
  return k >= key && (end == std::string_view("\0", 1) || k < end);
}

std::int64_t number(const key_value_view& kv, compare_target target) {
  if (target == compare_target::version) return static_cast<std::int64_t>(kv.version);
  if (target == compare_target::create) return static_cast<std::int64_t>(kv.create_revision.value());
  if (target == compare_target::mod) return static_cast<std::int64_t>(kv.mod_revision.value());
  if (target == compare_target::lease) return static_cast<std::int64_t>(kv.lease.value());
  return 0;
}

bool holds_for(const compare& c, const key_value_view& kv) {
  const std::string_view v = kv.value;
  int order = v < c.value ? -1 : v > c.value ? 1 : 0;
  if (c.target != compare_target::value) {
    const std::int64_t n = number(kv, c.target);
    order = n < c.number ? -1 : n > c.number ? 1 : 0;
  }
  if (c.relation == compare_relation::equal) return order == 0;
  if (c.relation == compare_relation::not_equal) return order != 0;
  return c.relation == compare_relation::greater ? order > 0 : order < 0;
}

} // namespace

std::vector<key_value_view> model::find(std::string_view key, std::string_view end, std::uint64_t at) const {
  std::vector<key_value_view> out;
  for (const auto& [k, versions] : keys_) {
    if (!within(k, key, end)) continue;
    const entry* found = nullptr;
    for (const entry& e : versions)
      if (e.mod <= at) found = &e;
    if (found != nullptr && found->version != 0)
      out.push_back({k, found->value, revision(found->create), revision(found->mod), found->version, found->lease});
  }
  return out;
}

range_reply model::read(const range_request& r, std::uint64_t at, std::uint64_t header) const {
  range_reply reply;
  reply.revision = revision(header);
  std::vector<key_value_view> all = find(r.key, r.range_end, at);
  reply.count = all.size();
  if (r.count_only) return reply;
  std::erase_if(all, [&](const key_value_view& kv) {
    return (r.min_mod_revision && kv.mod_revision < r.min_mod_revision) ||
           (r.max_mod_revision && kv.mod_revision > r.max_mod_revision) ||
           (r.min_create_revision && kv.create_revision < r.min_create_revision) ||
           (r.max_create_revision && kv.create_revision > r.max_create_revision);
  });
  const auto sort_by = [&](auto member) {
    std::stable_sort(all.begin(), all.end(), [&](const key_value_view& a, const key_value_view& b) {
      return r.order == sort_order::descend ? b.*member < a.*member : a.*member < b.*member;
    });
  };
  if (r.target == sort_target::key) sort_by(&key_value_view::key);
  if (r.target == sort_target::value) sort_by(&key_value_view::value);
  if (r.target == sort_target::version) sort_by(&key_value_view::version);
  if (r.target == sort_target::create) sort_by(&key_value_view::create_revision);
  if (r.target == sort_target::mod) sort_by(&key_value_view::mod_revision);
  if (r.keys_only)
    for (key_value_view& kv : all) kv.value = {};
  std::size_t take = r.limit == 0 ? all.size() : std::min<std::size_t>(r.limit, all.size());
  if (r.page_bytes_max != 0) {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < take; ++i) {
      bytes += all[i].key.size() + all[i].value.size() + 64;
      if (i > 0 && bytes > r.page_bytes_max) take = i;
    }
  }
  reply.more = take < all.size();
  all.resize(take);
  reply.kvs = std::move(all);
  if (r.skip_count) reply.count = take;
  return reply;
}

result<range_reply> model::range(const range_request& r) const {
  if (result<void> ok = check({r}, current_); !ok) return ok.error();
  return read(r, r.revision ? r.revision.value() : current_, current_);
}

bool model::holds(const compare& c, std::uint64_t at) const {
  const std::vector<key_value_view> found = find(c.key, c.range_end, at);
  if (found.empty()) return c.target != compare_target::value && holds_for(c, {});
  return std::all_of(found.begin(), found.end(), [&](const key_value_view& kv) { return holds_for(c, kv); });
}

result<void> model::check(const operation& o, std::uint64_t at) const {
  if (const put* p = std::get_if<put>(&o.what)) {
    if (p->lease && !leases_.contains(p->lease.value())) return error(errc::lease_not_found);
    if ((p->ignore_value || p->ignore_lease) && find(p->key, {}, at).empty()) return error(errc::key_not_found);
  }
  if (const range_request* r = std::get_if<range_request>(&o.what)) {
    if (r->revision.value() > at) return error(errc::future_revision, revision(at));
    if (r->revision && r->revision.value() < compacted_) return error(errc::compacted, revision(compacted_));
  }
  if (const txn* t = std::get_if<txn>(&o.what)) {
    const bool yes = std::all_of(t->compares.begin(), t->compares.end(), [&](const auto& c) { return holds(c, at); });
    for (const operation& each : yes ? t->success : t->failure)
      if (result<void> ok = check(each, at); !ok) return ok;
  }
  return {};
}

void model::gather(const std::vector<operation>& list, std::vector<std::pair<const txn*, bool>>& branches,
                   std::vector<touched>& out) {
  for (const operation& o : list) {
    if (const put* p = std::get_if<put>(&o.what)) out.push_back({p->key, {}, true, branches});
    if (const delete_range* d = std::get_if<delete_range>(&o.what))
      out.push_back({d->key, d->range_end, false, branches});
    if (const txn* t = std::get_if<txn>(&o.what))
      for (const bool yes : {true, false}) {
        branches.emplace_back(t, yes);
        gather(yes ? t->success : t->failure, branches, out);
        branches.pop_back();
      }
  }
}

bool model::clash(const touched& a, const touched& b) {
  if (!a.is_put && !b.is_put) return false;
  for (const auto& [t, yes] : a.branches)
    for (const auto& [u, also] : b.branches)
      if (t == u && yes != also) return false; // they exclude each other
  return a.is_put ? within(a.key, b.key, b.end) : within(b.key, a.key, a.end);
}

void model::add(std::string_view key, entry e) {
  e.mod = current_ + 1;
  e.sub = subs_++;
  if (e.version == 1) e.create = e.mod;
  keys_[std::string(key)].push_back(std::move(e));
}

operation_reply model::run(const put& p) {
  put_reply done;
  entry next{std::string(p.value), 0, 0, 1, 0, p.lease};
  if (const auto before = find(p.key, {}, current_ + 1); !before.empty()) {
    if (p.prev_kv) done.prev = before.front();
    if (p.ignore_value) next.value = before.front().value;
    if (p.ignore_lease) next.lease = before.front().lease;
    next.create = before.front().create_revision.value();
    next.version = before.front().version + 1;
  }
  add(p.key, std::move(next));
  return {done};
}

operation_reply model::run(const delete_range& d) {
  delete_range_reply done;
  for (const key_value_view& kv : find(d.key, d.range_end, current_ + 1)) {
    ++done.deleted;
    if (d.prev_kv) done.prev.push_back(kv);
    add(kv.key, {});
  }
  return {done};
}

operation_reply model::run(const operation& o, std::uint64_t compared_at) {
  if (const put* p = std::get_if<put>(&o.what)) return run(*p);
  if (const delete_range* d = std::get_if<delete_range>(&o.what)) return run(*d);
  if (const range_request* r = std::get_if<range_request>(&o.what))
    return {read(*r, r->revision ? r->revision.value() : current_ + 1, subs_ > 0 ? current_ + 1 : current_)};
  const txn& t = std::get<txn>(o.what);
  txn_reply done;
  // Everything before this transaction is at or below compared_at, all that it did so far above.
  done.succeeded =
      std::all_of(t.compares.begin(), t.compares.end(), [&](const auto& c) { return holds(c, compared_at); });
  for (const operation& each : done.succeeded ? t.success : t.failure) done.responses.push_back(run(each, compared_at));
  return {done};
}

std::vector<std::string> model::keys_of(lease_id id) const {
  std::vector<std::string> out;
  for (const key_value_view& kv : find({"\0", 1}, {"\0", 1}, current_))
    if (kv.lease == id) out.emplace_back(kv.key);
  return out;
}

result<reply> model::grant(const grant_lease& g, log_index at) {
  if (g.ttl_s > 9'000'000'000) return error(errc::ttl_too_large);
  std::uint64_t id = g.id.value();
  if (leases_.contains(id)) return error(errc::lease_exists);
  if (id == 0)
    for (id = hash_of(std::array{at.value()}) << 1 >> 1; id == 0 || leases_.contains(id);) id = (id + 1) << 1 >> 1;
  const std::int64_t ttl = std::max<std::int64_t>(g.ttl_s, 2);
  leases_[id] = {lease_id(id), ttl, at, {}};
  return reply{revision(current_), grant_lease_reply{lease_id(id), ttl}};
}

result<reply> model::end(lease_id id) {
  subs_ = 0;
  for (const std::string& key : keys_of(id)) add(key, {});
  if (subs_ > 0) ++current_;
  leases_.erase(id.value());
  return reply{revision(current_), done_reply{}};
}

void model::checkpoint(const checkpoint_leases& c) {
  for (const lease_checkpoint& one : c.list) {
    const auto l = leases_.find(one.id.value());
    if (l == leases_.end() || l->second.granted != one.granted) continue;
    l->second.remaining_ms = one.remaining_ms;
    if (one.remaining_ms >= static_cast<std::uint64_t>(l->second.ttl_s) * 1000) l->second.remaining_ms.reset();
  }
}

result<reply> model::apply(const command& c, log_index at) {
  const reply nothing{revision(current_), done_reply{}};
  if (const grant_lease* g = std::get_if<grant_lease>(&c)) return grant(*g, at);
  if (const revoke_lease* r = std::get_if<revoke_lease>(&c)) {
    if (!leases_.contains(r->id.value())) return error(errc::lease_not_found);
    return end(r->id);
  }
  if (const expire_lease* e = std::get_if<expire_lease>(&c)) {
    const auto l = leases_.find(e->id.value());
    return l != leases_.end() && l->second.granted == e->granted ? end(e->id) : result<reply>(nothing);
  }
  if (const checkpoint_leases* k = std::get_if<checkpoint_leases>(&c)) {
    checkpoint(*k);
    return nothing;
  }
  if (const configure* k = std::get_if<configure>(&c)) {
    auto next = settings_ ? *settings_ : kv::settings();
    const bool applies = !k->initial || !settings_;
    if (applies && k->keep_revisions) next.keep_revisions = *k->keep_revisions;
    if (applies && k->history_bytes_max) next.history_bytes_max = *k->history_bytes_max;
    if (applies && k->quota_bytes) next.quota_bytes = *k->quota_bytes;
    if (applies && k->keep_for_ms) next.keep_for_ms = *k->keep_for_ms;
    const bool fits = next.quota_bytes == 0 || next.history_bytes_max <= next.quota_bytes / 2;
    const bool age = next.keep_for_ms == 0 || (next.keep_for_ms >= 1000 && next.keep_for_ms <= 315'360'000'000);
    if (next.history_bytes_max < 1048576 || !fits || !age) return error(errc::settings_conflict);
    settings_ = next;
    return reply{revision(current_), configure_reply{next}};
  }
  if (const compact* k = std::get_if<compact>(&c)) {
    if (k->revision.value() <= compacted_) return error(errc::compacted, revision(compacted_));
    if (k->revision.value() > current_) return error(errc::future_revision, revision(current_));
    compacted_ = k->revision.value();
    return reply{revision(current_), compact_reply{}};
  }
  operation o;
  if (const put* p = std::get_if<put>(&c)) o.what = *p;
  if (const delete_range* d = std::get_if<delete_range>(&c)) o.what = *d;
  if (const txn* t = std::get_if<txn>(&c)) {
    o.what = *t;
    for (const std::vector<operation>* list : {&t->success, &t->failure}) {
      std::vector<touched> all;
      std::vector<std::pair<const txn*, bool>> branches;
      gather(*list, branches, all);
      for (std::size_t i = 0; i < all.size(); ++i)
        for (std::size_t k = 0; k < i; ++k)
          if (clash(all[i], all[k])) return error(errc::duplicate_key);
    }
  }
  if (result<void> ok = check(o, current_); !ok) return ok.error();
  subs_ = 0;
  operation_reply done = run(o, current_);
  if (subs_ > 0) ++current_;
  reply r{revision(current_), {}};
  if (auto* p = std::get_if<put_reply>(&done.what)) r.body = *p;
  if (auto* d = std::get_if<delete_range_reply>(&done.what)) r.body = *d;
  if (auto* t = std::get_if<txn_reply>(&done.what)) r.body = std::move(*t);
  return r;
}

std::vector<record_view> model::records() const {
  std::vector<record_view> out;
  for (const auto& [k, versions] : keys_)
    for (std::size_t i = 0; i < versions.size(); ++i) {
      const entry& e = versions[i];
      const bool hidden = i + 1 < versions.size() && versions[i + 1].mod <= compacted_;
      if (hidden || (e.version == 0 && e.mod <= compacted_)) continue;
      out.push_back({k, e.value, revision(e.version == 0 ? 0 : e.create), revision(e.mod), e.sub, e.version, e.lease});
    }
  return out;
}

} // namespace quorumd::kv::test
