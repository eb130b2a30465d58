#include "daemon/clients/etcd/methods.hpp"

#include <algorithm>
#include <array>

namespace quorumd::clients::etcd {
namespace {

struct path_of_method {
  std::string_view path;
  method what;
};

constexpr std::array paths{
    path_of_method{"/etcdserverpb.KV/Range", method::range},
    path_of_method{"/etcdserverpb.KV/Put", method::put},
    path_of_method{"/etcdserverpb.KV/DeleteRange", method::delete_range},
    path_of_method{"/etcdserverpb.KV/Txn", method::txn},
    path_of_method{"/etcdserverpb.KV/Compact", method::compact},
    path_of_method{"/etcdserverpb.Watch/Watch", method::watch},
    path_of_method{"/etcdserverpb.Lease/LeaseGrant", method::lease_grant},
    path_of_method{"/etcdserverpb.Lease/LeaseRevoke", method::lease_revoke},
    path_of_method{"/etcdserverpb.Lease/LeaseKeepAlive", method::lease_keep_alive},
    path_of_method{"/etcdserverpb.Lease/LeaseTimeToLive", method::lease_time_to_live},
    path_of_method{"/etcdserverpb.Lease/LeaseLeases", method::lease_leases},
    path_of_method{"/etcdserverpb.Cluster/MemberList", method::member_list},
    path_of_method{"/etcdserverpb.Maintenance/Status", method::status},
    path_of_method{"/etcdserverpb.Maintenance/Alarm", method::alarm},
    path_of_method{"/etcdserverpb.Maintenance/Defragment", method::defragment},
    path_of_method{"/etcdserverpb.Maintenance/Hash", method::hash},
    path_of_method{"/etcdserverpb.Maintenance/HashKV", method::hash_kv},
    path_of_method{"/etcdserverpb.Maintenance/MoveLeader", method::move_leader},
    path_of_method{"/etcdserverpb.Cluster/MemberRemove", method::member_remove},
    path_of_method{"/etcdserverpb.Cluster/MemberUpdate", method::member_update},
    path_of_method{"/etcdserverpb.Cluster/MemberPromote", method::member_promote},
    path_of_method{"/etcdserverpb.Auth/AuthStatus", method::auth_status},
    path_of_method{"/etcdserverpb.Auth/Authenticate", method::auth_off},
    path_of_method{"/grpc.health.v1.Health/Check", method::health_check},
};

} // namespace

method find_method(std::string_view path) {
  const auto found = std::find_if(paths.begin(), paths.end(), [&](const path_of_method& p) { return p.path == path; });
  return found != paths.end() ? found->what : method::none;
}

std::string_view unknown_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  const std::string_view service = slash == std::string_view::npos ? path : path.substr(0, slash + 1);
  const bool known =
      std::any_of(paths.begin(), paths.end(), [&](const path_of_method& p) { return p.path.starts_with(service); });
  return known ? "method" : "service";
}

} // namespace quorumd::clients::etcd
