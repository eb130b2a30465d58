#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

using namespace quorumd::testing;

namespace {

constexpr std::size_t words_max = 20000;

/// Small segments, so that files are created, recycled and removed on the way, and snapshots taken.
cluster_options small_segments() {
  cluster_options o;
  o.lose_unsynced = true;
  o.set = {"storage.segment_bytes=1MiB",   "storage.snapshot_every_bytes=1MiB", "storage.snapshot_every_entries=3000",
           "storage.trailing_entries=500", "storage.reserve_bytes=1MiB",        "limits.request_bytes_max=256KiB"};
  return o;
}

/// Cuts the power of all nodes at once, four times under an import.
void cut_under_import(cluster& c, std::uint64_t first_seed) {
  c.start_all();
  c.wait_leader();
  const auto words = make_words(words_max);
  import_run run(c);
  constexpr std::size_t rounds = 4;
  for (std::size_t i = 0; i < rounds; ++i) {
    run.feed(words, words_max * i / rounds, words_max * (i + 1) / rounds);
    c.kill_all(first_seed == 0 ? 0 : first_seed + i);
    c.start_all();
    c.wait_leader();
  }
  run.finish(words_max);
  c.check_all_hold(words);
  c.kill_all(first_seed == 0 ? 0 : first_seed + rounds);
  c.start_all();
  c.check_all_hold(words);
}

} // namespace

// The power of all three nodes is cut under an import and nothing that was not synced survives: no acknowledged word is
// lost.
TEST_CASE("power cuts lose nothing acknowledged") {
  cluster c("power", small_segments());
  cut_under_import(c, 0);
}

// The same when an arbitrary part of what was not synced had reached the disk, sector by sector.
TEST_CASE("power cuts that tear writes lose nothing acknowledged") {
  cluster c("power_torn", small_segments());
  cut_under_import(c, 20261);
}

// With default settings, the leader's power is cut under an import.
TEST_CASE("a power cut of the leader loses nothing acknowledged") {
  cluster_options o;
  o.lose_unsynced = true;
  cluster c("power_leader", o);
  c.start_all();
  const auto words = make_words(words_max);
  const std::size_t leader = c.wait_leader();
  import_run run(c);
  run.feed(words, 0, words_max / 2);
  c.kill(leader);
  REQUIRE(c.wait_leader(seconds(20), leader) != leader);
  c.start(leader);
  run.feed(words, words_max / 2, words_max);
  run.finish(words_max);
  c.check_all_hold(words);
}

// The proof that these tests can fail: with a disk that says it has synced and has not, what was acknowledged since the
// nodes' start is gone after a power cut, and what an honest disk had synced before is still there.
TEST_CASE("a disk that lies about its syncs is found out") {
  cluster c("power_lie", small_segments());
  c.start_all();
  c.wait_leader();
  const auto honest = make_words(2000);
  REQUIRE(c.anywhere({"import", "-"}, to_lines(honest)).code == 0);
  for (std::size_t i = 0; i < c.size(); ++i) REQUIRE(c.stop(i) == 0);

  c.lie_about_syncs(true);
  c.start_all();
  c.wait_leader();
  const auto lost = make_words(2000, 2000);
  const command_result acknowledged = c.anywhere({"import", "-"}, to_lines(lost));
  REQUIRE(acknowledged.output == "acknowledged 2000\n");
  c.kill_all();

  c.lie_about_syncs(false);
  c.start_all();
  c.wait_leader();
  c.check_all_hold(honest);
  const command_result left = c.anywhere({"export"});
  REQUIRE(left.code == 0);
  REQUIRE(missing(lost, left.output).size() == 10); // as many as are told
}
