#include "daemon/clients/etcd/calls.hpp"

#include "coro/net.hpp"
#include "rpc.pb.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

/// Calls about the node and its cluster, which the group answers by itself.
namespace quorumd::clients::etcd {
namespace {

namespace pb = etcdserverpb;

/// What an answer about the members or the node holds until it is made.
constexpr std::size_t report_bytes = 2048;

void fill(pb::ResponseHeader& to, const response_header& h) {
  to.set_cluster_id(h.cluster);
  to.set_member_id(h.member);
  to.set_revision(static_cast<std::int64_t>(h.revision));
  to.set_raft_term(h.term);
}

std::size_t serialize(wire::byte_buffer& out, const google::protobuf::MessageLite& m) {
  const std::size_t size = m.ByteSizeLong();
  std::byte* const at = out.prepare(size);
  m.SerializeToArray(at, static_cast<int>(size));
  out.commit(size);
  return size;
}

/// All that there is room for.
std::uint32_t short_hash(std::uint64_t h) {
  return static_cast<std::uint32_t>(h ^ h >> 32);
}

void fill(pb::Member& m, const client::member_row& row) {
  m.set_id(row.id.value());
  if (row.name != row.address) m.set_name(row.name); // else it has not come yet
  m.add_peerurls("http://" + row.address);
  if (!row.client_address.empty()) m.add_clienturls("http://" + row.client_address);
  m.set_islearner(row.role == client::member_role::learner);
}

template <class Response>
void add_members(Response& to, const client::members_reply& all) {
  to.mutable_header()->set_revision(0); // as etcd has it
  for (const client::member_row& row : all.rows) fill(*to.add_members(), row);
}

/// As far as this node knows; itself, too.
std::map<node_id, std::string> corrupt_members(node::group& g) {
  std::map<node_id, std::string> all = g.corrupt_members();
  if (!g.corrupt().empty()) all.emplace(g.status().own_row().id, g.corrupt());
  return all;
}

void fill_status(node::group& g, pb::StatusResponse& r) {
  const client::status_row row = g.status().own_row();
  r.set_dbsize(static_cast<std::int64_t>(row.store_bytes));
  r.set_dbsizeinuse(static_cast<std::int64_t>(row.store_bytes - row.history_bytes));
  r.set_leader(row.leader.value());
  r.set_raftindex(row.commit.value());
  r.set_raftterm(row.term.value());
  r.set_raftappliedindex(row.applied.value());
  for (const client::member_row& m : g.members().now().rows)
    if (m.id == row.id) r.set_islearner(m.role == client::member_role::learner);
  if (row.leader == node_id()) r.add_errors("etcdserver: no leader");
  const auto raised = [&](node_id id, const char* alarm) {
    r.add_errors("memberID:" + std::to_string(id.value()) + " alarm:" + alarm + " ");
  };
  if (g.is_full()) raised(row.id, "NOSPACE");
  for (const auto& [id, why] : corrupt_members(g)) raised(id, "CORRUPT");
}

/// One is raised as long as its cause lasts, and ends by itself.
void fill_alarms(node::group& g, pb::AlarmResponse& r) {
  const auto raised = [&](std::uint64_t id, pb::AlarmType alarm) {
    pb::AlarmMember& a = *r.add_alarms();
    a.set_memberid(id);
    a.set_alarm(alarm);
  };
  if (g.is_full()) raised(r.header().member_id(), pb::NOSPACE);
  for (const auto& [id, why] : corrupt_members(g)) raised(id.value(), pb::CORRUPT);
}

/// Of the keys at the present revision: members that are at the same one have the same.
std::optional<grpc_status> fill_hash(node::group& g, std::int64_t at, pb::HashKVResponse& r) {
  const kv::store& s = g.state().store();
  const auto now = static_cast<std::int64_t>(s.current().value());
  if (at > now) return status_of(kv::error(kv::errc::future_revision, s.current()));
  if (at > 0 && at < now)
    return grpc_status{grpc_code::out_of_range, "etcdserver: there is a hash of the present revision alone"};
  r.set_hash(short_hash(s.keys_hash()));
  r.set_compact_revision(s.compacted() ? static_cast<std::int64_t>(s.compacted().value()) : -1);
  r.set_hash_revision(now);
  return std::nullopt;
}

/// Nothing: there is none of that number.
std::optional<client::member_row> row_of(node::group& g, std::uint64_t id) {
  for (client::member_row& row : g.members().now().rows)
    if (row.id == node_id(id)) return std::move(row);
  return std::nullopt;
}

/// `http://host:port` without what is in front; empty if it is anything else.
std::string address_in(const std::string& url) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!url.starts_with(scheme)) continue;
    std::string address = url.substr(scheme.size());
    return coro::parse_endpoint(address) ? address : std::string();
  }
  return {};
}

} // namespace

