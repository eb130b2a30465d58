#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

using namespace quorumd::testing;

namespace {

constexpr std::size_t words_max = 20000;

/// Two thirds of the words are fed before the nodes are killed, so that a window of puts is on its way then.
struct killed_import {
  explicit killed_import(cluster& c)
      : run(c) {
    run.feed(words, 0, words_max * 2 / 3);
  }
  void rest() {
    run.feed(words, words_max * 2 / 3, words_max);
    run.finish(words_max);
  }

  std::vector<word> words = make_words(words_max);
  import_run run;
};

} // namespace

// The main job: a hundred thousand words from a file, the leader killed on the way, and every word is on every node.
TEST_CASE("a hundred thousand words survive the leader") {
  cluster c("main_job");
  c.start_all();
  const std::size_t leader = c.wait_leader();
  const auto words = make_words(100000);
  const std::string file = c.write_file("words.tsv", to_lines(words));
  launch l;
  l.arguments = {quorumd_program(), "import", file, "--endpoint", c.endpoints()};
  l.output = file + ".out";
  l.errors = file + ".err";
  process import(l);
  c.wait_keys(leader, 20000);
  c.kill(leader);
  const std::size_t next = c.wait_leader(seconds(20), leader);
  REQUIRE(next != leader);
  c.start(leader);
  const auto code = import.wait(seconds(120));
  REQUIRE(code == 0);
  c.check_all_hold(words);
}

// The leader of three is killed under an import and started again.
TEST_CASE("an import survives kill -9 of the leader") {
  cluster c("kill_leader");
  c.start_all();
  const std::size_t leader = c.wait_leader();
  killed_import import(c);
  c.kill(leader);
  REQUIRE(c.wait_leader(seconds(20), leader) != leader);
  import.rest();
  c.start(leader);
  c.check_all_hold(import.words);
}

// A follower is killed under an import, which goes on without it, and catches up once it is back.
TEST_CASE("an import survives kill -9 of a follower") {
  cluster c("kill_follower");
  c.start_all();
  const std::size_t follower = c.follower();
  killed_import import(c);
  c.kill(follower);
  import.rest();
  c.start(follower);
  c.check_all_hold(import.words);
}

// All three nodes are killed at once under an import, which waits for them and ends with everything acknowledged.
TEST_CASE("an import survives kill -9 of all three nodes at once") {
  cluster c("kill_all");
  c.start_all();
  c.wait_leader();
  killed_import import(c);
  c.kill_all();
  c.start_all();
  import.rest();
  c.check_all_hold(import.words);
}

// Node after node is killed and started again while an import runs, five times over.
TEST_CASE("an import survives a rolling series of kill -9") {
  cluster c("kill_rolling");
  c.start_all();
  c.wait_leader();
  const auto words = make_words(words_max);
  import_run run(c);
  constexpr std::size_t rounds = 5;
  for (std::size_t i = 0; i < rounds; ++i) {
    run.feed(words, words_max * i / rounds, words_max * (i + 1) / rounds);
    c.kill(i % c.size());
    c.wait_leader();
    c.start(i % c.size());
    c.wait_healthy(i % c.size());
  }
  run.finish(words_max);
  c.check_all_hold(words);
}

// A stopped and restarted cluster has everything, and takes writes again.
TEST_CASE("a cluster that was stopped starts with its data") {
  cluster c("restart");
  c.start_all();
  c.wait_leader();
  auto words = make_words(2000);
  REQUIRE(c.anywhere({"import", "-"}, to_lines(words)).code == 0);
  for (std::size_t i = 0; i < c.size(); ++i) REQUIRE(c.stop(i) == 0);
  c.start_all();
  c.wait_leader();
  c.check_all_hold(words);
  const auto more = make_words(2000, 2000);
  REQUIRE(c.anywhere({"import", "-"}, to_lines(more)).code == 0);
  words.insert(words.end(), more.begin(), more.end());
  c.check_all_hold(words);
}

// A follower is away until the log that it lacks is gone on the others: it gets a snapshot, and then everything.
TEST_CASE("a follower that was away long gets a snapshot") {
  cluster_options o;
  o.set = {"storage.segment_bytes=1MiB",   "storage.snapshot_every_bytes=1MiB", "storage.snapshot_every_entries=2000",
           "storage.trailing_entries=100", "storage.reserve_bytes=1MiB",        "limits.request_bytes_max=256KiB"};
  cluster c("snapshot", o);
  c.start_all();
  const std::size_t away = c.follower();
  c.kill(away);
  const auto words = make_words(words_max);
  REQUIRE(c.anywhere({"import", "-"}, to_lines(words)).code == 0);
  const std::size_t leader = c.wait_leader();
  REQUIRE(c.logged_within(leader, "snapshot taken at index", seconds(10)));
  c.start(away);
  REQUIRE(c.logged_within(away, "snapshot installed at index", seconds(30)));
  c.check_all_hold(words);
  // What was installed is durable: it starts from it, once more killed.
  c.kill(away);
  c.start(away);
  c.check_all_hold(words);
}
