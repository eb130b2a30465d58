#include "daemon/version/version.hpp"

#include "daemon/cli/commands.hpp"
#include "daemon/cli/json.hpp"
#include "daemon/cli/terminal.hpp"

namespace quorumd::cli {
namespace {

int run_version(const invocation& in) {
  std::string out = version_text();
  if (in.json()) {
    out.clear();
    json_writer(out)
        .begin_object()
        .key("version")
        .text(version::number())
        .key("commit")
        .text(version::commit())
        .end_object();
  }
  return print(out + "\n");
}

} // namespace

std::string version_text() {
  return std::string("quorumd ") + version::number() + " (commit " + version::commit() + ")";
}

command_spec version_command() {
  return {.name = "version",
          .summary = "print this program's version and the commit that it was built from",
          .examples = {"quorumd version", "quorumd version --output json"},
          .run = run_version,
          .common = {.endpoints = false, .timeout = false}};
}

} // namespace quorumd::cli
