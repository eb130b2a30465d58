#include "daemon/cli/commands.hpp"

#include "config/exit_codes.hpp"
#include "daemon/cli/terminal.hpp"

#include <csignal>
#include <utility>

namespace quorumd::cli {

std::span<const command_spec> all_commands() {
  static const std::vector<command_spec> commands = {
      serve_command(),    check_config_command(), put_command(),        get_command(),      del_command(),
      watch_command(),    lease_command(),        lock_command(),       elect_command(),    txn_command(),
      compact_command(),  import_command(),       export_command(),     settings_command(), status_command(),
      alarm_command(),    hash_command(),         member_command(),     leader_command(),   health_command(),
      latency_command(),  top_command(),          profile_command(),    bench_command(),    inspect_command(),
      snapshot_command(), recover_command(),      completion_command(), help_command(),     version_command(),
  };
  return commands;
}

namespace {

/// Whether a command line that was not understood asks for JSON, as far as that can be told.
bool wants_json(const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
    const std::string& w = words[i];
    if (w == "--output=json" || w == "--write-out=json" || w == "-wjson") return true;
    if ((w == "--output" || w == "--write-out" || w == "-w") && i + 1 < words.size() && words[i + 1] == "json")
      return true;
  }
  return false;
}

} // namespace

int run(std::span<const command_spec> commands, std::vector<std::string> words) {
  std::signal(SIGPIPE, SIG_IGN);
  const bool json_wanted = wants_json(words);
  auto what = parse_command_line(commands, std::move(words));
  speak_json(what.has_error() && json_wanted);
  if (what.has_error()) return complain(what.error());
  if (const auto* help = std::get_if<help_wanted>(&*what))
    return print(help->command == nullptr ? overview(commands) : help_text(*help->command));
  if (std::holds_alternative<version_wanted>(*what)) return print(version_text() + "\n");
  const auto& in = std::get<invocation>(*what);
  speak_json(in.json());
  return in.command().run(in);
}

} // namespace quorumd::cli
