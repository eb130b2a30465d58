#include "daemon/telemetry/report.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace quorumd::telemetry {
namespace {

using client::metric_unit;

class namer {
 public:
  explicit namer(client::metrics_reply& out)
      : out_(out) {}

  void time(const char* name, const metrics::histogram& h, const std::string& of = {}) {
    out_.distributions.push_back({.name = name, .of = of, .unit = metric_unit::nanoseconds, .values = h});
  }
  void count(const char* name, const metrics::histogram& h, const std::string& of = {}) {
    out_.distributions.push_back({.name = name, .of = of, .unit = metric_unit::count, .values = h});
  }
  void bytes(const char* name, const metrics::histogram& h, const std::string& of = {}) {
    out_.distributions.push_back({.name = name, .of = of, .unit = metric_unit::bytes, .values = h});
  }
  void now(const char* name, std::uint64_t value, const std::string& of = {}) {
    out_.readings.push_back({.name = name, .of = of, .value = value});
  }
  void mailbox(const char* of, const coro::mailbox_metrics& m) {
    time("mailbox.wait", m.waits, of);
    count("mailbox.batch", m.batches, of);
    time("mailbox.lock", m.lock_waits, of);
  }

 private:
  client::metrics_reply& out_;
};

std::string name_of(const wire::local_identity& self, node_id id) {
  const auto m = std::find_if(self.members.begin(), self.members.end(), [id](const auto& o) { return o.id == id; });
  return m == self.members.end() ? std::to_string(id.value()) : m->name;
}

void name_requests(namer& n, const raw_report& r, const wire::local_identity& self) {
  const node::group_metrics& g = r.group;
  n.time("client.receive", r.sessions.receive);
  n.time("put.inbox", g.put.inbox);
  n.time("put.propose", g.put.propose);
  n.time("put.commit", g.put.commit);
  n.time("put.encode", g.put.encode);
  n.time("put.sync", g.put.sync);
  for (const auto& p : g.peers) n.time("peer.acknowledged", p.acknowledged, name_of(self, p.id));
  n.time("put.apply", g.put.apply);
  n.time("put.answer", g.put.answer);
  n.time("client.reply", r.sessions.reply);
  n.time("put.whole", g.put.whole);
  n.time("put.forward", g.put.forward);
  n.time("read.inbox", g.read.inbox);
  n.time("read.round", g.read.round);
  n.time("read.apply", g.read.apply);
  n.time("read.whole", g.read.whole);
}

void name_machinery(namer& n, const raw_report& r, const wire::local_identity& self) {
  const node::group_metrics& g = r.group;
  for (const auto& p : r.peers) n.time("peer.queue", p.queue_waits, name_of(self, p.id));
  for (const auto& p : g.peers) n.time("peer.wire", p.wire, name_of(self, p.id));
  for (const auto& p : g.peers) n.time("peer.sync", p.sync, name_of(self, p.id));
  n.time("follower.hold", g.hold);
  n.time("log.queue", r.log.queue);
  n.time("log.write", r.log.write);
  n.time("log.sync", r.log.sync);
  n.time("log.prepare", r.log.prepare);
  n.time("apply.slice", g.apply_slice);
  n.time("snapshot.slice", g.snapshot_slice);
  n.time("group.turn", g.turn);
  for (const auto& [name, lag] : r.lags) n.time("loop.lag", lag, name);
  n.mailbox("writes", r.mailboxes.writes);
  n.mailbox("reads", r.mailboxes.reads);
  n.mailbox("peers", r.mailboxes.peers);
  n.mailbox("calls", r.mailboxes.calls);
  n.count("client.batch", r.sessions.batch);
  n.count("put.batch", g.put.batch);
  n.count("read.batch", g.read.batch);
  n.count("read.lease", g.read.lease);
  n.count("apply.batch", g.apply_batch);
  n.count("log.batch", r.log.batch_writes);
  n.bytes("log.bytes", r.log.batch_bytes);
  for (const auto& p : r.peers) n.bytes("peer.bytes", p.write_bytes, name_of(self, p.id));
}

void name_calls(namer& n, const clients::etcd::call_counts& all) {
  using clients::etcd::call_counts;
  for (std::size_t i = 0; i < all.methods.size(); ++i) {
    const call_counts::of_method& m = all.methods[i];
    const std::string path(clients::etcd::path_of(static_cast<clients::etcd::method>(i)));
    if (m.started == 0 || path.empty()) continue;
    n.now("grpc.started", m.started, path);
    n.now("grpc.received", m.received, path);
    n.now("grpc.sent", m.sent, path);
    for (std::size_t c = 0; c < m.ended.size(); ++c)
      if (m.ended[c] != 0) n.now("grpc.handled", m.ended[c], path + " " + clients::etcd::code_name(c));
  }
}

void name_readings(namer& n, const raw_report& r, const wire::local_identity& self) {
  n.now("raft.leads", r.row.leader == self.id ? 1 : 0);
  n.now("raft.has_leader", r.row.leader ? 1 : 0);
  n.now("raft.term", r.row.term.value());
  n.now("raft.leader_changes", r.group.leader_changes);
  n.now("raft.commit", r.row.commit.value());
  n.now("raft.applied", r.row.applied.value());
  n.now("store.revision", r.row.revision.value());
  n.now("store.keys", r.row.keys);
  n.now("store.bytes", r.row.store_bytes);
  n.now("store.history_bytes", r.row.history_bytes);
  if (r.row.settings) n.now("store.quota_bytes", r.row.settings->quota_bytes);
  n.now("store.full", r.full ? 1 : 0);
  n.now("store.corrupt", r.corrupt ? 1 : 0);
  n.now("store.nearly_full", r.nearly_full ? 1 : 0);
  n.now("store.leases", r.leases);
  name_calls(n, r.sessions.calls);
  n.now("client.watches", r.watches);
  n.now("client.connections", r.connections);
  n.now("client.requests", r.requests);
  n.now("client.sessions", r.depths.sessions);
  n.now("client.writes_failed", r.group.writes_failed);
  for (const auto& p : r.peers) n.now("peer.connected", p.connected ? 1 : 0, name_of(self, p.id));
  n.now("queue.proposed", r.depths.proposed);
  n.now("queue.forwarded", r.depths.forwarded);
  n.now("queue.waiting", r.depths.waiting);
  n.now("queue.reads", r.depths.reads);
  n.now("queue.log_bytes", r.log_stats.queued_bytes);
  for (const auto& p : r.peers) n.now("queue.peer_bytes", p.queued_bytes, name_of(self, p.id));
  n.now("log.disk_bytes", r.log_stats.disk_bytes);
  n.now("log.segments_prepared", r.log_stats.segments_prepared);
  n.now("log.segments_recycled", r.log_stats.segments_recycled);
  n.now("log.segments_removed", r.log_stats.segments_removed);
  n.now("log.moved_bytes", r.log_stats.moved_bytes);
  n.now("snapshot.sent_bytes", r.group.snapshots_sent.file_bytes);
  n.now("snapshot.sent_wire_bytes", r.group.snapshots_sent.wire_bytes);
  const process_use used = use_of_process();
  n.now("process.resident_bytes", used.resident_bytes);
  n.now("process.cpu_ns", used.cpu_nanoseconds);
  n.now("process.virtual_bytes", used.virtual_bytes);
  n.now("process.open_files", used.open_files);
  n.now("process.files_max", used.files_max);
  n.now("process.start_time_ns", used.started_nanoseconds);
}

std::uint64_t open_files() {
  DIR* const all = ::opendir("/proc/self/fd");
  if (all == nullptr) return 0;
  std::uint64_t n = 0;
  while (const dirent* one = ::readdir(all))
    if (one->d_name[0] != '.') ++n;
  ::closedir(all);
  return n - 1; // but for this look
}

/// The kernel says how long after the boot that was, in ticks; nothing moves it afterwards but a step of the clock.
std::uint64_t started_ns() {
  std::FILE* stat = std::fopen("/proc/self/stat", "re");
  if (stat == nullptr) return 0;
  char text[1024];
  text[std::fread(text, 1, sizeof text - 1, stat)] = 0;
  std::fclose(stat);
  const char* at = std::strrchr(text, ')'); // the name in front may hold anything
  for (int field = 2; at != nullptr && field < 22; ++field) at = std::strchr(at + 1, ' ');
  const long ticks = ::sysconf(_SC_CLK_TCK);
  timespec booted{};
  timespec now{};
  if (at == nullptr || ticks <= 0 || ::clock_gettime(CLOCK_BOOTTIME, &booted) != 0 ||
      ::clock_gettime(CLOCK_REALTIME, &now) != 0)
    return 0;
  const auto ns = [](const timespec& t) { return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec; };
  const auto after_boot = static_cast<std::int64_t>(std::strtoull(at + 1, nullptr, 10)) * (1'000'000'000 / ticks);
  return static_cast<std::uint64_t>(ns(now) - ns(booted) + after_boot);
}

} // namespace

client::metrics_reply named(const raw_report& r, const wire::local_identity& self) {
  client::metrics_reply out;
  out.node = self.name;
  out.id = self.id;
  for (const wire::member& m : self.members) out.members.push_back({.id = m.id, .name = m.name});
  namer n(out);
  name_requests(n, r, self);
  name_machinery(n, r, self);
  name_readings(n, r, self);
  return out;
}

process_use use_of_process() {
  process_use used;
  timespec spent{};
  if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent) == 0)
    used.cpu_nanoseconds =
        static_cast<std::uint64_t>(spent.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(spent.tv_nsec);
  if (std::FILE* statm = std::fopen("/proc/self/statm", "re")) {
    unsigned long long total = 0;
    unsigned long long resident = 0;
    if (std::fscanf(statm, "%llu %llu", &total, &resident) == 2) {
      const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
      used.resident_bytes = resident * page;
      used.virtual_bytes = total * page;
    }
    std::fclose(statm);
  }
  used.open_files = open_files();
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) used.files_max = files.rlim_cur;
  used.started_nanoseconds = started_ns();
  return used;
}

} // namespace quorumd::telemetry
