#include "daemon/cli/commands.hpp"
#include "daemon/cli/inspect.hpp"
#include "daemon/cli/serve.hpp"

#include <string>
#include <vector>

int main(int argc, char** argv) {
  using namespace quorumd::cli;
  std::vector<command_spec> commands{serve_command()};
  const auto others = all_commands();
  commands.insert(commands.end(), others.begin(), others.end());
  commands.push_back(inspect_command());
  return run(commands, std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
}
