#include "daemon/kv/key_ranges.hpp"
#include "daemon/kv/store.hpp"
#include "daemon/kv/validate.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace quorumd::kv {
namespace {

/// Fills a reply with keys in the reply's order, up to the request's limit and page.
class page {
 public:
  page(const range_request& request, range_reply& reply)
      : request_(request)
      , reply_(reply) {}

  /// False, and `more` is set, if there is no room for this one; then there is none for any later one.
  bool take(key_value_view kv) {
    if (request_.keys_only) kv.value = {};
    const std::size_t bytes = kv.key.size() + kv.value.size();
    if (full(bytes)) {
      reply_.more = true;
      return false;
    }
    bytes_ += bytes;
    reply_.kvs.push_back(kv);
    return true;
  }

 private:
  [[nodiscard]] bool full(std::size_t next_bytes) const {
    if (request_.limit != 0 && reply_.kvs.size() >= request_.limit) return true;
    return request_.page_bytes_max != 0 && !reply_.kvs.empty() && bytes_ + next_bytes > request_.page_bytes_max;
  }

  const range_request& request_;
  range_reply& reply_;
  std::size_t bytes_ = 0;
};

bool passes(const range_request& r, const version& v) {
  return (!r.min_mod_revision || v.mod >= r.min_mod_revision) && (!r.max_mod_revision || v.mod <= r.max_mod_revision) &&
         (!r.min_create_revision || v.create >= r.min_create_revision) &&
         (!r.max_create_revision || v.create <= r.max_create_revision);
}

bool less_by(sort_target target, const key_value_view& a, const key_value_view& b) {
  switch (target) {
  case sort_target::key:
    return a.key < b.key;
  case sort_target::version:
    return a.version < b.version;
  case sort_target::create:
    return a.create_revision < b.create_revision;
  case sort_target::mod:
    return a.mod_revision < b.mod_revision;
  case sort_target::value:
    return a.value < b.value;
  }
  return false;
}

/// Equal ones stay in the order of their keys, whichever way it is sorted.
void sort(std::vector<key_value_view>& kvs, sort_target target, bool descending) {
  std::stable_sort(kvs.begin(), kvs.end(), [=](const key_value_view& a, const key_value_view& b) {
    return descending ? less_by(target, b, a) : less_by(target, a, b);
  });
}

/// Streams keys that come in the reply's order: what does not fit is counted, not kept.
template <class Iterator>
void read_in_order(Iterator at, Iterator last, const range_request& r, revision when, range_reply& reply) {
  page p(r, reply);
  for (bool room = true; at != last; ++at) {
    const version* v = at->second->at(when);
    if (v == nullptr) continue;
    ++reply.count;
    if (!room || !passes(r, *v)) continue;
    room = p.take(view_of(*at->second, *v));
    if (!room && r.skip_count) return;
  }
}

/// Gathers all, sorts by another target than the key, and keeps what fits.
template <class Iterator>
void read_sorted(Iterator at, Iterator last, const range_request& r, revision when, range_reply& reply) {
  std::vector<key_value_view> found;
  for (; at != last; ++at) {
    const version* v = at->second->at(when);
    if (v == nullptr) continue;
    ++reply.count;
    if (passes(r, *v)) found.push_back(view_of(*at->second, *v));
  }
  sort(found, r.target, r.order == sort_order::descend);
  page p(r, reply);
  for (const key_value_view& kv : found)
    if (!p.take(kv)) return;
}

template <class Iterator>
std::uint64_t count(Iterator at, Iterator last, revision when) {
  return static_cast<std::uint64_t>(
      std::count_if(at, last, [when](const auto& each) { return each.second->at(when) != nullptr; }));
}

} // namespace

store::span store::find(std::string_view key, std::string_view range_end) const {
  if (range_end.empty()) {
    const auto at = map_.find(key);
    return {at, at == map_.end() ? at : std::next(at)};
  }
  if (!below(key, range_end)) return {map_.end(), map_.end()};
  return {map_.lower_bound(key), range_end == no_end ? map_.end() : map_.lower_bound(range_end)};
}

/// The one key of a request that names no range: the same as below, without the map.
range_reply store::read_one(const range_request& r, revision at) const {
  range_reply reply;
  const record* found = find(r.key);
  const version* v = found == nullptr ? nullptr : found->at(at);
  if (v == nullptr) return reply;
  reply.count = 1;
  if (!r.count_only && passes(r, *v)) page(r, reply).take(view_of(*found, *v));
  if (!r.count_only && r.skip_count) reply.count = reply.kvs.size();
  return reply;
}

range_reply store::read(const range_request& r, revision at) const {
  if (r.range_end.empty()) return read_one(r, at);
  range_reply reply;
  const auto [first, last] = find(r.key, r.range_end);
  if (r.count_only) {
    reply.count = count(first, last, at);
    return reply;
  }
  if (r.target != sort_target::key)
    read_sorted(first, last, r, at, reply);
  else if (r.order == sort_order::descend)
    read_in_order(std::make_reverse_iterator(last), std::make_reverse_iterator(first), r, at, reply);
  else
    read_in_order(first, last, r, at, reply);
  if (r.skip_count) reply.count = reply.kvs.size();
  return reply;
}

result<void> store::check_readable(revision r) const {
  if (r > current_) return error(errc::future_revision, current_);
  if (r && r < compacted_) return error(errc::compacted, compacted_);
  return {};
}

result<range_reply> store::range(const range_request& r) const {
  if (const result<void> ok = validate(r); !ok) return ok.error();
  if (const result<void> ok = check_readable(r.revision); !ok) return ok.error();
  range_reply reply = read(r, r.revision ? r.revision : current_);
  reply.revision = current_;
  return reply;
}

} // namespace quorumd::kv
