#include "daemon/reload.hpp"

#include "config/keys.hpp"

#include <spdlog/spdlog.h>

#include <sys/resource.h>

namespace quorumd::daemon {
namespace {

/// Takes the key's new value if it can change while the daemon runs.
bool take(const std::string& path, config::settings& current, const config::settings& fresh, reloaded& out) {
  if (path == "log.level") {
    current.log = fresh.log;
  } else if (path == "shutdown.grace") {
    current.shutdown = fresh.shutdown;
  } else if (path == "admin.users" || path == "admin.groups") {
    current.admin = fresh.admin;
    out.admins = true;
  } else {
    return false;
  }
  return true;
}

/// Replicated: the file says only what a cluster begins with.
bool is_of_the_cluster(const std::string& path) {
  return path == "history.keep_revisions" || path == "history.bytes_max" || path == "history.keep_for" ||
         path == "storage.quota_bytes";
}

} // namespace

reloaded reload(config::settings& current, const reread& again) {
  reloaded out;
  const auto fresh = again();
  if (fresh.has_error()) {
    for (const config::mistake& m : fresh.error().list()) spdlog::error("reload: {}", m.text());
    spdlog::error("reload: the configuration has mistakes, and nothing was changed");
    return out;
  }
  const auto changes = config::changed_keys(current, *fresh);
  for (const config::key_change& c : changes) {
    if (take(c.path, current, *fresh, out))
      spdlog::info("reload: {} is {} now, and was {}", c.path, c.after, c.before);
    else if (is_of_the_cluster(c.path))
      spdlog::warn("reload: {} is the cluster's, whatever this file says: 'quorumd settings {}={}' changes it", c.path,
                   c.path, c.after);
    else
      spdlog::warn("reload: {} stays {}: {} takes a restart", c.path, c.before, c.after);
  }
  if (changes.empty()) spdlog::info("reload: the configuration has not changed");
  return out;
}

std::uint64_t files_beside_clients(const config::settings& s) {
  constexpr std::uint64_t kept = 48;      // places beyond limits.clients_max, for the operator and for health checks
  constexpr std::uint64_t own = 64;       // standard streams, loops, segments, snapshots, sockets that listen
  constexpr std::uint64_t per_member = 4; // streams, and dials beside them
  return kept + own + per_member * s.cluster.members.size();
}

void warn_of_few_files(const config::settings& s) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) return;
  const std::uint64_t wanted = s.limits.clients_max + files_beside_clients(s);
  if (files.rlim_cur >= wanted) return;
  spdlog::warn("limits.clients_max is {}, for which {} open files are wanted, and this process may open {}: raise the "
               "limit (LimitNOFILE in the unit, ulimit -n) or lower limits.clients_max",
               s.limits.clients_max, wanted, files.rlim_cur);
}

} // namespace quorumd::daemon
