#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

// This build beside an earlier one, which QUORUMD_OLD_PROGRAM names ('./dev upgrade' builds one): what was acknowledged
// stays, whichever of them leads, and what only one of them knows waits until both do.
namespace quorumd::testing {
namespace {

std::string old_program() {
  const char* named = std::getenv("QUORUMD_OLD_PROGRAM");
  if (named == nullptr) std::cout << "skipped: QUORUMD_OLD_PROGRAM names no earlier build; './dev upgrade' does\n";
  return named == nullptr ? std::string() : std::string(named);
}

void restart_with(cluster& c, std::size_t i, const std::string& program) {
  REQUIRE(c.stop(i) == 0);
  c.run_program(i, program);
  c.start(i);
  c.wait_healthy(i);
}

} // namespace

// An earlier version could not apply it: refused while there is one, whoever leads, and a way of no return once it is
// used.
TEST_CASE("history.keep_for waits until every member knows it") {
  const std::string old = old_program();
  if (old.empty()) return;
  cluster c("upgrade_age");
  c.run_program(2, old);
  c.start_all();
  c.wait_all_healthy();
  const std::vector<std::string> set{"settings", "history.keep_for=1h"};
  for (std::size_t i = 0; i < c.size(); ++i) REQUIRE(c.at(i, set).code == 2);
  REQUIRE(c.anywhere({"settings", "history.keep_revisions=7"}).code == 0);
  restart_with(c, 2, quorumd_program());
  REQUIRE(eventually([&] { return c.anywhere(set).code == 0; }, seconds(20)));
  REQUIRE(c.anywhere({"settings"}).output.find("history.keep_for=1h\n") != std::string::npos);
  REQUIRE(c.stop(2) == 0);
  c.run_program(2, old);
  c.start(2);
  const auto ended = c.node(2).wait(seconds(20));
  REQUIRE(ended.has_value());
  REQUIRE(*ended == 76);
}

TEST_CASE("a cluster is upgraded node by node under load, and back") {
  const std::string old = old_program();
  if (old.empty()) return;
  cluster c("upgrade_rolling");
  for (std::size_t i = 0; i < c.size(); ++i) c.run_program(i, old);
  c.start_all();
  c.wait_all_healthy();
  const auto words = make_words(20'000);
  import_run load(c);
  load.feed(words, 0, 4000);
  for (std::size_t i = 0; i < c.size(); ++i) {
    restart_with(c, i, quorumd_program());
    load.feed(words, 4000 + 4000 * i, 8000 + 4000 * i);
    if (i + 1 == c.size()) break;
    const command_result mixed = done(c.at(i, {"status"}));
    REQUIRE(mixed.errors.find("speaks version 1") != std::string::npos);
    const command_result early = c.at(i, {"member", "demote", c.node_name(0)});
    REQUIRE(early.code == 2);
    // From either of them everything can be read, and a snapshot of this build's taken.
    done(c.at(i, {"snapshot", "save", c.folder() + "/mixed.snap", "--force"}));
  }
  const command_result whole = done(c.at(0, {"status"}));
  REQUIRE(whole.errors.find("speaks version") == std::string::npos);

  // As long as nothing new was used there is a way back, and forth again.
  restart_with(c, 1, old);
  load.feed(words, 16'000, 20'000);
  load.finish(words.size());
  restart_with(c, 1, quorumd_program());
  c.check_all_hold(words);

  // Afterwards the earlier one says so instead of guessing.
  done(c.at(0, {"member", "demote", c.node_name(2)}));
  REQUIRE(c.stop(1) == 0);
  c.run_program(1, old);
  c.start(1);
  const auto code = c.node(1).wait(seconds(20));
  REQUIRE(code.has_value());
  REQUIRE(*code == 76);
  c.run_program(1, quorumd_program());
  c.start(1);
  c.wait_healthy(1);
  c.check_all_hold(words);
}

} // namespace quorumd::testing