template <class Answer>
void calls::reply_message(node::group& g, const node::reply_to& to, const Answer& r) {
  asks().reply(g, to, [&](wire::byte_buffer& b) {
    stage_message(b, staged_kind::answer, to.id, [&](wire::byte_buffer& into) { return serialize(into, r); });
  });
}

void calls::reply_status(node::group& g, const node::reply_to& to, const grpc_status& s) {
  asks().reply(g, to, [&](wire::byte_buffer& b) { stage_end(b, to.id, s); });
}

template <class Response>
void calls::report(std::int32_t id, std::function<std::optional<grpc_status>(node::group&, Response&)> make) {
  asks().call(static_cast<std::uint64_t>(id), 0, report_bytes, true,
              [this, make = std::move(make)](node::group& g, const node::reply_to& to) {
                Response r;
                fill(*r.mutable_header(), header_now(asks().node()));
                if (const auto refused = make(g, r)) return reply_status(g, to, *refused);
                reply_message(g, to, r);
              });
}

/// The leader alone hands its leadership over.
void calls::move_leader(std::int32_t id, service::time_limits until, std::uint64_t target) {
  asks().call(static_cast<std::uint64_t>(id), 0, report_bytes, true,
              [this, until, target](node::group& g, const node::reply_to& to) {
                if (g.soft().role != raft::role::leader)
                  return reply_status(g, to, {grpc_code::failed_precondition, "etcdserver: not leader"});
                const auto row = row_of(g, target);
                if (!row || row->role != client::member_role::voter)
                  return reply_status(g, to, {grpc_code::failed_precondition, "etcdserver: bad leader transferee"});
                g.members().transfer({row->name}, until.deadline, [this, to, &g](const node::member_answer& a) {
                  if (a.error != wire::request_errc::none) return reply_status(g, to, status_of(a.error, a.text));
                  reply_message(g, to, pb::MoveLeaderResponse()); // without a header, as etcd has it
                });
              });
}

/// Why the members cannot change so, in etcd's words; nothing: the leader is to say.
std::optional<grpc_status> calls::objection_to(node::group& g, const client::member_change& c,
                                               const client::member_row* whose) {
  if (c.action == client::member_action::promote && whose->role != client::member_role::learner)
    return grpc_status{grpc_code::failed_precondition, "etcdserver: can only promote a learner member"};
  const std::string& address = c.members.at(0).address;
  const bool taken = !address.empty() && std::ranges::any_of(g.members().now().rows, [&](const auto& row) {
    return row.address == address && (whose == nullptr || row.id != whose->id);
  });
  if (taken) return grpc_status{grpc_code::failed_precondition, "etcdserver: Peer URLs already exists"};
  return std::nullopt;
}

/// Whoever leads makes it.
void calls::change_members(node::group& g, const node::reply_to& to, service::time_limits until,
                           const client::member_change& change) {
  g.change_members(change, until.deadline, [this, to, &g, what = change](const node::member_answer& a) {
    using client::member_action;
    const bool unfit = a.error == wire::request_errc::refused || a.error == wire::request_errc::invalid;
    if (unfit && what.action == member_action::promote)
      return reply_status(g, to,
                          {grpc_code::failed_precondition,
                           "etcdserver: can only promote a learner member which is in sync with leader"});
    if (a.error == wire::request_errc::refused)
      return reply_status(g, to, {grpc_code::failed_precondition, "etcdserver: " + a.text});
    if (a.error != wire::request_errc::none) return reply_status(g, to, status_of(a.error, a.text));
    const auto answered = [&](auto r) {
      fill(*r.mutable_header(), header_now(asks().node()));
      add_members(r, a.reply);
      return r;
    };
    if (what.action != member_action::add) return reply_message(g, to, answered(pb::MembersResponse()));
    auto r = answered(pb::MemberAddResponse());
    for (const client::member_row& row : a.reply.rows)
      if (row.address == what.members.at(0).address) fill(*r.mutable_member(), row);
    reply_message(g, to, r);
  });
}

