#include "daemon/cli/commands.hpp"
#include "daemon/cli/completion.hpp"
#include "daemon/cli/manual.hpp"

#include "config/exit_codes.hpp"
#include "config/keys.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

namespace quorumd::cli {
namespace {

bool contains(const std::string& text, const std::string& what) {
  return text.find(what) != std::string::npos;
}

/// As roff writes a dash.
std::string dashed(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '-') out += '\\';
    out += c;
  }
  return out;
}

} // namespace

// Each manual page has what the table has: every option, every example, and nothing that roff would take for its own.
TEST_CASE("manual pages") {
  const std::string overview = overview_manual(all_commands());
  for (const auto& c : all_commands()) {
    CHECK(contains(overview, ".TP\n\\fB" + dashed(c.name) + "\\fR\n"));
    const std::string page = command_manual(c);
    CHECK(contains(page, ".SH NAME\nquorumd\\-" + dashed(c.name) + " \\- "));
    for (const auto& o : c.options) CHECK(contains(page, "\\fB\\-\\-" + dashed(o.name) + "\\fR"));
    CHECK(static_cast<std::size_t>(std::count(page.begin(), page.end(), '\n')) > c.examples.size());
    CHECK_FALSE(contains(page, "…"));
    CHECK_FALSE(contains(page, "\n'"));
  }
  const std::string keys = configuration_manual();
  for (const auto& k : config::describe_keys()) CHECK(contains(keys, "\\fB" + dashed(k.path) + "\\fR ("));
}

// Every code with which a node can end is in the help of serve and in the manual page of the whole.
TEST_CASE("exit codes are documented") {
  namespace code = config::exit_code;
  const auto all = all_commands();
  const auto serve = std::find_if(all.begin(), all.end(), [](const auto& c) { return c.name == "serve"; });
  REQUIRE(serve != all.end());
  const std::string overview = overview_manual(all);
  for (const int c :
       {code::identity, code::corruption, code::disk, code::not_yet, code::version, code::configuration}) {
    CAPTURE(c);
    CHECK(contains(help_text(*serve), std::to_string(c) + " "));
    CHECK(contains(overview, (c == code::identity ? "\n" : ", ") + std::to_string(c)));
  }
  for (const int c : {code::ok, code::absent, code::unavailable, code::usage})
    CHECK(contains(overview, ".TP\n" + std::to_string(c) + "\n"));
  CHECK(contains(overview, ".TP\n" + std::to_string(code::corruption) + "\n.B status \\-\\-verify\n"));
}

// The scripts know every command and every option of it; what a shell makes of them is
// tests/daemon/cli/completion_test.
TEST_CASE("completion scripts") {
  const std::string bash = bash_completion(all_commands());
  const std::string zsh = zsh_completion(all_commands());
  const std::string fish = fish_completion(all_commands());
  for (const auto& c : all_commands()) {
    const std::string name(c.name);
    CHECK(contains(bash, "\n    " + name + ")\n"));
    CHECK(contains(zsh, "\n    " + name + ")\n"));
    CHECK(contains(fish, " -a " + name + " -d "));
    for (const auto& o : c.options) {
      CHECK(contains(bash, "--" + std::string(o.name)));
      CHECK(contains(zsh, "'" + std::string(o.repeated ? "*" : "") + "--" + std::string(o.name) + "["));
      CHECK(contains(fish, " -l " + std::string(o.name) + " "));
    }
  }
}

} // namespace quorumd::cli
