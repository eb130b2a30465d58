#include "config/config.hpp"
#include "config/exit_codes.hpp"
#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/terminal.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <vector>

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

std::string values_json(const std::string& file, const std::vector<config::value_origin>& values) {
  std::string out;
  json_writer w(out);
  w.begin_object().key("file").text(file).key("valid").boolean(true).key("values").begin_object();
  for (const auto& v : values)
    w.key(v.path).begin_object().key("value").text(v.value).key("from").text(v.from).end_object();
  w.end_object().end_object();
  return out + "\n";
}

/// What does not stand in the file, or all of it, in columns.
std::string values_text(const std::string& file, const std::vector<config::value_origin>& values, bool all) {
  std::vector<std::array<std::string, 2>> lines;
  std::size_t width = 0;
  for (const auto& v : values) {
    if (!all && (v.from == "default" || v.from.starts_with(file + ":"))) continue;
    lines.push_back({v.path + " = " + v.value, v.from});
    width = std::max(width, lines.back()[0].size());
  }
  std::string out = file + ": ok\n";
  for (auto& [value, from] : lines) {
    value.resize(width, ' ');
    out += "  " + value + "  (" + from + ")\n";
  }
  return out;
}

int run_check_config(const invocation& in) {
  const std::string& file = in.argument(0);
  const auto read = config::explain(file, in.all("set"), config::quorumd_variables(environ));
  if (read.has_error() && in.json()) {
    const int printed = print(mistakes_json(file, read.error().list()));
    return printed == config::exit_code::ok ? config::exit_code::configuration : printed;
  }
  if (read.has_error()) {
    for (const auto& mistake : read.error().list()) complain(mistake.text());
    return config::exit_code::configuration;
  }
  return print(in.json() ? values_json(file, *read) : values_text(file, *read, in.has("all")));
}

} // namespace

command_spec check_config_command() {
  return {
      .name = "check-config",
      .summary = "check a configuration file, report all its mistakes, and do nothing else",
      .arguments = {{"FILE"}},
      .options = {{"set", "KEY=VALUE", option_kind::text, "override a key, as 'serve' would; may be repeated", true},
                  {"all", "", option_kind::flag, "print every key's value and where it came from"}},
      .details =
          "Exits with 78 if there is a mistake; each is reported as file:line:column. What does not come from the\n"
          "file is printed with where it came from: a variable such as QUORUMD_LISTEN_CLIENT, or --set. As JSON there\n"
          "are all values, or the list of mistakes.",
      .examples = {"quorumd check-config /etc/quorumd/quorumd.yaml",
                   "quorumd check-config n1.yaml --set raft.heartbeat=100ms",
                   "QUORUMD_LOG_LEVEL=debug quorumd check-config n1.yaml --all"},
      .run = run_check_config,
      .common = {.endpoints = false, .timeout = false}};
}

} // namespace quorumd::cli
