#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/terminal.hpp"

namespace quorumd::cli {
namespace {

int run_version(const invocation& in) {
  std::string out;
  if (in.json())
    json_writer(out).begin_object().key("version").text(QUORUMD_VERSION).end_object();
  else
    out = "quorumd " QUORUMD_VERSION;
  return print(out + "\n");
}

} // namespace

command_spec version_command() {
  return {.name = "version",
          .summary = "print this program's version",
          .examples = {"quorumd version", "quorumd version --output json"},
          .run = run_version};
}

} // namespace quorumd::cli
