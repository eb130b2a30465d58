#include "daemon/clients/etcd/requests.hpp"

#include "daemon/kv/codec/command_codec.hpp"
#include "rpc.pb.h"

#include <algorithm>
#include <utility>

namespace quorumd::clients::etcd {
namespace {

namespace pb = etcdserverpb;

/// etcd takes what is below zero for "none".
std::uint64_t from_zero(std::int64_t v) {
  return v > 0 ? static_cast<std::uint64_t>(v) : 0;
}

/// A bound from above: below zero it leaves no key, since none is as old as the revision of the empty store.
revision upper_bound_of(std::int64_t v) {
  return revision(v >= 0 ? static_cast<std::uint64_t>(v) : 1);
}

kv::range_request range_of(const pb::RangeRequest& r) {
  return {.key = r.key(),
          .range_end = r.range_end(),
          .limit = from_zero(r.limit()),
          .revision = revision(from_zero(r.revision())),
          .keys_only = r.keys_only(),
          .count_only = r.count_only(),
          .target = static_cast<kv::sort_target>(std::clamp<int>(r.sort_target(), -1, 255)),
          .order = static_cast<kv::sort_order>(std::clamp<int>(r.sort_order(), -1, 255)),
          .min_mod_revision = revision(from_zero(r.min_mod_revision())),
          .max_mod_revision = upper_bound_of(r.max_mod_revision()),
          .min_create_revision = revision(from_zero(r.min_create_revision())),
          .max_create_revision = upper_bound_of(r.max_create_revision())};
}

/// An operand of another kind than the target counts as zero.
std::int64_t number_of(const pb::Compare& c) {
  switch (c.target()) {
  case pb::Compare::VERSION:
    return c.target_union_case() == pb::Compare::kVersion ? c.version() : 0;
  case pb::Compare::CREATE:
    return c.target_union_case() == pb::Compare::kCreateRevision ? c.create_revision() : 0;
  case pb::Compare::MOD:
    return c.target_union_case() == pb::Compare::kModRevision ? c.mod_revision() : 0;
  case pb::Compare::LEASE:
    return c.target_union_case() == pb::Compare::kLease ? c.lease() : 0;
  default:
    return 0;
  }
}

bool is_known(const pb::Compare& c) {
  return pb::Compare::CompareTarget_IsValid(c.target()) && pb::Compare::CompareResult_IsValid(c.result());
}

/// As etcd has it of a target or relation that it does not know: a target is 0, and compared with 0; a relation holds,
/// but by the value of a key that is not there. No version is below zero, and that of such a key is zero.
kv::compare unknown_compare_of(const pb::Compare& c) {
  const bool known_relation = pb::Compare::CompareResult_IsValid(c.result());
  const bool never = known_relation && c.result() != pb::Compare::EQUAL;
  const bool by_value = !known_relation && c.target() == pb::Compare::VALUE;
  return {.key = c.key(),
          .range_end = c.range_end(),
          .target = kv::compare_target::version,
          .relation = never ? kv::compare_relation::less : kv::compare_relation::greater,
          .number = by_value ? 0 : -1,
          .value = {}};
}

kv::compare compare_of(const pb::Compare& c) {
  if (!is_known(c)) return unknown_compare_of(c);
  return {.key = c.key(),
          .range_end = c.range_end(),
          .target = static_cast<kv::compare_target>(c.target()),
          .relation = static_cast<kv::compare_relation>(c.result()),
          .number = number_of(c),
          .value = c.target_union_case() == pb::Compare::kValue ? std::string_view(c.value()) : std::string_view()};
}

kv::result<kv::txn> txn_at(const pb::TxnRequest& r, std::size_t depth);

kv::result<kv::operation> operation_of(const pb::RequestOp& o, std::size_t depth) {
  switch (o.request_case()) {
  case pb::RequestOp::kRequestRange:
    return kv::operation{range_of(o.request_range())};
  case pb::RequestOp::kRequestPut:
    return kv::operation{put_of(o.request_put())};
  case pb::RequestOp::kRequestDeleteRange:
    return kv::operation{delete_of(o.request_delete_range())};
  case pb::RequestOp::kRequestTxn: {
    auto nested = txn_at(o.request_txn(), depth + 1);
    if (!nested) return nested.error();
    return kv::operation{std::move(*nested)};
  }
  case pb::RequestOp::REQUEST_NOT_SET:
    break;
  }
  return kv::error(kv::errc::key_not_found);
}

kv::result<kv::txn> txn_at(const pb::TxnRequest& r, std::size_t depth) {
  if (depth > kv::txn_depth_max) return kv::error(kv::errc::too_many_operations);
  kv::txn t;
  t.compares.reserve(static_cast<std::size_t>(r.compare_size()));
  for (const pb::Compare& c : r.compare()) {
    if (c.key().empty()) return kv::error(kv::errc::key_not_provided);
    t.compares.push_back(compare_of(c));
  }
  for (auto [from, to] : {std::pair(&r.success(), &t.success), std::pair(&r.failure(), &t.failure)}) {
    to->reserve(static_cast<std::size_t>(from->size()));
    for (const pb::RequestOp& o : *from) {
      auto made = operation_of(o, depth);
      if (!made) return made.error();
      to->push_back(std::move(*made));
    }
  }
  return t;
}

} // namespace

client::range_read read_of(const pb::RangeRequest& r) {
  return {.request = range_of(r), .serializable = r.serializable()};
}

client::range_read health_read() {
  return {.request = {.key = std::string_view("\0", 1), .count_only = true, .skip_count = true}, .serializable = false};
}

kv::put put_of(const pb::PutRequest& r) {
  return {.key = r.key(),
          .value = r.value(),
          .lease = lease_id(static_cast<std::uint64_t>(r.lease())),
          .prev_kv = r.prev_kv(),
          .ignore_value = r.ignore_value(),
          .ignore_lease = r.ignore_lease()};
}

kv::delete_range delete_of(const pb::DeleteRangeRequest& r) {
  return {.key = r.key(), .range_end = r.range_end(), .prev_kv = r.prev_kv()};
}

kv::compact compact_of(const pb::CompactionRequest& r) {
  return {.revision = revision(from_zero(r.revision()))};
}

kv::result<kv::txn> txn_of(const pb::TxnRequest& r) {
  return txn_at(r, 1);
}

} // namespace quorumd::clients::etcd
