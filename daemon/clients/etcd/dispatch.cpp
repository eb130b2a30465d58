#include "daemon/clients/etcd/calls.hpp"
#include "daemon/clients/etcd/downgrade.hpp"
#include "daemon/clients/etcd/requests.hpp"

#include "health.pb.h"
#include "rpc.pb.h"

#include <algorithm>
#include <utility>

/// What is done for each call.
namespace quorumd::clients::etcd {
namespace {

namespace pb = etcdserverpb;

/// A time limit that is none.
constexpr std::chrono::milliseconds for_ever = std::chrono::hours(24 * 365);

} // namespace

void calls::dispatch(std::int32_t id, call& c, std::string_view message) {
  const auto number = static_cast<std::uint64_t>(id);
  const std::uint32_t slot = slot_of(c.head.what);
  const service::time_limits until = asks().limits(c.head.timeout);
  const auto write = [&](const kv::command& command) { asks().write(number, slot, until, command); };
  switch (c.head.what) {
  case method::range:
    return parse<pb::RangeRequest>(id, message, [&](const auto& m) {
      const client::range_read r = read_of(m);
      if (!range_pages::can_be(r)) return asks().range(number, slot_of(c.head.what, r.request.limit), until, r);
      c.pages = std::make_unique<range_pages>(r);
      c.until = until;
      ask_for_page(id, c);
    });
  case method::put:
    return parse<pb::PutRequest>(id, message, [&](const auto& m) { write(put_of(m)); });
  case method::delete_range:
    return parse<pb::DeleteRangeRequest>(id, message, [&](const auto& m) { write(delete_of(m)); });
  case method::compact:
    return parse<pb::CompactionRequest>(id, message, [&](const auto& m) { write(compact_of(m)); });
  case method::txn:
    return parse<pb::TxnRequest>(id, message, [&](const auto& m) {
      auto t = txn_of(m);
      if (!t) return refuse(number, t.error());
      write(*std::move(t));
    });
  case method::health_check:
    return parse<grpc::health::v1::HealthCheckRequest>(id, message, [&](const auto& m) {
      if (!m.service().empty()) return finish(id, {grpc_code::not_found, "unknown service"});
      asks().range(number, slot, until, health_read(), true);
    });
  case method::member_list:
  case method::status:
  case method::alarm:
  case method::defragment:
  case method::hash:
  case method::hash_kv:
  case method::move_leader:
  case method::member_add:
  case method::member_remove:
  case method::member_update:
  case method::member_promote:
  case method::auth_status:
  case method::auth_disable:
    return ask_group(id, c, until, message);
  case method::downgrade:
    return parse<pb::DowngradeRequest>(id, message,
                                       [&](const auto& m) { finish(id, downgrade_refusal(m.action(), m.version())); });
  case method::auth_off:
    return finish(id, {grpc_code::failed_precondition, "etcdserver: authentication is not enabled"});
  case method::auth_absent:
    return finish(id, {grpc_code::unimplemented, "etcdserver: authentication is not enabled, and cannot be yet"});
  case method::lease_grant:
    return parse<pb::LeaseGrantRequest>(id, message, [&](const auto& m) {
      write(kv::grant_lease{.id = lease_id(static_cast<std::uint64_t>(m.id())), .ttl_s = m.ttl()});
    });
  case method::lease_revoke:
    return parse<pb::LeaseRevokeRequest>(
        id, message, [&](const auto& m) { write(kv::revoke_lease{lease_id(static_cast<std::uint64_t>(m.id()))}); });
  case method::lease_time_to_live:
    return parse<pb::LeaseTimeToLiveRequest>(id, message, [&](const auto& m) {
      write(kv::lease_question{.what = kv::lease_question::kind::time,
                               .id = lease_id(static_cast<std::uint64_t>(m.id())),
                               .keys = m.keys()});
    });
  case method::lease_leases:
    return write(kv::lease_question{.what = kv::lease_question::kind::list});
  case method::lock:
  case method::unlock:
  case method::campaign:
  case method::proclaim:
  case method::resign:
  case method::leader:
  case method::observe:
  case method::health_watch:
  case method::snapshot:
    return begin_recipe(id, c, message);
  case method::lease_keep_alive: // their messages are taken one by one
  case method::watch:
  case method::range_in_pages:
  case method::step:
  case method::none:
    return finish(id, {grpc_code::unimplemented, "unknown"});
  }
}

/// It has its message for itself, since that is read long after the others of the read are forgotten.
void calls::begin_recipe(std::int32_t id, call& c, std::string_view message) {
  if (!asks().take_place(static_cast<std::uint64_t>(id))) return;
  const coro::time_point now = asks().loop().now();
  c.steps = std::make_shared<recipe>(recipe::parts{.asks = asks(), .by = carrier_, .events = events_, .id = id},
                                     c.head.timeout.count() > 0 ? now + std::min(c.head.timeout, for_ever)
                                                                : coro::time_point::max());
  carrier_.run(recipe::run(c.steps, c.head.what, std::string(message)));
}

} // namespace quorumd::clients::etcd
