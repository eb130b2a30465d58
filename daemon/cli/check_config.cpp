#include "config/config.hpp"
#include "config/exit_codes.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/terminal.hpp"

namespace quorumd::cli {
namespace {

std::string mistakes_json(const std::string& file, const std::vector<config::mistake>& mistakes) {
  std::string out;
  json_writer w(out);
  w.begin_object().key("file").text(file).key("valid").boolean(false).key("mistakes").begin_array();
  for (const config::mistake& m : mistakes) {
    w.begin_object().key("source").text(m.source);
    if (m.line != 0) w.key("line").number(m.line).key("column").number(m.column);
    w.key("what").text(m.what).end_object();
  }
  w.end_array().end_object();
  return out + "\n";
}

int run_check_config(const invocation& in) {
  const std::string& file = in.argument(0);
  const std::vector<std::string> set = in.all("set");
  const auto loaded = config::load(file, set);
  if (loaded.has_error() && in.json()) {
    const int printed = print(mistakes_json(file, loaded.error().list()));
    return printed == config::exit_code::ok ? config::exit_code::configuration : printed;
  }
  if (loaded.has_error()) {
    for (const auto& mistake : loaded.error().list()) complain(mistake.text());
    return config::exit_code::configuration;
  }
  std::string out;
  if (in.json())
    json_writer(out).begin_object().key("file").text(file).key("valid").boolean(true).end_object();
  else
    out = file + ": ok";
  return print(out + "\n");
}

} // namespace

command_spec check_config_command() {
  return {
      .name = "check-config",
      .summary = "check a configuration file, report all its mistakes, and do nothing else",
      .arguments = {{"FILE"}},
      .options = {{"set", "KEY=VALUE", option_kind::text, "override a key, as 'serve' would; may be repeated", true}},
      .details = "Exits with 78 if there is a mistake; each is reported as file:line:column.",
      .examples = {"quorumd check-config /etc/quorumd/quorumd.yaml",
                   "quorumd check-config n1.yaml --set raft.heartbeat=100ms"},
      .run = run_check_config,
      .common = {.endpoints = false, .timeout = false}};
}

} // namespace quorumd::cli
