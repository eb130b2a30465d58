#include "daemon/clients/etcd/methods.hpp"

#include <algorithm>
#include <array>

namespace quorumd::clients::etcd {
namespace {

struct call_of_api {
  std::string_view path;
  method what;
  std::string_view request;
  std::string_view response;
};

constexpr std::array all_calls{
    call_of_api{"/etcdserverpb.KV/Range", method::range, "etcdserverpb.RangeRequest", "etcdserverpb.RangeResponse"},
    call_of_api{"/etcdserverpb.KV/Put", method::put, "etcdserverpb.PutRequest", "etcdserverpb.PutResponse"},
    call_of_api{"/etcdserverpb.KV/DeleteRange", method::delete_range, "etcdserverpb.DeleteRangeRequest",
                "etcdserverpb.DeleteRangeResponse"},
    call_of_api{"/etcdserverpb.KV/Txn", method::txn, "etcdserverpb.TxnRequest", "etcdserverpb.TxnResponse"},
    call_of_api{"/etcdserverpb.KV/Compact", method::compact, "etcdserverpb.CompactionRequest",
                "etcdserverpb.CompactionResponse"},
    call_of_api{"/etcdserverpb.Watch/Watch", method::watch, "etcdserverpb.WatchRequest", "etcdserverpb.WatchResponse"},
    call_of_api{"/etcdserverpb.Lease/LeaseGrant", method::lease_grant, "etcdserverpb.LeaseGrantRequest",
                "etcdserverpb.LeaseGrantResponse"},
    call_of_api{"/etcdserverpb.Lease/LeaseRevoke", method::lease_revoke, "etcdserverpb.LeaseRevokeRequest",
                "etcdserverpb.LeaseRevokeResponse"},
    call_of_api{"/etcdserverpb.Lease/LeaseKeepAlive", method::lease_keep_alive, "etcdserverpb.LeaseKeepAliveRequest",
                "etcdserverpb.LeaseKeepAliveResponse"},
    call_of_api{"/etcdserverpb.Lease/LeaseTimeToLive", method::lease_time_to_live,
                "etcdserverpb.LeaseTimeToLiveRequest", "etcdserverpb.LeaseTimeToLiveResponse"},
    call_of_api{"/etcdserverpb.Lease/LeaseLeases", method::lease_leases, "etcdserverpb.LeaseLeasesRequest",
                "etcdserverpb.LeaseLeasesResponse"},
    call_of_api{"/etcdserverpb.Cluster/MemberList", method::member_list, "etcdserverpb.MemberListRequest",
                "etcdserverpb.MemberListResponse"},
    call_of_api{"/etcdserverpb.Maintenance/Status", method::status, "etcdserverpb.StatusRequest",
                "etcdserverpb.StatusResponse"},
    call_of_api{"/etcdserverpb.Maintenance/Alarm", method::alarm, "etcdserverpb.AlarmRequest",
                "etcdserverpb.AlarmResponse"},
    call_of_api{"/etcdserverpb.Maintenance/Defragment", method::defragment, "etcdserverpb.DefragmentRequest",
                "etcdserverpb.DefragmentResponse"},
    call_of_api{"/etcdserverpb.Maintenance/Hash", method::hash, "etcdserverpb.HashRequest",
                "etcdserverpb.HashResponse"},
    call_of_api{"/etcdserverpb.Maintenance/HashKV", method::hash_kv, "etcdserverpb.HashKVRequest",
                "etcdserverpb.HashKVResponse"},
    call_of_api{"/etcdserverpb.Maintenance/Snapshot", method::snapshot, "etcdserverpb.SnapshotRequest",
                "etcdserverpb.SnapshotResponse"},
    call_of_api{"/etcdserverpb.Maintenance/MoveLeader", method::move_leader, "etcdserverpb.MoveLeaderRequest",
                "etcdserverpb.MoveLeaderResponse"},
    call_of_api{"/etcdserverpb.Cluster/MemberAdd", method::member_add, "etcdserverpb.MemberAddRequest",
                "etcdserverpb.MemberAddResponse"},
    call_of_api{"/etcdserverpb.Maintenance/Downgrade", method::downgrade, "etcdserverpb.DowngradeRequest",
                "etcdserverpb.DowngradeResponse"},
    call_of_api{"/etcdserverpb.Cluster/MemberRemove", method::member_remove, "etcdserverpb.MemberRemoveRequest",
                "etcdserverpb.MembersResponse"},
    call_of_api{"/etcdserverpb.Cluster/MemberUpdate", method::member_update, "etcdserverpb.MemberUpdateRequest",
                "etcdserverpb.MembersResponse"},
    call_of_api{"/etcdserverpb.Cluster/MemberPromote", method::member_promote, "etcdserverpb.MemberPromoteRequest",
                "etcdserverpb.MembersResponse"},
    call_of_api{"/etcdserverpb.Auth/AuthStatus", method::auth_status, "etcdserverpb.AuthStatusRequest",
                "etcdserverpb.AuthStatusResponse"},
    call_of_api{"/etcdserverpb.Auth/Authenticate", method::auth_off, "etcdserverpb.AuthenticateRequest",
                "etcdserverpb.AuthenticateResponse"},
    call_of_api{"/etcdserverpb.Auth/AuthDisable", method::auth_disable, "etcdserverpb.AuthDisableRequest",
                "etcdserverpb.AuthDisableResponse"},
    call_of_api{"/etcdserverpb.Auth/AuthEnable", method::auth_absent, "etcdserverpb.AuthStatusRequest",
                "etcdserverpb.AuthStatusResponse"},
    call_of_api{"/etcdserverpb.Auth/UserAdd", method::auth_absent, "etcdserverpb.AuthStatusRequest",
                "etcdserverpb.AuthStatusResponse"},
    call_of_api{"/etcdserverpb.Auth/UserGet", method::auth_absent, "etcdserverpb.AuthStatusRequest",
                "etcdserverpb.AuthStatusResponse"},
    call_of_api{"/etcdserverpb.Auth/UserList", method::auth_absent, "etcdserverpb.AuthStatusRequest",
                "etcdserverpb.AuthStatusResponse"},
    call_of_api{"/etcdserverpb.Auth/UserDelete", method::auth_absent, "etcdserverpb.AuthStatusRequest",
                "etcdserverpb.AuthStatusResponse"},
    call_of_api{"/etcdserverpb.Auth/UserChangePassword", method::auth_absent, "etcdserverpb.AuthStatusRequest",
                "etcdserverpb.AuthStatusResponse"},
    call_of_api{"/etcdserverpb.Auth/UserGrantRole", method::auth_absent, "etcdserverpb.AuthStatusRequest",
                "etcdserverpb.AuthStatusResponse"},
    call_of_api{"/etcdserverpb.Auth/UserRevokeRole", method::auth_absent, "etcdserverpb.AuthStatusRequest",
                "etcdserverpb.AuthStatusResponse"},
    call_of_api{"/etcdserverpb.Auth/RoleAdd", method::auth_absent, "etcdserverpb.AuthStatusRequest",
                "etcdserverpb.AuthStatusResponse"},
    call_of_api{"/etcdserverpb.Auth/RoleGet", method::auth_absent, "etcdserverpb.AuthStatusRequest",
                "etcdserverpb.AuthStatusResponse"},
    call_of_api{"/etcdserverpb.Auth/RoleList", method::auth_absent, "etcdserverpb.AuthStatusRequest",
                "etcdserverpb.AuthStatusResponse"},
    call_of_api{"/etcdserverpb.Auth/RoleDelete", method::auth_absent, "etcdserverpb.AuthStatusRequest",
                "etcdserverpb.AuthStatusResponse"},
    call_of_api{"/etcdserverpb.Auth/RoleGrantPermission", method::auth_absent, "etcdserverpb.AuthStatusRequest",
                "etcdserverpb.AuthStatusResponse"},
    call_of_api{"/etcdserverpb.Auth/RoleRevokePermission", method::auth_absent, "etcdserverpb.AuthStatusRequest",
                "etcdserverpb.AuthStatusResponse"},
    call_of_api{"/grpc.health.v1.Health/Check", method::health_check, "grpc.health.v1.HealthCheckRequest",
                "grpc.health.v1.HealthCheckResponse"},
    call_of_api{"/grpc.health.v1.Health/Watch", method::health_watch, "grpc.health.v1.HealthCheckRequest",
                "grpc.health.v1.HealthCheckResponse"},
    call_of_api{"/v3lockpb.Lock/Lock", method::lock, "v3lockpb.LockRequest", "v3lockpb.LockResponse"},
    call_of_api{"/v3lockpb.Lock/Unlock", method::unlock, "v3lockpb.UnlockRequest", "v3lockpb.UnlockResponse"},
    call_of_api{"/v3electionpb.Election/Campaign", method::campaign, "v3electionpb.CampaignRequest",
                "v3electionpb.CampaignResponse"},
    call_of_api{"/v3electionpb.Election/Proclaim", method::proclaim, "v3electionpb.ProclaimRequest",
                "v3electionpb.ProclaimResponse"},
    call_of_api{"/v3electionpb.Election/Leader", method::leader, "v3electionpb.LeaderRequest",
                "v3electionpb.LeaderResponse"},
    call_of_api{"/v3electionpb.Election/Observe", method::observe, "v3electionpb.LeaderRequest",
                "v3electionpb.LeaderResponse"},
    call_of_api{"/v3electionpb.Election/Resign", method::resign, "v3electionpb.ResignRequest",
                "v3electionpb.ResignResponse"},
};

const call_of_api* find_call(method m) {
  const auto found =
      std::find_if(all_calls.begin(), all_calls.end(), [&](const call_of_api& c) { return c.what == m; });
  return found != all_calls.end() ? &*found : nullptr;
}

} // namespace

method find_method(std::string_view path) {
  const auto found =
      std::find_if(all_calls.begin(), all_calls.end(), [&](const call_of_api& c) { return c.path == path; });
  return found != all_calls.end() ? found->what : method::none;
}

std::string_view request_of(method m) {
  const call_of_api* const c = find_call(m);
  return c != nullptr ? c->request : std::string_view();
}

std::string_view response_of(method m) {
  const call_of_api* const c = find_call(m);
  return c != nullptr ? c->response : std::string_view();
}

std::string_view path_of(method m) {
  const auto is = [m](const call_of_api& c) { return c.what == m; };
  const auto found = std::find_if(all_calls.begin(), all_calls.end(), is);
  if (found == all_calls.end() || std::any_of(found + 1, all_calls.end(), is)) return {};
  return found->path.substr(1);
}

std::string_view unknown_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  const std::string_view service = slash == std::string_view::npos ? path : path.substr(0, slash + 1);
  const bool known = std::any_of(all_calls.begin(), all_calls.end(),
                                 [&](const call_of_api& c) { return c.path.starts_with(service); });
  return known ? "method" : "service";
}

} // namespace quorumd::clients::etcd
