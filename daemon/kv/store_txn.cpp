#include "daemon/kv/store.hpp"

#include <utility>

namespace quorumd::kv {
namespace {

template <class T>
bool stands(compare_relation relation, const T& found, const T& operand) {
  switch (relation) {
  case compare_relation::equal:
    return found == operand;
  case compare_relation::greater:
    return operand < found;
  case compare_relation::less:
    return found < operand;
  case compare_relation::not_equal:
    return found != operand;
  }
  return false;
}

/// What a compare reads of a version, unless that is the value.
std::uint64_t number_of(compare_target target, const version& v) {
  switch (target) {
  case compare_target::version:
    return v.number;
  case compare_target::create:
    return v.create.value();
  case compare_target::mod:
    return v.mod.value();
  case compare_target::lease:
    return v.lease.value();
  case compare_target::value:
    break;
  }
  return 0;
}

bool holds_for(const compare& c, const version& v) {
  if (c.target == compare_target::value) return stands(c.relation, v.value.view(), c.value);
  return stands(c.relation, static_cast<std::int64_t>(number_of(c.target, v)), c.number);
}

const std::vector<operation>& chosen(const txn& t, bool succeeded) {
  return succeeded ? t.success : t.failure;
}

} // namespace

bool store::holds(const compare& c) const {
  bool any = false;
  for (auto [at, last] = find(c.key, c.range_end); at != last; ++at) {
    const record& r = *at->second;
    if (!r.live()) continue;
    any = true;
    if (!holds_for(c, r.newest())) return false;
  }
  if (any) return true;
  return c.target != compare_target::value && holds_for(c, version{});
}

void store::decide(const txn& t, path& decided) const {
  bool succeeded = true;
  for (const compare& c : t.compares) succeeded = succeeded && holds(c);
  decided.push_back(succeeded);
  for (const operation& o : chosen(t, succeeded))
    if (const txn* nested = std::get_if<txn>(&o.what)) decide(*nested, decided);
}

result<void> store::check(const txn& t, path::const_iterator& decided) const {
  for (const operation& o : chosen(t, *decided++)) {
    result<void> ok;
    if (const put* p = std::get_if<put>(&o.what)) ok = check(*p);
    if (const range_request* r = std::get_if<range_request>(&o.what)) ok = check_readable(r->revision);
    if (const txn* nested = std::get_if<txn>(&o.what)) ok = check(*nested, decided);
    if (!ok) return ok;
  }
  return {};
}

result<reply> store::execute(const txn& t) {
  path decided;
  decide(t, decided);
  path::const_iterator at = decided.begin();
  if (const result<void> ok = check(t, at); !ok) return ok.error();
  at = decided.begin();
  change c{current_.next()};
  txn_reply done = run(t, c, at);
  finish(c);
  return reply{current_, std::move(done)};
}

/// Reads of the current revision see what the transaction did before them.
range_reply store::run(const range_request& r, change& c) {
  range_reply done = read(r, r.revision ? r.revision : c.main);
  done.revision = c.subs != 0 ? c.main : current_;
  return done;
}

txn_reply store::run(const txn& t, change& c, path::const_iterator& decided) {
  txn_reply done;
  done.succeeded = *decided++;
  const std::vector<operation>& list = chosen(t, done.succeeded);
  done.responses.reserve(list.size());
  for (const operation& o : list) {
    if (const txn* nested = std::get_if<txn>(&o.what))
      done.responses.push_back({run(*nested, c, decided)});
    else if (const put* p = std::get_if<put>(&o.what))
      done.responses.push_back({run(*p, c)});
    else if (const delete_range* d = std::get_if<delete_range>(&o.what))
      done.responses.push_back({run(*d, c)});
    else
      done.responses.push_back({run(std::get<range_request>(o.what), c)});
  }
  return done;
}

} // namespace quorumd::kv
