#include "daemon/cli/commands.hpp"

#include "config/exit_codes.hpp"
#include "daemon/cli/terminal.hpp"

#include <csignal>

namespace quorumd::cli {

std::span<const command_spec> all_commands() {
  static const std::vector<command_spec> commands = {
      serve_command(),  check_config_command(), put_command(),     get_command(),     del_command(),
      txn_command(),    compact_command(),      import_command(),  export_command(),  status_command(),
      health_command(), bench_command(),        inspect_command(), version_command(),
  };
  return commands;
}

int run(std::span<const command_spec> commands, std::vector<std::string> words) {
  std::signal(SIGPIPE, SIG_IGN);
  auto what = parse_command_line(commands, std::move(words));
  if (what.has_error()) return complain(what.error());
  if (const auto* help = std::get_if<help_wanted>(&*what))
    return print(help->command == nullptr ? overview(commands) : help_text(*help->command));
  if (std::holds_alternative<version_wanted>(*what)) return print("quorumd " QUORUMD_VERSION "\n");
  const auto& in = std::get<invocation>(*what);
  return in.command().run(in);
}

} // namespace quorumd::cli
