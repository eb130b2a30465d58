#include "config/config.hpp"
#include "config/exit_codes.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/daemon.hpp"

namespace quorumd::cli {
namespace {

int run_serve(const invocation& in) {
  const bool has_file = in.has("config");
  if (has_file && in.has("data-dir")) {
    complain("serve takes --config FILE or --data-dir D, not both; with a file, use --set node.data_dir=D");
    return config::exit_code::usage;
  }
  if (!has_file && !in.has("data-dir")) {
    complain("serve needs --config FILE, or --data-dir D for a cluster of one on loopback");
    return config::exit_code::usage;
  }
  const std::vector<std::string> set = in.all("set");
  const auto settings =
      has_file ? config::load(in.text("config"), set) : config::single_node(in.text("data-dir"), set);
  if (settings.has_error()) {
    for (const auto& mistake : settings.error().list()) complain(mistake.text());
    return config::exit_code::configuration;
  }
  return daemon::serve(*settings);
}

} // namespace

command_spec serve_command() {
  return {.name = "serve",
          .summary = "run the daemon until SIGTERM",
          .options = {{"config", "FILE", option_kind::text, "the YAML file; see quorumd.example.yaml"},
                      {"data-dir", "D", option_kind::text, "without a file: a cluster of one on loopback, data in D"},
                      {"set", "KEY=VALUE", option_kind::text, "override a key of the configuration; may be repeated", true}},
          .details = "Logs to standard error. Exits with 0 after SIGTERM, 78 if the configuration or a port that it names\n"
                     "cannot be used, 70 if the data directory is another node's, 71 if a log or snapshot is damaged,\n"
                     "74 if the disk fails.",
          .examples = {"quorumd serve --data-dir /tmp/q", "quorumd serve --config /etc/quorumd/quorumd.yaml",
                       "quorumd serve --config n1.yaml --set raft.heartbeat=100ms --set log.level=debug"},
          .run = run_serve};
}

} // namespace quorumd::cli
