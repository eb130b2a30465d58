#include "tests/cluster/cluster.hpp"
#include "tests/cluster/loop_disks.hpp"

#include <doctest/doctest.h>

#include <deque>
#include <thread>
#include <utility>
#include <vector>

// Each node's data directory is on a disk of its own that can be frozen, slow, or read-only. Full ones are in
// disk_test.cpp.
using namespace quorumd::testing;
using quorumd::wire::request_errc;

namespace {

using clock_type = std::chrono::steady_clock;

cluster_options on(const loop_disks& disks, std::vector<std::string> groups = {}) {
  return {.nodes = 3,
          .set = {"storage.segment_bytes=8MiB", "storage.snapshot_every_bytes=32MiB", "storage.reserve_bytes=16MiB"},
          .data_root = disks.root(),
          .groups = std::move(groups)};
}

} // namespace

// No write to the leader's disk ends: another member leads within seconds and an import goes on; thawed, the old leader
// has everything. Then the same with a follower's disk, which nobody else notices.
TEST_CASE("loop disk: a frozen disk") {
  const loop_disks disks("frozen", 3, 256);
  if (!disks.mounted()) return;
  cluster c("loop_frozen", on(disks));
  c.start_all();
  c.wait_all_healthy();
  const auto words = make_words(8000);
  import_run run(c);
  run.feed(words, 0, 2000);
  const std::size_t leader = c.wait_leader();
  {
    const frozen_disk frozen(disks, leader);
    const std::size_t next = c.wait_leader(seconds(10), leader);
    REQUIRE(next != leader);
    REQUIRE(put_once(c.client_place(next), "while", "the old leader's disk is frozen", seconds(5)).code ==
            request_errc::none);
    run.feed(words, 2000, 4000);
    std::this_thread::sleep_for(seconds(3));
    REQUIRE(c.running(leader));
  }
  c.wait_healthy(leader, seconds(10));
  const std::size_t now = c.wait_leader();
  const auto before = c.status(now);
  REQUIRE(before.has_value());
  {
    const frozen_disk frozen(disks, (now + 1) % c.size());
    run.feed(words, 4000, 6000);
    for (int i = 0; i < 20; ++i) {
      const outcome o = put_once(c.client_place(now), "while", std::to_string(i), seconds(5));
      REQUIRE(o.code == request_errc::none);
      CHECK(o.took < seconds(2));
      std::this_thread::sleep_for(milliseconds(100));
    }
    const auto after = c.status(now);
    REQUIRE(after.has_value());
    CHECK(after->term == before->term);
  }
  run.feed(words, 6000, 8000);
  run.finish(words.size());
  c.check_all_hold(words);
}

// The kernel makes the leader's disk read-only under it, as it does when it finds damage: the node ends and names the
// disk, the others go on. It does not start as long as the disk is so, and says why; once the disk is well again it
// starts and has everything.
TEST_CASE("loop disk: a disk that becomes read-only") {
  loop_disks disks("read_only", 3, 256);
  if (!disks.mounted()) return;
  cluster c("loop_read_only", on(disks));
  c.start_all();
  c.wait_all_healthy();
  const auto words = make_words(6000);
  import_run run(c);
  run.feed(words, 0, 2000);
  const std::size_t leader = c.wait_leader();
  disks.fail(leader);
  run.feed(words, 2000, 4000);
  REQUIRE(c.wait_leader(seconds(10), leader) != leader);
  const auto code = c.node(leader).wait(seconds(10));
  REQUIRE(code.has_value());
  CHECK(code == 74);
  CHECK(c.logged(leader, "cannot be written: " + c.data(leader) + "/wal/"));

  c.start(leader);
  const auto again = c.node(leader).wait(seconds(10));
  REQUIRE(again.has_value());
  CHECK(again == 74);
  CHECK(c.logged(leader, c.data(leader) + "/LOCK: disk error: open: Read-only file system"));

  run.feed(words, 4000, 6000);
  REQUIRE(disks.repair(leader));
  c.start(leader);
  run.finish(words.size());
  c.check_all_hold(words);
}

// The leader's disk takes two writes a second: another member leads, and what goes on is as fast as the others' disks.
// The slow one keeps up as well as it can, and has everything in the end.
TEST_CASE("loop disk: a slow disk") {
  const loop_disks disks("slow", 3, 256);
  if (!disks.mounted()) return;
  std::deque<disk_group> groups;
  std::vector<std::string> processes;
  for (std::size_t i = 0; i < 3; ++i) {
    if (!groups.emplace_back("slow" + std::to_string(i), disks, i).made()) return;
    processes.push_back(groups.back().processes());
  }
  cluster c("loop_slow", on(disks, processes));
  c.start_all();
  c.wait_all_healthy();
  const auto words = make_words(6000);
  import_run run(c);
  run.feed(words, 0, 2000);
  const std::size_t slow = c.wait_leader();
  {
    const slowed limited(groups[slow], 2);
    run.feed(words, 2000, 4000);
    const std::size_t next = c.wait_leader(seconds(20), slow);
    REQUIRE(next != slow);
    const auto began = clock_type::now();
    for (int i = 0; i < 100; ++i) // over the slow disk they would take at least 50 s
      REQUIRE(put_once(c.client_place(next), "fast", std::to_string(i), seconds(5)).code == request_errc::none);
    CHECK(clock_type::now() - began < seconds(5));
    run.feed(words, 4000, 6000);
    run.finish(words.size());
    CHECK(c.running(slow));
  }
  c.check_all_hold(words);
}
