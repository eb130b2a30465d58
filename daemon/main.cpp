#include "daemon/cli/commands.hpp"

#include <string>
#include <vector>

int main(int argc, char** argv) {
  return quorumd::cli::run(quorumd::cli::all_commands(),
                           std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
}
