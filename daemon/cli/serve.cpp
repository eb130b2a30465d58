#include "daemon/cli/commands.hpp"
#include "daemon/cli/node_settings.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/daemon.hpp"

#include <vector>

namespace quorumd::cli {
namespace {

int run_serve(const invocation& in) {
  const auto read = settings_of(in);
  if (read.has_error()) return complain(read.error());
  const auto settings = (*read)();
  if (settings.has_error()) return complain(settings.error());
  return daemon::serve(*settings, *read);
}

std::vector<option_spec> serve_options() {
  std::vector<option_spec> all = node_options();
  all.push_back({"join", "HOST:PORT", option_kind::text,
                 "become a member of the cluster whose client port that is: cluster.join"});
  return all;
}

} // namespace

command_spec serve_command() {
  return {
      .name = "serve",
      .summary = "run a node of the cluster",
      .options = serve_options(),
      .details =
          "To join a cluster, run 'quorumd member add NAME=HOST:PORT' there, and here give --join with an empty data\n"
          "directory; before it was added the node waits for it. The cluster then says who its members are.\n"
          "Runs until SIGTERM or SIGINT, then hands leadership over and ends with 0. Other exit codes: 70 the data\n"
          "directory is another node's or cluster's, or in use, 71 the log or a snapshot is damaged, 74 the disk\n"
          "failed, 75 a name or an address to listen on did not appear within 30 s, 76 the log or a snapshot holds\n"
          "what only another version of quorumd knows, 78 the configuration, or something that it names, cannot be\n"
          "used. SIGHUP reads the configuration again: log.level, admin.users, admin.groups and shutdown.grace change\n"
          "at once, the log says which others wait for a restart, and a file with a mistake changes nothing. The\n"
          "environment's QUORUMD_SECTION_KEY comes before the file (QUORUMD_LISTEN_CLIENT for listen.client,\n"
          "QUORUMD_CLUSTER_MEMBERS=n1=HOST:PORT,n2=HOST:PORT), and --set before both.",
      .examples = {"quorumd serve --config /etc/quorumd/quorumd.yaml",
                   "quorumd serve --config n1.yaml --set raft.heartbeat=100ms --set log.level=debug",
                   "quorumd serve --data-dir /tmp/quorumd", "quorumd serve --config n4.yaml --join 10.0.0.1:2379"},
      .run = run_serve,
      .common = {.endpoints = false, .timeout = false, .output = false}};
}

} // namespace quorumd::cli
