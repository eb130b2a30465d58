#include "daemon/log_observer.hpp"

#include "config/values.hpp"
#include "daemon/client/status.hpp"

#include <spdlog/fmt/ranges.h>
#include <spdlog/spdlog.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <utility>

namespace quorumd::daemon {

namespace {

/// The least that a cgroup from the process's own up to the root allows it.
std::uint64_t cgroup_limit() {
  std::uint64_t least = UINT64_MAX;
  std::string line; // of version 2 there is one: 0::/PATH
  std::ifstream own("/proc/self/cgroup");
  while (std::getline(own, line))
    if (line.starts_with("0::")) break;
  std::string path = line.starts_with("0::") ? line.substr(3) : "/";
  for (;;) {
    std::uint64_t limit = 0;
    if (std::ifstream("/sys/fs/cgroup" + path + "/memory.max") >> limit) least = std::min(least, limit);
    const std::size_t up = path.rfind('/');
    if (path.empty() || up == std::string::npos) return least;
    path.resize(up);
  }
}

std::string duration_text(std::uint64_t ms) {
  return config::format_duration(std::chrono::milliseconds(ms));
}

/// Of this machine, or of the cgroup that it runs in.
std::uint64_t memory_bytes() {
  const auto pages = static_cast<std::uint64_t>(std::max(::sysconf(_SC_PHYS_PAGES), 0L));
  return std::min(pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)), cgroup_limit());
}

} // namespace

std::string log_observer::name(node_id id) const {
  if (!id) return "an unknown node";
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(id);
  return found == names_.end() ? fmt::format("{:016x}", id.value()) : found->second;
}

log_observer::log_observer(const std::vector<wire::member>& members, const kv::settings& configured)
    : configured_(configured) {
  for (const wire::member& m : members) names_[m.id] = m.name;
}

void log_observer::members_changed(const node::roster& now) {
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, record] : now.records) names_[id] = record.name;
  }
  const auto names = [&](const std::vector<node_id>& ids) {
    std::vector<std::string> sorted;
    for (const node_id id : ids) sorted.push_back(now.name_of(id));
    std::sort(sorted.begin(), sorted.end());
    return fmt::format("{}", fmt::join(sorted, ", "));
  };
  std::string line = fmt::format("members by entry {}: {} vote", now.index.value(), names(now.members.voters));
  if (!now.members.learners.empty()) line += fmt::format(", {} learn", names(now.members.learners));
  if (now.members.joint()) line += fmt::format("; on the way there from {}", names(now.members.outgoing));
  spdlog::info("{}", line);
}

void log_observer::role_changed(const raft::soft_state& s) {
  spdlog::info("{} in term {}, leader: {}", client::name_of(s.role), s.term.value(),
               s.leader ? name(s.leader) : "none");
}
void log_observer::snapshot_taken(log_index index, std::uint64_t bytes) {
  spdlog::info("snapshot taken at index {}, {} bytes", index.value(), bytes);
}
void log_observer::snapshot_failed(const std::string& why) {
  spdlog::warn("snapshot: {}", why);
}
void log_observer::snapshot_sending(node_id to, log_index index) {
  spdlog::info("sending {} the snapshot at index {}: the log behind it is gone", name(to), index.value());
}
void log_observer::snapshot_send_ended(node_id to, log_index index, const std::string& why) {
  if (why.empty())
    spdlog::info("{} has the snapshot at index {}", name(to), index.value());
  else
    spdlog::warn("sending {} the snapshot at index {} ended: {}", name(to), index.value(), why);
}
void log_observer::snapshot_ordered(node_id by, node_id to, log_index) {
  spdlog::info("{} is to send {} its snapshot: the log behind it is gone", name(by), name(to));
}
void log_observer::snapshot_order_ended(node_id by, node_id to, const std::string& why) {
  if (why.empty())
    spdlog::info("{} has sent {} its snapshot", name(by), name(to));
  else
    spdlog::warn("{} did not send {} its snapshot: {}", name(by), name(to), why);
}
void log_observer::snapshot_installed(log_index index) {
  spdlog::info("snapshot installed at index {}", index.value());
}
void log_observer::incarnation_recorded(node_id member, incarnation i) {
  spdlog::info("recording the data directory of {}: incarnation {:016x}", name(member), i.value());
}
void log_observer::member_refused(node_id member, const std::string& why) {
  say(spdlog::level::err, "member", name(member) + why, fmt::format("refusing {}: {}", name(member), why));
}
void log_observer::handing_over(node_id to, const std::string& why) {
  spdlog::warn("handing leadership over to {}, whose disk has room: {}", name(to), why);
}
void log_observer::settings_changed(const kv::settings& s) {
  spdlog::info("the cluster's settings: history.keep_revisions={} history.bytes_max={} history.keep_for={} "
               "storage.quota_bytes={}",
               s.keep_revisions, config::format_size(s.history_bytes_max), duration_text(s.keep_for_ms),
               config::format_size(s.quota_bytes));
  const std::uint64_t memory = memory_bytes();
  if (s.quota_bytes == 0 || s.quota_bytes > memory / 4 * 3)
    spdlog::warn(
        "storage.quota_bytes={} lets the store outgrow this machine's memory of {} MiB, and members may be killed for "
        "want of it: 'quorumd settings storage.quota_bytes=…' says how much it may take",
        config::format_size(s.quota_bytes), memory / 1024 / 1024);
  const auto differs = [](std::string_view name, const std::string& here, const std::string& there) {
    if (here == there) return;
    spdlog::warn("{} is {} in this node's configuration and {} in the cluster, which counts: 'quorumd settings {}={}' "
                 "would change it for all members",
                 name, here, there, name, here);
  };
  differs("history.keep_revisions", std::to_string(configured_.keep_revisions), std::to_string(s.keep_revisions));
  differs("history.bytes_max", config::format_size(configured_.history_bytes_max),
          config::format_size(s.history_bytes_max));
  differs("history.keep_for", duration_text(configured_.keep_for_ms), duration_text(s.keep_for_ms));
  differs("storage.quota_bytes", config::format_size(configured_.quota_bytes), config::format_size(s.quota_bytes));
}
void log_observer::corrupt(const std::string& why) {
  if (why.empty())
    spdlog::warn("this member's state is what most members hold: it serves again");
  else
    spdlog::critical(
        "CORRUPT: {}. This member serves nothing from now on, and the others go on. Keep its data directory "
        "for whoever looks for the cause, run 'quorumd member replace' and start it with an empty one",
        why);
}
void log_observer::doubt_not_noted(const std::string& why) {
  spdlog::error("that could not be written down, and a restart would forget it: {}", why);
}
void log_observer::space_changed(bool accepting, const std::string& detail) {
  if (accepting)
    spdlog::info("there is disk space again: puts are accepted");
  else
    spdlog::error("puts are refused, deletes and compactions are not: {}", detail);
}

