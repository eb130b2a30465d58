#include "daemon/clients/etcd/grpc_connection.hpp"
#include "daemon/clients/etcd/requests.hpp"

#include "rpc.pb.h"

#include <algorithm>
#include <utility>

/// What is done for each call.
namespace quorumd::clients::etcd {
namespace {

namespace pb = etcdserverpb;

/// What an answer about the members or the node holds until it is made.
constexpr std::size_t report_bytes = 2048;
/// The version of etcd that this node answers as.
constexpr const char* emulated_version = "3.5.21";

void fill(pb::ResponseHeader& to, const response_header& h) {
  to.set_cluster_id(h.cluster);
  to.set_member_id(h.member);
  to.set_revision(static_cast<std::int64_t>(h.revision));
  to.set_raft_term(h.term);
}

/// Puts and the like are refused for want of space.
bool is_full(node::group& g) {
  const kv::store& s = g.state().store();
  const auto& set = s.settings();
  const bool beyond_quota = set && set->quota_bytes != 0 && s.stored_bytes() >= set->quota_bytes;
  return beyond_quota || !g.status().own_row().accepting;
}

std::size_t serialize(wire::byte_buffer& out, const google::protobuf::MessageLite& m) {
  const std::size_t size = m.ByteSizeLong();
  std::byte* const at = out.prepare(size);
  m.SerializeToArray(at, static_cast<int>(size));
  out.commit(size);
  return size;
}

} // namespace

void grpc_connection::dispatch(std::int32_t id, call& c, std::string_view message) {
  const auto number = static_cast<std::uint64_t>(id);
  const std::uint32_t slot = slot_of(c.what);
  const service::time_limits until = asks().limits(c.timeout);
  const auto write = [&](const kv::command& command) { asks().write(number, slot, until, command); };
  switch (c.what) {
  case method::range:
    return parse<pb::RangeRequest>(id, message, [&](const auto& m) {
      const wire::range_read r = read_of(m);
      if (!range_pages::can_be(r)) return asks().range(number, slot_of(c.what, r.request.limit), until, r);
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
  case method::health_check: {
    const wire::range_read any{.request = {.key = std::string_view("\0", 1), .count_only = true, .skip_count = true},
                               .serializable = false};
    return asks().range(number, slot, until, any, true);
  }
  case method::member_list:
    return ask_about_members(id);
  case method::status:
    return ask_for_status(id);
  case method::alarm:
    return parse<pb::AlarmRequest>(id, message, [&](const auto&) { ask_for_alarms(id); });
  case method::defragment: // nothing ever needs it
    return ask_group<pb::DefragmentResponse>(id, [](node::group&, pb::DefragmentResponse&) {});
  case method::auth_status:
    return ask_group<pb::AuthStatusResponse>(id, [](node::group&, pb::AuthStatusResponse&) {});
  case method::auth_off:
    return finish(id, {grpc_code::failed_precondition, "etcdserver: authentication is not enabled"});
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
  case method::lease_keep_alive: // their messages are taken one by one
  case method::watch:
  case method::range_in_pages:
  case method::none:
    return finish(id, {grpc_code::unimplemented, "unknown"});
  }
}

template <class Response>
void grpc_connection::ask_group(std::int32_t id, std::function<void(node::group&, Response&)> fill_in) {
  asks().call(static_cast<std::uint64_t>(id), 0, report_bytes, true,
              [this, fill_in = std::move(fill_in)](node::group& g, const node::reply_to& to) {
                Response r;
                fill(*r.mutable_header(), header_now(asks().node()));
                fill_in(g, r);
                asks().reply(g, to, [&](wire::byte_buffer& b) {
                  stage_message(b, staged_kind::answer, to.id,
                                [&](wire::byte_buffer& into) { return serialize(into, r); });
                });
              });
}

void grpc_connection::ask_about_members(std::int32_t id) {
  ask_group<pb::MemberListResponse>(id, [](node::group& g, pb::MemberListResponse& r) {
    r.mutable_header()->set_revision(0);
    for (const wire::member_row& row : g.members().now().rows) {
      pb::Member& m = *r.add_members();
      m.set_id(row.id.value());
      m.set_name(row.name);
      m.add_peerurls("http://" + row.address);
      if (!row.client_address.empty()) m.add_clienturls("http://" + row.client_address);
      m.set_islearner(row.role == wire::member_role::learner);
    }
  });
}

void grpc_connection::ask_for_status(std::int32_t id) {
  ask_group<pb::StatusResponse>(id, [](node::group& g, pb::StatusResponse& r) {
    const wire::status_row row = g.status().own_row();
    r.set_version(emulated_version);
    r.set_dbsize(static_cast<std::int64_t>(row.store_bytes));
    r.set_dbsizeinuse(static_cast<std::int64_t>(row.store_bytes - row.history_bytes));
    r.set_leader(row.leader.value());
    r.set_raftindex(row.commit.value());
    r.set_raftterm(row.term.value());
    r.set_raftappliedindex(row.applied.value());
    for (const wire::member_row& m : g.members().now().rows)
      if (m.id == row.id) r.set_islearner(m.role == wire::member_role::learner);
    if (row.leader == node_id()) r.add_errors("etcdserver: no leader");
    if (is_full(g)) r.add_errors("memberID:" + std::to_string(row.id.value()) + " alarm:NOSPACE ");
  });
}

/// One is raised as long as its cause lasts, and ends by itself.
void grpc_connection::ask_for_alarms(std::int32_t id) {
  ask_group<pb::AlarmResponse>(id, [](node::group& g, pb::AlarmResponse& r) {
    if (!is_full(g)) return;
    pb::AlarmMember& a = *r.add_alarms();
    a.set_memberid(r.header().member_id());
    a.set_alarm(pb::NOSPACE);
  });
}

} // namespace quorumd::clients::etcd
