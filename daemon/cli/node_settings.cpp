#include "daemon/cli/node_settings.hpp"

#include "config/exit_codes.hpp"
#include "daemon/cli/terminal.hpp"
#include "daemon/options.hpp"

#include <unistd.h>

namespace quorumd::cli {

std::vector<option_spec> node_options() {
  return {{"config", "FILE", option_kind::text, "the configuration"},
          {"data-dir", "D", option_kind::text,
           "instead: a cluster of one on loopback (2379 clients, 2380 peers) with its data in D"},
          {"name", "NAME", option_kind::text, "this node's name: node.name"},
          {"set", "KEY=VALUE", option_kind::text, "override a key of the configuration; may be repeated", true}};
}

result<settings_source> settings_of(const invocation& in) {
  const std::string command(in.command().name);
  if (in.has("config") && in.has("data-dir"))
    return usage(command + ": --config and --data-dir exclude each other: the file names the directory, and --set "
                           "node.data_dir=D overrides it");
  if (!in.has("config") && !in.has("data-dir")) return usage(command + ": --config FILE or --data-dir D is missing");
  std::vector<std::string> set = in.all("set");
  if (in.has("name")) set.push_back("node.name=" + in.text("name"));
  if (in.has("join")) set.push_back("cluster.join=" + in.text("join"));
  const bool file = in.has("config");
  return settings_source([file, from = in.text(file ? "config" : "data-dir"), set = std::move(set),
                          variables = config::quorumd_variables(environ)] {
    return file ? config::load(from, set, variables) : config::single_node(from, set, variables);
  });
}

int complain(const config::mistakes& m) {
  for (const config::mistake& one : m.list()) complain(one.text());
  return config::exit_code::configuration;
}

int complain(const storage::error& e) {
  return complain(error(daemon::exit_code_of(e), e.message()));
}

} // namespace quorumd::cli
