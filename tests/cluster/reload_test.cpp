#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <csignal>

using namespace quorumd::testing;

// SIGHUP takes a new log.level from the file, names what waits for a restart and what is wrong, and never kills.
TEST_CASE("SIGHUP reads the configuration again") {
  cluster c("reload");
  c.start_all();
  c.wait_all_healthy();
  const auto rewrite = [&](const std::string& more) {
    c.write_file("n1.yaml", c.config_text(0, c.member_lines(), c.cluster_name()) + more);
    c.node(0).signal(SIGHUP);
  };
  c.node(0).signal(SIGHUP);
  REQUIRE(c.logged_within(0, "reload: the configuration has not changed", seconds(10)));
  rewrite("log: {level: trace}\nrequests: {timeout_max: 2m}\n");
  REQUIRE(c.logged_within(0, "reload: log.level is trace now", seconds(10)));
  REQUIRE(c.logged_within(0, "reload: requests.timeout_max stays 1m: 2m takes a restart", seconds(10)));
  rewrite("history: {keep_revisions: 5}\n");
  REQUIRE(c.logged_within(0,
                          "reload: history.keep_revisions is the cluster's, whatever this file says: 'quorumd "
                          "settings history.keep_revisions=5' changes it",
                          seconds(10)));
  rewrite("log: {level: loud}\n");
  REQUIRE(c.logged_within(0, "expected one of trace, debug, info, warn, error, got `loud`", seconds(10)));
  REQUIRE(c.logged_within(0, "nothing was changed", seconds(10)));
  for (int i = 0; i < 20; ++i) c.node(0).signal(SIGHUP);
  REQUIRE(c.at(0, {"put", "key", "value"}).code == 0);
  REQUIRE(c.node(0).running());
  REQUIRE(c.stop(0) == 0);
}

// A limit on the size of files stops no node: what passes it is refused as on a full disk.
TEST_CASE("a limit on the size of files is a full disk") {
  cluster c("reload_fsize", {.set = {"storage.segment_bytes=1MiB", "storage.reserve_bytes=2MiB",
                                     "storage.snapshot_every_bytes=1MiB", "limits.request_bytes_max=512KiB"},
                             .file_bytes = 3 * 1024 * 1024});
  c.start_all();
  c.wait_all_healthy();
  const std::string value(100 * 1024, 'v');
  for (int i = 0; i < 60; ++i) {
    const command_result put = c.at(0, {"put", "key" + std::to_string(i), value});
    REQUIRE(put.code != 64);
    if (put.code != 0) break;
  }
  bool named = false;
  for (std::size_t i = 0; i < c.size(); ++i) {
    REQUIRE(c.node(i).running());
    named |= c.logged_within(i, "File too large", seconds(10));
  }
  REQUIRE(named);
  REQUIRE(c.at(0, {"get", "key0"}).code == 0);
  for (std::size_t i = 0; i < c.size(); ++i) REQUIRE(c.stop(i) == 0);
}