void log_observer::quota_nearly_used(bool is, std::uint64_t stored_bytes, std::uint64_t quota_bytes) {
  if (is)
    spdlog::warn("the store holds {} bytes, four fifths of storage.quota_bytes={} or more: puts are refused once it is "
                 "used up. Delete keys, or raise it with 'quorumd settings storage.quota_bytes=…'",
                 stored_bytes, config::format_size(quota_bytes));
  else if (quota_bytes == 0)
    spdlog::info("the store holds {} bytes, and there is no storage.quota_bytes any more", stored_bytes);
  else
    spdlog::info("the store holds {} bytes, less than three quarters of storage.quota_bytes={} again", stored_bytes,
                 config::format_size(quota_bytes));
}

void log_observer::say(spdlog::level::level_enum level, std::string_view kind, std::string_view subject,
                       std::string line) {
  const auto left_out = repeats_.admit(kind, subject, std::chrono::steady_clock::now());
  if (!left_out) return;
  if (*left_out != 0) line += fmt::format(" ({} more like it since the last such line)", *left_out);
  spdlog::log(level, "{}", line);
}

void log_observer::on_dial_failed(node_id id, const std::string& address, const std::string& reason) {
  say(spdlog::level::warn, "dial", name(id) + reason,
      fmt::format("cannot reach {} at {}: {}; trying again", name(id), address, reason));
}
void log_observer::on_handshake_refused(node_id id, const std::string& remote, const std::string& reason) {
  say(spdlog::level::err, "handshake", name(id) + reason,
      fmt::format("refused a stream from {} at {}: {}", name(id), remote, reason));
}
void log_observer::on_refused_by_peer(node_id id, const std::string& remote, const std::string& reason) {
  say(spdlog::level::err, "refused", name(id) + reason,
      fmt::format("{} at {} refuses this node: {}", name(id), remote, reason));
}
void log_observer::on_stream_ended(node_id id, const std::string& remote, const std::string& reason) {
  spdlog::info("the stream with {} at {} ended: {}", name(id), remote, reason);
}
void log_observer::on_bad_frame(node_id id, const std::string& remote, const std::string& reason) {
  say(spdlog::level::err, "frame", name(id) + reason,
      fmt::format("closed the stream of {} at {}: {}", name(id), remote, reason));
}
void log_observer::on_stream_replaced(node_id id, const std::string& remote, const std::string& reason) {
  spdlog::debug("the stream with {} is now the one with {}: {}", name(id), remote, reason);
}
void log_observer::on_accept_failed(const std::string& reason) {
  say(spdlog::level::err, "accept", reason,
      fmt::format("the peer port cannot accept a connection: {}; trying again", reason));
}

void log_observer::bad_client(const std::string& remote, const std::string& why) {
  say(spdlog::level::warn, "client", why, fmt::format("closed the client {}: {}", remote, why));
}
void log_observer::slow_client(const std::string& remote, std::size_t queued_bytes) {
  say(spdlog::level::warn, "slow", {},
      fmt::format("closed the client {}: it does not read its replies, {} bytes wait", remote, queued_bytes));
}
void log_observer::denied(const std::string& who) {
  say(spdlog::level::warn, "denied", who, fmt::format("denied on the admin socket: {}", who));
}
void log_observer::accept_failed(const std::string& where, const std::string& why) {
  say(spdlog::level::err, "accept", where + why,
      fmt::format("cannot accept a client at {}: {}; trying again", where, why));
}
void log_observer::too_many(const std::string& remote) {
  say(spdlog::level::warn, "many", {},
      fmt::format("refused the client {}: limits.clients_max connections are open", remote));
}

} // namespace quorumd::daemon
