#include "daemon/kv/store_walk.hpp"

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

/// A range without keys compares as one record of zeros, except by value.
bool store::holds_for_none(const compare& c) {
  return c.target != compare_target::value && holds_for(c, version{});
}

bool store::holds_for_one(const compare& c, revision at) const {
  const record* r = index_.find(c.key);
  const version* v = r == nullptr ? nullptr : r->at(at);
  return v == nullptr ? holds_for_none(c) : holds_for(c, *v);
}

sliced<bool> store::holds(const compare& c, run_state& s) const {
  bool any = false;
  walk w(tree_, c.key, c.range_end);
  for (;;) {
    if (!s.work.spend()) co_await w.pause(s.work);
    const record* r = w.next(exact(s.at));
    if (r == nullptr) break;
    if (!look(s)) co_return false;
    const version* v = r->at(s.at);
    if (v == nullptr) continue;
    any = true;
    if (!holds_for(c, *v)) co_return false;
  }
  co_return any || holds_for_none(c);
}

/// False: failed.
sliced<bool> store::decide(const txn& t, path& decided, run_state& s) const {
  bool succeeded = true;
  for (const compare& c : t.compares) {
    if (!s.work.spend()) co_await s.work.pause();
    if (c.range_end.empty()) {
      succeeded = holds_for_one(c, s.at);
    } else {
      const bool held = co_await holds(c, s);
      succeeded = held;
    }
    if (!succeeded) break;
  }
  if (s.failed) co_return false;
  decided.push_back(succeeded);
  for (const operation& o : chosen(t, succeeded)) {
    const txn* nested = std::get_if<txn>(&o.what);
    if (nested == nullptr) continue;
    const bool well = co_await decide(*nested, decided, s);
    if (!well) co_return false;
  }
  co_return true;
}

result<void> store::check(const txn& t, path::const_iterator& decided, const run_state& s) const {
  for (const operation& o : chosen(t, *decided++)) {
    result<void> ok;
    if (const put* p = std::get_if<put>(&o.what)) ok = check(*p);
    if (const range_request* r = std::get_if<range_request>(&o.what)) ok = check_readable(r->revision, s.floor, s.at);
    if (const txn* nested = std::get_if<txn>(&o.what)) ok = check(*nested, decided, s);
    if (!ok) return ok;
  }
  return {};
}

sliced<result<reply>> store::execute(const txn& t) {
  path decided;
  const bool few = co_await decide(t, decided, *state_);
  if (!few) co_return error(*state_->failed);
  path::const_iterator at = decided.begin();
  if (const result<void> ok = check(t, at, *state_); !ok) co_return ok.error();
  at = decided.begin();
  start_change();
  txn_reply done;
  const bool well = co_await run(t, done, at, *state_);
  if (!well) {
    co_await undo(*state_);
    co_return error(*state_->failed);
  }
  complete(making_);
  co_return reply{current_, std::move(done)};
}

sliced<result<reply>> store::execute_reads(const txn& t, run_state& s) {
  path decided;
  const bool few = co_await decide(t, decided, s);
  if (!few) co_return error(*s.failed);
  path::const_iterator at = decided.begin();
  if (const result<void> ok = check(t, at, s); !ok) co_return ok.error();
  at = decided.begin();
  txn_reply done;
  const bool well = co_await run(t, done, at, s);
  if (!well) co_return error(*s.failed);
  co_return reply{s.at, std::move(done)};
}

/// Reads of the current revision see what the transaction did before them.
sliced<bool> store::run(const range_request& r, range_reply& done, run_state& s) const {
  const revision latest = s.making == nullptr ? s.at : s.making->main;
  done.revision = s.making == nullptr || s.making->subs == 0 ? s.at : latest;
  const bool well = co_await read(r, r.revision ? r.revision : latest, done, s);
  co_return well;
}

sliced<bool> store::run(const txn& t, txn_reply& done, path::const_iterator& decided, run_state& s) {
  done.succeeded = *decided++;
  const std::vector<operation>& list = chosen(t, done.succeeded);
  done.responses.reserve(list.size());
  for (const operation& o : list) {
    if (!s.work.spend()) co_await s.work.pause();
    bool well = true;
    if (const txn* nested = std::get_if<txn>(&o.what)) {
      auto& to = std::get<txn_reply>(done.responses.emplace_back(operation_reply{txn_reply()}).what);
      well = co_await run(*nested, to, decided, s);
    } else if (const put* p = std::get_if<put>(&o.what)) {
      auto& to = std::get<put_reply>(done.responses.emplace_back(operation_reply{put_reply()}).what);
      well = run(*p, to, s);
    } else if (const delete_range* d = std::get_if<delete_range>(&o.what)) {
      auto& to = std::get<delete_range_reply>(done.responses.emplace_back(operation_reply{delete_range_reply()}).what);
      if (d->range_end.empty())
        well = erase_one(*d, to, s);
      else
        well = co_await run(*d, to, s);
    } else {
      auto& to = std::get<range_reply>(done.responses.emplace_back(operation_reply{range_reply()}).what);
      well = co_await run(std::get<range_request>(o.what), to, s);
    }
    if (!well) co_return false;
  }
  co_return true;
}

} // namespace quorumd::kv
