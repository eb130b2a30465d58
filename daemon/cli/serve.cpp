#include "config/config.hpp"
#include "config/exit_codes.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/daemon.hpp"

#include <unistd.h>

namespace quorumd::cli {
namespace {

int run_serve(const invocation& in) {
  if (in.has("config") == in.has("data-dir"))
    return complain(usage(in.has("config") ? "serve: --config and --data-dir exclude each other: the file names the "
                                             "directory, and --set node.data_dir=D overrides it"
                                           : "serve: --config FILE or --data-dir D is missing"));
  std::vector<std::string> set = in.all("set");
  if (in.has("name")) set.push_back("node.name=" + in.text("name"));
  if (in.has("join")) set.push_back("cluster.join=" + in.text("join"));
  const std::vector<std::string> variables = config::quorumd_variables(environ);
  const auto read = [&] {
    return in.has("config") ? config::load(in.text("config"), set, variables)
                            : config::single_node(in.text("data-dir"), set, variables);
  };
  const auto settings = read();
  if (settings.has_error()) {
    for (const auto& mistake : settings.error().list()) complain(mistake.text());
    return config::exit_code::configuration;
  }
  return daemon::serve(*settings, read);
}

} // namespace

command_spec serve_command() {
  return {
      .name = "serve",
      .summary = "run a node of the cluster",
      .options = {{"config", "FILE", option_kind::text, "the configuration"},
                  {"data-dir", "D", option_kind::text,
                   "instead: a cluster of one on loopback (2379 clients, 2380 peers) with its data in D"},
                  {"name", "NAME", option_kind::text, "this node's name: node.name"},
                  {"join", "HOST:PORT", option_kind::text,
                   "become a member of the cluster whose client port that is: cluster.join"},
                  {"set", "KEY=VALUE", option_kind::text, "override a key of the configuration; may be repeated",
                   true}},
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
