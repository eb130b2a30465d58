#include "tests/sim/commands.hpp"

#include <algorithm>
#include <utility>

namespace quorumd::sim {
namespace {

kv::operation operation_of(const action& a) {
  switch (a.what) {
  case action::kind::put:
    return {kv::put{.key = a.key, .value = a.value, .lease = lease_id(a.lease)}};
  case action::kind::erase:
    return {kv::delete_range{.key = a.key, .range_end = a.end}};
  case action::kind::get:
  case action::kind::revoke: // no operation of a transaction
    break;
  }
  kv::range_request get;
  get.key = a.key;
  get.range_end = a.end;
  get.revision = revision(a.revision);
  return {get};
}

kv::compare compare_of(const condition& c) {
  kv::compare out;
  out.key = c.key;
  out.relation = c.equal ? kv::compare_relation::equal : kv::compare_relation::not_equal;
  out.number = static_cast<std::int64_t>(c.number);
  switch (c.of) {
  case condition::target::version:
    out.target = kv::compare_target::version;
    break;
  case condition::target::mod_revision:
    out.target = kv::compare_target::mod;
    break;
  case condition::target::value:
    out.target = kv::compare_target::value;
    out.value = c.value;
    break;
  }
  return out;
}

action_result result_of(const kv::range_reply& r) {
  action_result out;
  for (const kv::key_value_view& k : r.kvs)
    out.kvs.push_back(
        {std::string(k.key), std::string(k.value), k.create_revision.value(), k.mod_revision.value(), k.version});
  return out;
}

bool take_operation(const action& a, const kv::operation_reply& r, action_result& out) {
  switch (a.what) {
  case action::kind::put:
    return std::holds_alternative<kv::put_reply>(r.what);
  case action::kind::erase:
    if (const auto* d = std::get_if<kv::delete_range_reply>(&r.what)) {
      out.deleted = d->deleted;
      return true;
    }
    return false;
  case action::kind::get:
    if (const auto* g = std::get_if<kv::range_reply>(&r.what)) {
      out = result_of(*g);
      return true;
    }
    return false;
  case action::kind::revoke:
    return false;
  }
  return false;
}

} // namespace

kv::command command_of(const operation& o) {
  if (o.what == operation::kind::compact) return kv::compact{revision(o.compact_to)};
  if (o.what == operation::kind::grant) return kv::grant_lease{.id = lease_id(o.lease), .ttl_s = o.ttl_s};
  if (o.revokes()) return kv::revoke_lease{lease_id(o.then.front().lease)};
  if (o.conditions.empty()) {
    kv::operation only = operation_of(o.then.front());
    if (auto* p = std::get_if<kv::put>(&only.what)) return *p;
    if (auto* d = std::get_if<kv::delete_range>(&only.what)) return *d;
  }
  kv::txn t;
  for (const condition& c : o.conditions) t.compares.push_back(compare_of(c));
  for (const action& a : o.then) t.success.push_back(operation_of(a));
  for (const action& a : o.otherwise) t.failure.push_back(operation_of(a));
  return t;
}

bool take_reply(const kv::reply& r, operation& o) {
  o.revision = r.revision.value();
  o.results.clear();
  if (const auto* t = std::get_if<kv::txn_reply>(&r.body)) {
    if (o.conditions.empty()) return false;
    o.succeeded = t->succeeded;
    if (t->responses.size() != o.ran().size()) return false;
    for (std::size_t i = 0; i < t->responses.size(); ++i) {
      action_result one;
      if (!take_operation(o.ran()[i], t->responses[i], one)) return false;
      o.results.push_back(std::move(one));
    }
    return true;
  }
  if (o.what == operation::kind::compact) return std::holds_alternative<kv::compact_reply>(r.body);
  if (o.what == operation::kind::grant) {
    const auto* g = std::get_if<kv::grant_lease_reply>(&r.body);
    return g != nullptr && g->id == lease_id(o.lease) && g->ttl_s == std::max(o.ttl_s, kv::lease_ttl_least_s);
  }
  if (o.then.size() != 1 || !o.conditions.empty()) return false;
  o.results.emplace_back();
  if (o.revokes()) return std::holds_alternative<kv::done_reply>(r.body);
  if (const auto* d = std::get_if<kv::delete_range_reply>(&r.body)) {
    o.results.back().deleted = d->deleted;
    return o.then.front().what == action::kind::erase;
  }
  return std::holds_alternative<kv::put_reply>(r.body) && o.then.front().what == action::kind::put;
}

void take_reply(const kv::range_reply& r, operation& o) {
  o.revision = r.revision.value();
  o.results = {result_of(r)};
}

} // namespace quorumd::sim
