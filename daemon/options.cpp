#include "daemon/options.hpp"

#include "config/exit_codes.hpp"
#include "config/identity.hpp"
#include "config/values.hpp"
#include "daemon/clients/web_rules.hpp"

#include <algorithm>
#include <memory>
#include <thread>

namespace quorumd::daemon {
namespace {

std::uint32_t ticks(std::chrono::milliseconds span, std::chrono::milliseconds tick) {
  return static_cast<std::uint32_t>(span / tick);
}

raft::options raft_options_of(const config::raft_settings& r) {
  raft::options o;
  o.election_ticks = ticks(r.election_timeout, r.tick);
  o.heartbeat_ticks = ticks(r.heartbeat, r.tick);
  o.disk_stall_ticks = ticks(r.disk_stall, r.tick);
  o.lease_ticks = ticks(r.read_lease, r.tick);
  o.append_bytes_max = r.append_bytes_max;
  o.inflight_appends_max = static_cast<std::uint32_t>(r.inflight_appends_max);
  o.inflight_bytes_max = r.inflight_bytes_max;
  o.uncommitted_bytes_max = r.uncommitted_bytes_max;
  o.cache_bytes_max = r.cache_bytes_max;
  return o;
}

wire::local_identity identity_of(const config::settings& s) {
  wire::local_identity self;
  if (!s.cluster.joins()) {
    self.cluster = config::cluster_id_of(s.cluster);
    self.id = config::node_id_of(s.cluster.name, s.node.name);
  }
  self.cluster_name = s.cluster.name;
  self.name = s.node.name;
  self.client_address = s.advertise.client.text();
  self.software = QUORUMD_VERSION;
  for (const config::member& m : s.cluster.members)
    self.members.push_back({config::node_id_of(s.cluster.name, m.name), m.name, m.peer.text()});
  return self;
}

} // namespace

node::node_options node_options_of(const config::settings& s) {
  node::node_options o;
  o.data_dir = s.node.data_dir.string();
  o.self = identity_of(s);
  o.transport.listen = endpoint_of(s.listen.peer);
  o.transport.heartbeat = s.raft.heartbeat;
  o.transport.handshake_timeout = s.limits.handshake_timeout;
  o.transport.queue_bytes_max = s.limits.peer_queue_bytes_max;
  o.transport.queue_pause_bytes = s.limits.peer_queue_bytes_max / 2;
  o.wal.segment_bytes = s.storage.segment_bytes;
  o.wal.reserve_bytes = s.storage.reserve_bytes;
  // What a snapshot frees is what the log takes until the next one.
  o.wal.recycle_keep = s.storage.snapshot_every_bytes / s.storage.segment_bytes + 1;
  o.group.raft = raft_options_of(s.raft);
  o.group.tick = s.raft.tick;
  o.group.initial = {.keep_revisions = s.history.keep_revisions,
                     .history_bytes_max = s.history.bytes_max,
                     .quota_bytes = s.storage.quota_bytes,
                     .keep_for_ms = static_cast<std::uint64_t>(s.history.keep_for.count())};
  o.group.pins.history_bytes_max = s.history.pinned_bytes_max;
  o.group.waiting_max = s.limits.inflight_requests_max;
  // Twice as much as is on its way to a majority may be unanswered by a slow follower.
  o.group.ahead_bytes_max = s.raft.inflight_bytes_max / 2;
  o.group.bulk_ahead_bytes_max = s.raft.inflight_bytes_max / 8;
  o.group.snapshots.every_bytes = s.storage.snapshot_every_bytes;
  o.group.snapshots.every_entries = s.storage.snapshot_every_entries;
  o.group.snapshots.trailing_entries = s.storage.trailing_entries;
  o.group.snapshots.trailing_bytes = s.storage.trailing_bytes;
  o.group.snapshots.rate = s.storage.snapshot_rate;
  o.group.snapshots.stagger = o.self.id.value();
  o.group.consistency.every = s.storage.consistency_check;
  o.group.transfers.pack = s.raft.snapshot_compression == config::compression::zstd;
  return o;
}

node_id member_id(std::string_view cluster, std::string_view name) {
  const bool fits = config::valid_name(name) || coro::parse_endpoint(name);
  return fits ? config::node_id_of(cluster, name) : node_id();
}

clients::client_port::options client_options_of(const config::settings& s) {
  return {.session = {.timeout_default = s.requests.timeout_default,
                      .timeout_max = s.requests.timeout_max,
                      .inflight_max = s.limits.inflight_per_client_max,
                      .queue_bytes_max = s.limits.client_queue_bytes_max,
                      .request_bytes_max = s.limits.request_bytes_max,
                      .handshake_timeout = s.limits.handshake_timeout,
                      .progress_interval = s.etcd.watch_progress_every,
                      .etcd = s.etcd.version == config::etcd_version::v3_4_23 ? &clients::etcd_3_4 : &clients::etcd_3_5,
                      .web = std::make_shared<const clients::web_rules>(
                          clients::web_rules{.origins = s.http.cors_origins, .hosts = s.http.host_whitelist}),
                      .profiles = s.http.pprof},
          .clients_max = s.limits.clients_max,
          .inflight_max = s.limits.inflight_requests_max,
          .queues_bytes_max = s.limits.client_queues_bytes_max,
          .watches_bytes_max = s.limits.watches_bytes_max};
}

int exit_code_of(const storage::error& e) {
  switch (e.code) {
  case storage::error_code::corrupt:
    return config::exit_code::corruption;
  case storage::error_code::foreign:
  case storage::error_code::locked:
    return config::exit_code::identity;
  case storage::error_code::version:
    return config::exit_code::version;
  case storage::error_code::not_found:
  case storage::error_code::exists:
  case storage::error_code::compacted:
    return config::exit_code::usage;
  default:
    return config::exit_code::disk;
  }
}

std::size_t loops_of(const config::settings& s) {
  if (s.runtime.loops != 0) return s.runtime.loops;
  return std::clamp<std::size_t>(std::thread::hardware_concurrency() / 2, 1, 8);
}

coro::endpoint endpoint_of(const config::address& a) {
  return {a.host, a.port};
}

} // namespace quorumd::daemon
