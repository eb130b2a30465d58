#include "config/table.hpp"

#include "config/values.hpp"

#include <algorithm>
#include <array>

namespace quorumd::config {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds ms(std::int64_t n) {
  return milliseconds(n);
}
constexpr milliseconds seconds(std::int64_t n) {
  return milliseconds(n * 1000);
}

// NOLINTNEXTLINE: the shortest way to name a setting without a type of its own for each.
#define AT(setting) [](settings& s) -> auto& { return s.setting; }

const key_spec key_specs[] = {
    {"node.name", name_value{AT(node.name)}, "This node's name, one of cluster.members unless it joins", "", "n1"},
    {"node.data_dir", path_value{AT(node.data_dir), 4000},
     "Where the log, the snapshots and the identity are kept. One daemon at a time; never copy or empty it while the "
     "node is a member",
     "", "/var/lib/quorumd"},

    {"cluster.name", name_value{AT(cluster.name)}, "The same on every member; nodes of another cluster are refused", "",
     "demo"},
    {"cluster.members", members_value{},
     "The members that the cluster begins with, the same list on every one of them: each one's name and the address at "
     "which the others dial it. Afterwards 'quorumd member' changes them",
     "", "{n1: 127.0.0.1:2380}"},
    {"cluster.join", address_value{AT(cluster.join), false},
     "For a node that joins a cluster which exists, instead of cluster.members and cluster.name: where clients reach "
     "one "
     "of its members. Counts when the data directory is created; then the cluster says who belongs to it",
     "none: this node begins the cluster"},

    {"listen.peer", address_value{AT(listen.peer), true}, "Where the other members connect to this node", "",
     "127.0.0.1:2380"},
    {"listen.client", address_value{AT(listen.client), true},
     "Where clients connect. There is no authentication yet: keep it within a network that you trust", "",
     "127.0.0.1:2379"},
    {"listen.admin", path_value{AT(listen.admin), socket_path_max},
     "The Unix socket of the administrator's commands. The command line looks for it at /run/quorumd/admin.sock", "",
     "/run/quorumd/admin.sock"},
    {"listen.metrics", address_value{AT(listen.metrics), true},
     "Where /metrics, /health, /livez, /readyz and /debug/pprof/ are served, and nothing else, besides the client "
     "port: "
     "from the start on, also while the node is not ready for clients",
     "none: on the client port alone"},

    {"advertise.peer", address_value{AT(advertise.peer), false},
     "This node's address in cluster.members, written again to say that it differs from listen.peer on purpose",
     "this node's address in cluster.members"},
    {"advertise.client", address_value{AT(advertise.client), false},
     "What clients are told to dial, where listen.client is not reachable as it is written", "listen.client"},

    {"raft.tick", duration_value{AT(raft.tick), ms(1), seconds(1)}, "The unit of Raft's timers"},
    {"raft.heartbeat", duration_value{AT(raft.heartbeat), ms(1), seconds(10)},
     "How often an idle leader shows that it is there; a multiple of the tick"},
    {"raft.election_timeout", duration_value{AT(raft.election_timeout), ms(10), seconds(60)},
     "A follower that hears nothing for this long, up to twice as long at random, stands for election. More than twice "
     "the heartbeat; well above the network's round trip"},
    {"raft.disk_stall", duration_value{AT(raft.disk_stall), ms(10), seconds(600)},
     "A leader whose disk has not finished a write for this long steps down; a multiple of the tick"},
    {"raft.read_lease", duration_value{AT(raft.read_lease), ms(0), seconds(60)},
     "Leases for reads: a follower promises its leader, with each heartbeat, to help nobody else to lead for so long, "
     "and "
     "a leader that a majority has promised it answers reads without asking. Reads take one round trip less, and a "
     "leader that is lost is replaced that much later. Safe as long as the members' clocks run alike to one part in "
     "twenty, and no machine is stopped and goes on without its clock knowing. A multiple of the tick, longer than "
     "twice "
     "the heartbeat and at most the election timeout; 0s: no leases"},
    {"raft.append_bytes_max", size_value{AT(raft.append_bytes_max), 4 * kib, 16 * mib},
     "Entries that one message to a follower carries, unless one entry is larger"},
    {"raft.inflight_appends_max", count_value{AT(raft.inflight_appends_max), 1, 65'536},
     "Messages with entries that a follower may leave unanswered"},
    {"raft.inflight_bytes_max", size_value{AT(raft.inflight_bytes_max), 64 * kib, 1 * gib},
     "Entries, in bytes, that a follower may leave unanswered. Half of it is on its way to a majority at a time, an "
     "eighth if it is bulk; other writes wait for their turn, client by client"},
    {"raft.uncommitted_bytes_max", size_value{AT(raft.uncommitted_bytes_max), 1 * mib, 4 * gib},
     "Beyond this much that no majority has, a leader takes no more: writes wait, within their deadlines"},
    {"raft.cache_bytes_max", size_value{AT(raft.cache_bytes_max), 1 * mib, 16 * gib},
     "Recent entries kept in memory for followers; older ones are read from the log"},
    {"raft.snapshot_compression", compression_value{AT(raft.snapshot_compression)},
     "How this node packs the snapshots that it sends to other members. One that knows no zstd is sent them as they "
     "are"},

    {"storage.segment_bytes", size_value{AT(storage.segment_bytes), 1 * mib, 1 * gib, 4 * kib},
     "The size of one file of the log; a few are prepared ahead"},
    {"storage.snapshot_every_bytes", size_value{AT(storage.snapshot_every_bytes), 1 * mib, 1024 * gib},
     "A snapshot is taken once the log grew by this much"},
    {"storage.snapshot_every_entries", count_value{AT(storage.snapshot_every_entries), 100, 1'000'000'000'000},
     "A snapshot is taken after this many entries, if they are small"},
    {"storage.snapshot_rate", size_value{AT(storage.snapshot_rate), 0, 1024 * gib},
     "The most that a snapshot is written or received with, in bytes a second. 0B: as fast as the disk allows; in any "
     "case it gives way while the log's syncs take longer than usual. Neither counts while the volume is full, or once "
     "the "
     "log has grown by three times snapshot_every_bytes"},
    {"storage.trailing_entries", count_value{AT(storage.trailing_entries), 0, 100'000'000},
     "Entries kept behind a snapshot, so that a follower that was away briefly needs no snapshot"},
    {"storage.trailing_bytes", size_value{AT(storage.trailing_bytes), 0, 1024 * gib},
     "What the entries kept behind a snapshot may take on the disk; fewer are kept beyond it, and none while the "
     "volume "
     "is full"},
    {"storage.reserve_bytes", size_value{AT(storage.reserve_bytes), 1 * mib, 1024 * gib},
     "With less than this free on the disk puts are refused; votes, deletes and compaction go on. At least one "
     "segment, which is the log's; the rest is room for a snapshot, which frees the log"},
    {"storage.quota_bytes", size_value{AT(storage.quota_bytes), 0, 1024 * gib},
     "About what the store may take in memory; beyond it puts are refused, deletes and compaction go on. 0B: no bound. "
     "The same on every member: this is only how a cluster begins, `quorumd settings` shows and changes it"},

    {"storage.consistency_check", duration_value{AT(storage.consistency_check), ms(0), std::chrono::hours(24)},
     "How often this member compares the hash of what it holds with those of the others. One that holds what a "
     "majority "
     "does not raises the alarm CORRUPT and serves nothing any more. 0s: never; else at least 1s"},

    {"history.keep_revisions", count_value{AT(history.keep_revisions), 0, 1'000'000'000'000},
     "Revisions that can still be read; older ones are compacted. 0: only history.bytes_max bounds them. The same on "
     "every member: this is only how a cluster begins, `quorumd settings` shows and changes it"},
    {"history.bytes_max", size_value{AT(history.bytes_max), 1 * mib, 1024 * gib},
     "What old revisions may take in memory; older ones are compacted. At most half of storage.quota_bytes, and shared "
     "as keep_revisions is"},
    {"history.keep_for", duration_value{AT(history.keep_for), ms(0), std::chrono::hours(87'600)},
     "What was superseded longer ago is compacted, whatever the two above would keep; 0s: however old it is. At least "
     "1s, and shared as keep_revisions is"},
    {"history.pinned_bytes_max", size_value{AT(history.pinned_bytes_max), 1 * mib, 1024 * gib},
     "How much history may grow on the node that serves an `export`, whose revision stays readable there while it "
     "reads on; beyond it the export fails as compacted"},

    {"runtime.loops", count_value{AT(runtime.loops), 0, 64},
     "Threads for network and state. 0 takes half the processors, at least 1 and at most 8"},

    {"limits.clients_max", count_value{AT(limits.clients_max), 1, 100'000},
     "Client connections at a time; mind the limit of open files"},
    {"limits.request_bytes_max", size_value{AT(limits.request_bytes_max), 1 * kib, 1536 * kib},
     "The keys and values of the largest request. At most half a segment"},
    {"limits.inflight_requests_max", count_value{AT(limits.inflight_requests_max), 1, 10'000'000},
     "Requests in work on this node; beyond it they are answered `overloaded`"},
    {"limits.inflight_per_client_max", count_value{AT(limits.inflight_per_client_max), 1, 1'000'000},
     "Requests in work on one connection; beyond it they are answered `overloaded`"},
    {"limits.peer_queue_bytes_max", size_value{AT(limits.peer_queue_bytes_max), 1 * mib, 4 * gib},
     "Bytes queued to one member; a full queue pauses replication to it"},
    {"limits.client_queue_bytes_max", size_value{AT(limits.client_queue_bytes_max), 1 * mib, 1 * gib},
     "What one client's requests in work and the replies that it has not taken may hold, half for each. Beyond it "
     "nothing more is read from it and no large reply is made"},
    {"limits.client_queues_bytes_max", size_value{AT(limits.client_queues_bytes_max), 4 * mib, 64 * gib},
     "The same over all clients. When it is nearly full, a client that has taken nothing for a second is closed"},
    {"limits.watches_bytes_max", size_value{AT(limits.watches_bytes_max), 1 * mib, 64 * gib},
     "What all watches of etcd's API may take on this node, 512 bytes and its keys each; beyond it one is refused with "
     "a "
     "reason"},
    {"limits.handshake_timeout", duration_value{AT(limits.handshake_timeout), ms(100), seconds(600)},
     "How long a new connection may take to say who it is, or a client's to send its first request"},

    {"requests.timeout_default", duration_value{AT(requests.timeout_default), ms(1), seconds(3600)},
     "The deadline of a request that brings none"},
    {"requests.timeout_max", duration_value{AT(requests.timeout_max), ms(1), seconds(3600)},
     "A longer deadline is cut to this"},

    {"etcd.version", etcd_version_value{AT(etcd.version)},
     "The version of etcd that this node answers as, to clients that ask for it before they use what is newer"},
    {"etcd.watch_progress_every", duration_value{AT(etcd.watch_progress_every), ms(100), seconds(86'400)},
     "How often a watch that asks for progress_notify, and has no events, is told up to which revision it has "
     "everything; "
     "up to a tenth more, so that not all are told at once"},
    {"http.cors_origins",
     list_value{AT(http.cors_origins), "an origin, such as https://console.example, or *", "[https://console.example]",
                true},
     "Origins of web pages that may call etcd's API over HTTP/1.1 and read the answers: *, or as in "
     "https://console.example. Pages of no other origin may"},
    {"http.host_whitelist",
     list_value{AT(http.host_whitelist), "a host's name or address without its port, or *", "[db.example]", true},
     "Names by which the port may be called in HTTP/1.1, without the port; none: by any. It keeps out web pages whose "
     "own name was made to point here"},
    {"http.pprof", switch_value{AT(http.pprof)},
     "Profiles of this process under /debug/pprof/ on the client port, where whoever reaches it may take them. At "
     "listen.metrics, and through the admin socket, they are served in any case"},

    {"admin.users", list_value{AT(admin.users)},
     "Users, by name or number, who may use the admin socket besides root and the daemon's own"},
    {"admin.groups", list_value{AT(admin.groups)}, "Groups whose members may use the admin socket"},

    {"log.level", level_value{AT(log.level)}, "How much is logged, to standard error"},

    {"shutdown.grace", duration_value{AT(shutdown.grace), ms(100), seconds(600)},
     "How long a stop may take to hand leadership over and finish what is in work"},
};
#undef AT

struct section_spec {
  std::string_view name;
  std::string_view meaning;
};

constexpr std::array sections{
    section_spec{"node", "This node"},
    section_spec{"cluster", "The cluster it belongs to"},
    section_spec{"listen", "What this node binds"},
    section_spec{"advertise", "What others are told to dial, when that differs from what is bound"},
    section_spec{"raft", "Timing and windows of the replication. The timings should be the same on every member"},
    section_spec{"storage", "The log and the snapshots"},
    section_spec{"history", "Old revisions"},
    section_spec{"runtime", "Threads"},
    section_spec{"limits", "Bounds of queues and connections"},
    section_spec{"requests", "Deadlines"},
    section_spec{"etcd", "etcd's API"},
    section_spec{"http", "HTTP/1.1"},
    section_spec{"admin", "Who may administer"},
    section_spec{"log", "Logging"},
    section_spec{"shutdown", "Stopping"},
};

} // namespace

std::span<const key_spec> table() {
  return key_specs;
}

const key_spec* find_key(std::string_view path) {
  const auto found =
      std::find_if(std::begin(key_specs), std::end(key_specs), [&](const key_spec& k) { return k.path == path; });
  return found == std::end(key_specs) ? nullptr : &*found;
}

const key_spec& nearest_key(std::string_view path) {
  // A key in the wrong section is nearer than its whole path says: its last word counts as well.
  const std::string_view shortened = path.substr(0, 128);
  const std::string_view leaf = shortened.substr(shortened.rfind('.') + 1);
  const auto distance = [&](const key_spec& k) {
    return std::min(edit_distance(shortened, k.path), edit_distance(leaf, k.leaf()) + 1);
  };
  return *std::min_element(std::begin(key_specs), std::end(key_specs),
                           [&](const key_spec& a, const key_spec& b) { return distance(a) < distance(b); });
}

bool is_section(std::string_view name) {
  return std::any_of(sections.begin(), sections.end(), [&](const section_spec& s) { return s.name == name; });
}

std::string_view nearest_section(std::string_view name) {
  const std::string_view shortened = name.substr(0, 128);
  return std::min_element(sections.begin(), sections.end(),
                          [&](const section_spec& a, const section_spec& b) {
                            return edit_distance(shortened, a.name) < edit_distance(shortened, b.name);
                          })
      ->name;
}

std::string_view section_meaning(std::string_view name) {
  const auto found =
      std::find_if(sections.begin(), sections.end(), [&](const section_spec& s) { return s.name == name; });
  return found == sections.end() ? std::string_view{} : found->meaning;
}

} // namespace quorumd::config