void calls::change_member(std::int32_t id, service::time_limits until, std::uint64_t member,
                          client::member_change change) {
  asks().call(static_cast<std::uint64_t>(id), 0, report_bytes, true,
              [this, until, member, change = std::move(change)](node::group& g, const node::reply_to& to) {
                const auto row = row_of(g, member);
                if (!row) return reply_status(g, to, {grpc_code::not_found, "etcdserver: member not found"});
                if (const auto why = objection_to(g, change, &*row)) return reply_status(g, to, *why);
                client::member_change c = change;
                c.members.at(0).name = row->name;
                change_members(g, to, until, c);
              });
}

/// It has no name before it comes: until then it is called by its address.
void calls::add_member(std::int32_t id, service::time_limits until, const std::string& address, bool promote) {
  client::member_change change{.action = client::member_action::add,
                               .members = {{.name = address, .address = address, .new_name = {}}},
                               .promote = promote};
  asks().call(static_cast<std::uint64_t>(id), 0, report_bytes, true,
              [this, until, change = std::move(change)](node::group& g, const node::reply_to& to) {
                if (const auto why = objection_to(g, change, nullptr)) return reply_status(g, to, *why);
                change_members(g, to, until, change);
              });
}

void calls::ask_group(std::int32_t id, const call& c, service::time_limits until, std::string_view message) {
  const auto nothing = std::optional<grpc_status>();
  const auto change = [&](client::member_action what, std::string address = {}) {
    return client::member_change{.action = what,
                                 .members = {{.name = {}, .address = std::move(address), .new_name = {}}}};
  };
  switch (c.head.what) {
  case method::member_list:
    return report<pb::MemberListResponse>(id, [=](node::group& g, auto& r) {
      add_members(r, g.members().now());
      return nothing;
    });
  case method::status:
    return report<pb::StatusResponse>(id, [nothing, version = asks().options().etcd->version](node::group& g, auto& r) {
      fill_status(g, r);
      r.set_version(version);
      return nothing;
    });
  case method::alarm:
    return parse<pb::AlarmRequest>(id, message, [&](const auto&) {
      report<pb::AlarmResponse>(id, [nothing, old = asks().options().etcd->before_3_5](node::group& g, auto& r) {
        fill_alarms(g, r);
        if (old) r.clear_header();
        return nothing;
      });
    });
  case method::hash:
    return report<pb::HashResponse>(id, [=](node::group& g, auto& r) {
      r.set_hash(short_hash(g.state().store().content_hash()));
      return nothing;
    });
  case method::hash_kv:
    return parse<pb::HashKVRequest>(id, message, [&](const auto& m) {
      report<pb::HashKVResponse>(id, [at = m.revision()](node::group& g, auto& r) { return fill_hash(g, at, r); });
    });
  case method::move_leader:
    return parse<pb::MoveLeaderRequest>(id, message, [&](const auto& m) { move_leader(id, until, m.targetid()); });
  case method::member_add:
    return parse<pb::MemberAddRequest>(id, message, [&](const auto& m) {
      const std::string address = m.peerurls_size() == 1 ? address_in(m.peerurls(0)) : std::string();
      if (address.empty())
        return finish(id, {grpc_code::invalid_argument, "etcdserver: given member URLs are invalid"});
      add_member(id, until, address, !m.islearner());
    });
  case method::member_remove:
    return parse<pb::MemberRemoveRequest>(
        id, message, [&](const auto& m) { change_member(id, until, m.id(), change(client::member_action::remove)); });
  case method::member_promote:
    return parse<pb::MemberPromoteRequest>(
        id, message, [&](const auto& m) { change_member(id, until, m.id(), change(client::member_action::promote)); });
  case method::member_update:
    return parse<pb::MemberUpdateRequest>(id, message, [&](const auto& m) {
      const std::string address = m.peerurls_size() == 1 ? address_in(m.peerurls(0)) : std::string();
      if (address.empty())
        return finish(id, {grpc_code::invalid_argument, "etcdserver: given member URLs are invalid"});
      change_member(id, until, m.id(), change(client::member_action::update, address));
    });
  case method::auth_status:
    return report<pb::AuthStatusResponse>(id, [=](node::group&, auto&) { return nothing; });
  case method::auth_disable:
    return report<pb::AuthDisableResponse>(id, [=](node::group&, auto&) { return nothing; });
  default: // defragment: nothing ever needs it
    return report<pb::DefragmentResponse>(id, [=](node::group&, auto& r) {
      r.clear_header(); // as etcd has it
      return nothing;
    });
  }
}

} // namespace quorumd::clients::etcd
