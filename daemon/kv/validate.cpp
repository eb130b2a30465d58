#include "daemon/kv/validate.hpp"

#include "daemon/kv/key_ranges.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <variant>
#include <vector>

namespace quorumd::kv {
namespace {

/// Walks a command once: the shape of each part, and the bytes of all.
class shape {
 public:
  explicit shape(std::size_t bytes_max = request_bytes_max)
      : bytes_max_(bytes_max) {}

  result<void> check(const put& p) {
    if (p.key.empty()) return error(errc::key_not_provided);
    if (p.ignore_value && !p.value.empty()) return error(errc::value_provided);
    if (p.ignore_lease && p.lease) return error(errc::lease_provided);
    return count(p.key.size() + p.value.size());
  }

  result<void> check(const delete_range& d) {
    if (d.key.empty()) return error(errc::key_not_provided);
    return count(d.key.size() + d.range_end.size());
  }

  result<void> check(const range_request& r) {
    if (r.key.empty()) return error(errc::key_not_provided);
    if (r.target > sort_target::value || r.order > sort_order::descend) return error(errc::invalid_option);
    return count(r.key.size() + r.range_end.size());
  }

  result<void> check(const txn& t) { return check(t, operations_max); }

  /// Whether a compaction is due is for the store to say.
  result<void> check(const compact&) { return {}; }
  /// What is not given is for the store to know.
  result<void> check(const configure&) { return {}; }

  result<void> check(const open_session& o) {
    if (o.idle_ms_max < session_idle_ms_least || o.idle_ms_max > session_idle_ms_most) return error(errc::session_idle);
    return {};
  }
  /// Whether there is such a session is for the store to say.
  result<void> check(const close_session&) { return {}; }
  result<void> check(const pass_time&) { return {}; }
  result<void> check(const raise_level&) { return {}; }

  /// Less than the least is raised to it.
  result<void> check(const grant_lease& g) {
    if (g.ttl_s > lease_ttl_most_s) return error(errc::ttl_too_large);
    return {};
  }
  /// Whether there is such a lease is for the store to say.
  result<void> check(const revoke_lease&) { return {}; }
  result<void> check(const expire_lease&) { return {}; }
  result<void> check(const lease_question& q) {
    if (q.what > lease_question::kind::list) return error(errc::invalid_option);
    return {};
  }
  result<void> check(const checkpoint_leases& c) {
    if (c.list.size() > lease_checkpoints_max) return error(errc::too_many_operations);
    return {};
  }

 private:
  result<void> check(const txn& t, std::size_t budget) {
    const std::size_t longest = std::max({t.compares.size(), t.success.size(), t.failure.size()});
    if (longest > budget) return error(errc::too_many_operations);
    for (const compare& c : t.compares)
      if (result<void> ok = check(c); !ok) return ok;
    for (const std::vector<operation>* list : {&t.success, &t.failure})
      for (const operation& o : *list)
        if (result<void> ok = check(o, budget - longest); !ok) return ok;
    return {};
  }

  result<void> check(const compare& c) {
    if (c.key.empty()) return error(errc::key_not_provided);
    if (c.target > compare_target::lease || c.relation > compare_relation::not_equal)
      return error(errc::invalid_option);
    return count(c.key.size() + c.range_end.size() + c.value.size());
  }

  result<void> check(const operation& o, std::size_t budget) {
    if (const txn* nested = std::get_if<txn>(&o.what)) return check(*nested, budget);
    if (const put* p = std::get_if<put>(&o.what)) return check(*p);
    if (const delete_range* d = std::get_if<delete_range>(&o.what)) return check(*d);
    return check(std::get<range_request>(o.what));
  }

  result<void> count(std::size_t bytes) {
    bytes_ += bytes;
    if (bytes_ > bytes_max_) return error(errc::request_too_large);
    return {};
  }

  const std::size_t bytes_max_;
  std::size_t bytes_ = 0;
};

/// What a list of operations may change; nothing if it would change a key twice. Lists that exclude each other, the
/// two of one transaction, may share keys.
result<key_changes> changes_of(const std::vector<operation>& list) {
  key_changes all;
  for (const operation& o : list) {
    if (const put* p = std::get_if<put>(&o.what)) {
      if (!all.put(p->key)) return error(errc::duplicate_key);
    } else if (const delete_range* d = std::get_if<delete_range>(&o.what)) {
      if (!all.erase(d->key, d->range_end)) return error(errc::duplicate_key);
    } else if (const txn* nested = std::get_if<txn>(&o.what)) {
      result<key_changes> either = changes_of(nested->success);
      if (!either) return either;
      result<key_changes> other = changes_of(nested->failure);
      if (!other) return other;
      if (all.conflicts(*either) || all.conflicts(*other)) return error(errc::duplicate_key);
      all.merge(*either);
      all.merge(*other);
    }
  }
  return all;
}

bool one_at_most(const std::vector<operation>& list) {
  return list.empty() || (list.size() == 1 && !std::holds_alternative<txn>(list.front().what));
}

result<void> check_duplicates(const txn& t) {
  for (const std::vector<operation>* list : {&t.success, &t.failure}) {
    if (one_at_most(*list)) continue;
    if (result<key_changes> changes = changes_of(*list); !changes) return changes.error();
  }
  return {};
}

} // namespace

result<void> validate(const command& c, std::size_t bytes_max) {
  shape s(std::min(bytes_max, request_bytes_max));
  result<void> ok = std::visit([&s](const auto& each) { return s.check(each); }, c);
  if (!ok) return ok;
  if (const txn* t = std::get_if<txn>(&c)) return check_duplicates(*t);
  return ok;
}

result<void> validate(const session_call& c) {
  if (!c) return {};
  if (c.sequence <= c.answered || c.sequence - c.answered > session_window) return error(errc::session_call);
  return {};
}

result<void> validate(const range_request& r) {
  return shape(request_bytes_max).check(r);
}

} // namespace quorumd::kv
