#include "daemon/node/group.hpp"
#include "tests/sim/test_cluster.hpp"

#include <doctest/doctest.h>

#include <string>

// Lines on which a snapshot takes several election timeouts: whole nodes on virtual time.
namespace quorumd::sim {
namespace {

using namespace std::chrono_literals;

/// A hundred kilobytes a second; an election timeout is 0.2 s at the least, and a snapshot of all values takes 1 s.
plan narrow_lines(bool bulk_first) {
  plan p;
  p.seed = 1;
  p.wal.segment_bytes = std::size_t{1} << 20;
  p.wal.reserve_bytes = 65536;
  p.staggered = false;
  p.network.bytes_a_second = 100'000;
  p.network.write_max = 1000;
  p.network.buffer_bytes = 2048;
  p.transport.unsent_bytes_max = 2048;
  p.transport.block_bytes = 1024;
  p.transport.coalesce_bytes = 1024;
  p.transport.bulk_first = bulk_first;
  p.group.raft.election_ticks = 20;
  p.group.raft.heartbeat_ticks = 4;
  p.group.raft.append_bytes_max = 1024;
  p.group.snapshots.every_entries = 40;
  p.group.snapshots.trailing_entries = 0;
  p.group.transfers.chunk_bytes = 1024;
  p.group.transfers.window_bytes = 65536;
  p.group.transfers.delegate = false; // it comes on the line of the leader's heartbeats
  return p;
}

/// Whether a member that receives a snapshot on its leader's line stands for election meanwhile.
bool stands_while_it_receives(bool bulk_first) {
  constexpr int values = 200;
  test_cluster w(narrow_lines(bulk_first));
  const node_id behind = w.follower();
  const node_id leader = w.cluster().leader();
  const log_index last = w.core(behind).last_index();
  w.cluster().crash(behind, false, 10'000h, "the test");
  for (int i = 0; i < values; ++i) {
    const std::string key = "key" + std::to_string(i);
    w.add(kv::put{.key = key, .value = std::string(500, 'v'), .lease = {}});
  }
  w.submit();
  REQUIRE(w.until([&] { return w.all_answered(); }, 60s));
  REQUIRE(w.until([&] { return w.core(leader).first_index() > last.next(); }, 60s));
  w.cluster().come_back(behind);
  REQUIRE(w.until([&] { return w.core(behind).soft().leader == leader; }, 10s));
  const auto stands = [&] { return w.core(behind).soft().role == raft::role::pre_candidate; };
  const auto caught_up = [&] { return w.core(behind).commit() == w.core(leader).commit(); };
  REQUIRE(w.until([&] { return stands() || caught_up(); }, 60s));
  CHECK(w.counts()[counter::snapshots_installed] == (stands() ? 0 : 1));
  return stands();
}

} // namespace

// Heartbeats pass what waits, and only what waits: see wire/outbound_queue.hpp.
TEST_CASE("a member hears its leader while a snapshot comes on a narrow line") {
  CHECK_FALSE(stands_while_it_receives(false));
}

TEST_CASE("a member that heard nothing while a snapshot comes on a narrow line would stand for election") {
  CHECK(stands_while_it_receives(true));
}

} // namespace quorumd::sim
