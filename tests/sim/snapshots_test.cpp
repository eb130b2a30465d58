#include "daemon/node/group.hpp"
#include "tests/sim/test_cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Snapshots that take long: whole nodes on virtual time, whose snapshot workers are charged for every byte.
namespace quorumd::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t mebibyte = std::size_t{1} << 20;

/// Every byte of a state costs its snapshot worker five seconds a mebibyte, and nothing else goes wrong.
plan slow_snapshots() {
  plan p;
  p.seed = 1;
  p.wal.segment_bytes = mebibyte;
  p.wal.reserve_bytes = 65536;
  p.snapshot_worker.per_mib = 5s;
  p.group.snapshots.every_entries = 40;
  p.group.snapshots.trailing_entries = 0;
  p.staggered = false;
  p.group.transfers.delegate = false;
  return p;
}

/// A follower sends what the leader would have to.
plan delegated_snapshots() {
  plan p = slow_snapshots();
  p.group.transfers.delegate = true;
  return p;
}

/// A cluster in the hands of a test, with values of a quarter of a mebibyte.
class world final : public test_cluster {
 public:
  explicit world(plan p)
      : test_cluster(std::move(p)) {}

  /// Puts so many values, each under a key of its own, and waits until all are applied.
  void write(std::size_t values) {
    for (std::size_t i = 0; i < values; ++i) {
      const std::string key = "key" + std::to_string(next_key_++);
      const std::string value(mebibyte / 4, static_cast<char>('a' + i % 26));
      add(kv::put{.key = key, .value = value, .lease = {}});
    }
    submit();
    REQUIRE(until([&] { return answered() == next_key_; }, 60s));
  }

  /// The node is gone until heal(), and meanwhile so many values are written that the log no longer reaches back to it.
  void leave_behind(node_id id, std::size_t values) {
    const log_index last = core(id).last_index();
    cluster().crash(id, false, 10'000h, "the test");
    write(values);
    const node_id leader = cluster().leader();
    REQUIRE(until([&] { return core(leader).first_index() > last.next(); }, 1000s));
  }
  [[nodiscard]] bool caught_up(node_id id) {
    return cluster().up(id) && cluster().leader() && core(id).commit() == core(cluster().leader()).commit() &&
           cluster().the_node(id).the_group().state().applied() == core(id).commit();
  }

 private:
  std::uint64_t next_key_ = 0;
};

/// The node's files with that ending.
std::vector<std::string> files_of(world& w, node_id id, std::string_view kind) {
  std::vector<std::string> all = w.cluster().disk(id).memory().paths();
  std::erase_if(all, [&](const std::string& p) { return !p.ends_with(kind); });
  return all;
}

/// Bytes of the one file with that ending; 0 for none.
std::uint64_t bytes_of(world& w, node_id id, std::string_view kind) {
  const auto files = files_of(w, id, kind);
  if (files.empty()) return 0;
  return w.cluster().disk(id).files().open(files.front(), storage::file_system::mode::read).value()->size().value();
}

/// Until so many bytes of the snapshot arrived.
bool arrived(world& w, node_id id, std::uint64_t bytes) {
  for (int seconds = 0; seconds < 200 && bytes_of(w, id, ".part") < bytes; ++seconds) w.go_on(1s);
  return bytes_of(w, id, ".part") >= bytes;
}

} // namespace

// A receiver that says nothing for twenty seconds is given up: nobody's own reading may count as that.
TEST_CASE("a snapshot is sent although to read it takes a minute on either side") {
  world w(slow_snapshots());
  const node_id behind = w.follower();
  w.leave_behind(behind, 48);
  w.cluster().heal();
  CHECK(w.until([&] { return w.caught_up(behind); }, 400s));
  CHECK(w.counts()[counter::snapshots_installed] == 1);
}

// The one worker for snapshots serves every transfer, and the taking of snapshots too.
TEST_CASE("no job for a snapshot moves more than a slice of a large state") {
  world w(slow_snapshots());
  const node_id behind = w.follower();
  w.leave_behind(behind, 48);
  w.cluster().heal();
  w.go_on(400s);
  for (const node_id id : w.cluster().ids())
    CHECK(w.cluster().the_process(id).snapshot_worker().most_bytes() < 5 * mebibyte);
}

// Nothing tells how slow a disk may be: a node that is at work says so.
TEST_CASE("a snapshot is sent to a node that needs half a minute for a slice, while others write and take snapshots") {
  world w(slow_snapshots());
  const node_id behind = w.follower();
  w.leave_behind(behind, 48);
  w.cluster().heal();
  REQUIRE(arrived(w, behind, 1));
  w.cluster().the_process(behind).set_snapshot_worker({.per_mib = 8s});
  const std::uint64_t taken = w.counts()[counter::snapshots_taken];
  w.write(45);
  REQUIRE(w.until([&] { return w.counts()[counter::snapshots_taken] > taken; }, 300s));
  CHECK(w.counts()[counter::snapshots_installed] == 0);
  // The log was kept for it meanwhile: it needs no second one.
  CHECK(w.until([&] { return w.caught_up(behind); }, 600s));
  CHECK(w.counts()[counter::snapshots_installed] == 1);
  CHECK(w.counts()[counter::snapshots_broken] == 0);
}

// A stream that breaks costs only what was on its way. A machine that loses its power may lose the file as well.
TEST_CASE(
    "a transfer goes on where it was when its stream breaks, and ends well though the receiver crashes in its check") {
  world w(slow_snapshots());
  const node_id behind = w.follower();
  const node_id leader = w.cluster().leader();
  w.leave_behind(behind, 48);
  const std::uint64_t before = w.cluster().disk(leader).moved_bytes();
  w.cluster().heal();
  REQUIRE(arrived(w, behind, 6 * mebibyte));
  w.cluster().network().cut(leader.value(), behind.value());
  REQUIRE(arrived(w, behind, bytes_of(w, leader, ".snap")));
  // Else more than half of it would have been sent twice.
  CHECK(w.cluster().disk(leader).moved_bytes() - before < 13 * mebibyte);
  w.go_on(15s); // it is being checked
  CHECK(w.counts()[counter::snapshots_installed] == 0);
  w.cluster().crash(behind, false, 1s, "the test");
  CHECK(w.until([&] { return w.caught_up(behind); }, 400s));
  CHECK(w.cluster().leader() == leader);
  CHECK(w.counts()[counter::snapshots_installed] == 1);
  CHECK(w.counts()[counter::snapshots_broken] == 2);
  CHECK(files_of(w, behind, ".part").empty());
}

// What arrived is of the file, however it travelled: a transfer that is packed is resumed as any other.
TEST_CASE("a packed transfer takes few bytes, and goes on where it was when its stream breaks") {
  plan p = slow_snapshots();
  p.packers = UINT64_MAX;
  world w(std::move(p));
  const node_id behind = w.follower();
  const node_id leader = w.cluster().leader();
  w.leave_behind(behind, 48);
  w.cluster().heal();
  REQUIRE(arrived(w, behind, 6 * mebibyte));
  w.cluster().network().cut(leader.value(), behind.value());
  CHECK(w.until([&] { return w.caught_up(behind); }, 400s));
  CHECK(w.counts()[counter::snapshots_installed] == 1);
  CHECK(w.counts()[counter::snapshots_broken] == 1);
  const node::snapshot_traffic& sent = w.cluster().the_node(leader).the_group().metrics().snapshots_sent;
  CHECK(sent.file_bytes >= bytes_of(w, leader, ".snap"));
  CHECK(sent.file_bytes < 13 * mebibyte); // else more than half of it would have been sent twice
  CHECK(sent.wire_bytes < sent.file_bytes / 20);
}

// The leader's own disk is the one that lies: it reads its file only when somebody refuses what it sent.
TEST_CASE(
    "a leader whose newest snapshot is damaged takes a fresh one, though nothing was written since, and sends it") {
  for (const std::uint64_t offset : {std::uint64_t{20}, std::uint64_t{2} * mebibyte}) {
    CAPTURE(offset);
    world w(slow_snapshots());
    const node_id behind = w.follower();
    w.leave_behind(behind, 48);
    const node_id leader = w.cluster().leader();
    w.go_on(100s);
    const auto snapshots = files_of(w, leader, ".snap");
    REQUIRE(snapshots.size() == 1);
    w.cluster().disk(leader).memory().flip(snapshots.front(), offset);
    const std::uint64_t taken = w.counts()[counter::snapshots_taken];
    w.cluster().heal();
    CHECK(w.until([&] { return w.caught_up(behind); }, 600s));
    CHECK(w.counts()[counter::snapshots_taken] == taken + 1);
    CHECK(w.cluster().the_process(leader).snapshot_worker().most_bytes() < 5 * mebibyte);
    CHECK(w.counts()[counter::snapshots_installed] == 1);
    CHECK(files_of(w, behind, ".part").empty());
  }
}

// Each has its own transfer, and they share the worker.
TEST_CASE("two followers at once are sent the same snapshot") {
  plan p = slow_snapshots();
  p.nodes = 5;
  world w(std::move(p));
  const node_id first = w.follower();
  const node_id second(first.value() % 5 + 1);
  const log_index last = w.core(second).last_index();
  w.cluster().crash(second, false, 10'000h, "the test");
  w.leave_behind(first, 48);
  REQUIRE(w.core(w.cluster().leader()).first_index() > last.next());
  w.cluster().heal();
  CHECK(w.until([&] { return w.caught_up(first) && w.caught_up(second); }, 600s));
  CHECK(w.counts()[counter::snapshots_installed] == 2);
  CHECK(w.counts()[counter::snapshots_broken] == 0);
}

namespace {

const node::snapshot_traffic& sent_by(world& w, node_id id) {
  return w.cluster().the_node(id).the_group().metrics().snapshots_sent;
}

} // namespace

// A join, or a member that was away for long, costs the leader nothing.
TEST_CASE("a follower sends its snapshot in the leader's place") {
  world w(delegated_snapshots());
  const node_id behind = w.follower();
  const node_id leader = w.cluster().leader();
  w.leave_behind(behind, 48);
  w.cluster().heal();
  REQUIRE(w.until([&] { return w.caught_up(behind); }, 600s));
  CHECK(w.cluster().leader() == leader);
  CHECK(w.counts()[counter::snapshots_installed] == 1);
  CHECK(w.counts()[counter::snapshots_delegated] == 1);
  CHECK(sent_by(w, leader).file_bytes == 0);
  const node_id other(6 - leader.value() - behind.value());
  CHECK(sent_by(w, other).file_bytes > 10 * mebibyte);
  // And it follows the leader, not whoever sent it.
  w.write(3);
  CHECK(w.until([&] { return w.caught_up(behind); }, 60s));
}

// Whatever the follower does, the member gets one.
TEST_CASE("where the follower that is to send a snapshot fails the leader does") {
  for (const bool crashes : {true, false}) {
    CAPTURE(crashes);
    world w(delegated_snapshots());
    const node_id behind = w.follower();
    const node_id leader = w.cluster().leader();
    const node_id other(6 - leader.value() - behind.value());
    w.leave_behind(behind, 48);
    w.cluster().heal();
    REQUIRE(arrived(w, behind, 2 * mebibyte));
    if (crashes)
      w.cluster().crash(other, false, 10'000h, "the test");
    else
      w.cluster().network().cut(other.value(), behind.value());
    REQUIRE(w.until([&] { return w.caught_up(behind); }, 600s));
    CHECK(w.counts()[counter::snapshot_orders_failed] != 0);
    CHECK(w.counts()[counter::snapshots_installed] == 1);
  }
}

// What it sends in the other's place ends, and its own core waits for another.
TEST_CASE("a follower that comes to lead while it sends a snapshot sends it on as leader") {
  world w(delegated_snapshots());
  const node_id behind = w.follower();
  const node_id leader = w.cluster().leader();
  const node_id other(6 - leader.value() - behind.value());
  w.leave_behind(behind, 48);
  w.cluster().heal();
  REQUIRE(arrived(w, behind, 2 * mebibyte));
  w.cluster().crash(leader, false, 10'000h, "the test");
  REQUIRE(w.until([&] { return w.cluster().leader() == other; }, 60s));
  CHECK(w.until([&] { return w.caught_up(behind); }, 600s));
  CHECK(w.counts()[counter::snapshots_installed] == 1);
}

// It takes one that does.
TEST_CASE("a follower whose snapshot does not go far enough takes another before it sends it") {
  plan p = delegated_snapshots();
  p.staggered = true;
  world w(std::move(p));
  const node_id behind = w.follower();
  const node_id leader = w.cluster().leader();
  const node_id other(6 - leader.value() - behind.value());
  w.leave_behind(behind, 48);
  w.cluster().heal();
  CHECK(w.until([&] { return w.caught_up(behind); }, 600s));
  CHECK(w.counts()[counter::snapshots_installed] == 1);
  CHECK(w.counts()[counter::snapshots_delegated] == 1);
  CHECK(sent_by(w, leader).file_bytes == 0);
  CHECK(sent_by(w, other).file_bytes != 0);
}

// Nobody will send the rest of it.
TEST_CASE("what arrived of a snapshot goes away when the log reaches its index without it") {
  plan p = slow_snapshots();
  p.group.snapshots.trailing_entries = 1000;
  world w(std::move(p));
  const node_id behind = w.follower();
  const std::string left = "/data/snapshots/0000000000000001-0000000000000009-0000000000000001.part";
  w.cluster().crash(behind, false, 10'000h, "the test");
  w.go_on(1s);
  w.cluster().disk(behind).memory().set_contents(left, std::vector<std::byte>(1000));
  w.cluster().heal();
  REQUIRE(w.until([&] { return w.caught_up(behind); }, 60s));
  CHECK(w.core(behind).commit() < log_index(9));
  w.go_on(1s);
  CHECK(files_of(w, behind, ".part").size() == 1);
  w.write(10);
  w.go_on(1s);
  CHECK(files_of(w, behind, ".part").empty());
}

// Whoever stops in the middle of building a state leaves what the next start accepts.
TEST_CASE("a node that stops while it checks a snapshot comes back and goes on") {
  world w(slow_snapshots());
  const node_id behind = w.follower();
  w.leave_behind(behind, 48);
  w.cluster().heal();
  REQUIRE(arrived(w, behind, bytes_of(w, w.cluster().leader(), ".snap")));
  w.go_on(15s);
  w.cluster().stop(behind, 1s, 1s);
  CHECK(w.until([&] { return w.counts()[counter::restarts] == 2; }, 60s));
  CHECK(bytes_of(w, behind, ".part") == bytes_of(w, w.cluster().leader(), ".snap"));
  CHECK(w.until([&] { return w.caught_up(behind); }, 400s));
  CHECK(w.counts()[counter::snapshots_installed] == 1);
}

// A follower's slow log has not written yet what its snapshot covers, and then finds no room for it, since the
// snapshot's file took that: it is given up, and taken again when there is room.
TEST_CASE("a snapshot does not wait for a log that waits for the room that its file takes") {
  plan p = slow_snapshots();
  p.snapshot_worker.per_mib = 50ms;
  world w(p);
  const node_id full = w.follower();
  w.write(30);
  w.go_on(1s);
  w.cluster().the_process(full).set_log_worker({.least = 2s, .most = 2s});
  sim_disk& disk = w.cluster().disk(full);
  disk.set_capacity(disk.used_bytes() + 18 * mebibyte); // for the snapshot and three segments
  w.write(30);                                          // ten segments
  REQUIRE(w.until([&] { return !files_of(w, full, ".tmp").empty(); }, 20s));
  CHECK(
      w.until([&] { return w.caught_up(full) && w.core(full).persisted_index() == w.core(full).last_index(); }, 200s));
  CHECK(files_of(w, full, ".tmp").empty());
}

// A full member finds no room for a snapshot of all keys. Once they are deleted there is room, but not for long, since
// its leader takes puts again before long and its log needs a place for them: it does not wait until it tries again.
TEST_CASE("a full member takes its snapshot as soon as its state has become small") {
  plan p = slow_snapshots();
  p.snapshot_worker.per_mib = 5ms;
  p.wal.reserve_bytes = 4 * mebibyte;
  p.group.snapshots.every_entries = 1'000'000;
  p.group.snapshots.retry_after = 10h;
  world w(p);
  const node_id full = w.follower();
  node::group& group = w.cluster().the_node(full).the_group();
  const auto accepting = [&] { return group.status().own_row().accepting; };
  w.write(8);
  w.go_on(1s);
  sim_disk& disk = w.cluster().disk(full);
  disk.set_capacity(disk.used_bytes() + 10 * mebibyte);
  while (accepting()) w.write(1);
  w.go_on(10s);
  REQUIRE_FALSE(accepting());
  REQUIRE(files_of(w, full, ".snap").empty());
  w.add(kv::command(kv::delete_range{.key = "k", .range_end = "l"}));
  w.submit();
  w.go_on(1s);
  w.add(kv::command(kv::compact{group.state().store().current()}));
  w.submit();
  CHECK(w.until(accepting, 5s));
  CHECK(w.failures() == 0);
}

// A receiver may be as slow as it likes, and would hold the log of everybody's writes: it is kept for it as long as it
// takes no more than lies between three snapshots, so that the next one alone does not make the transfer useless.
TEST_CASE("the log is not kept without bound for a follower that takes its snapshot slowly") {
  plan p = slow_snapshots();
  p.snapshot_worker.per_mib = 50ms;
  p.group.snapshots.every_bytes = 8 * mebibyte;
  world w(p);
  const node_id behind = w.follower();
  const node_id leader = w.cluster().leader();
  w.leave_behind(behind, 48);
  w.cluster().heal();
  REQUIRE(arrived(w, behind, 1));
  w.cluster().the_process(behind).set_snapshot_worker({.per_mib = 100s});
  const log_index held = w.core(leader).first_index();
  const std::uint64_t taken = w.counts()[counter::snapshots_taken];
  w.write(44); // eleven mebibytes: the next snapshot is due
  REQUIRE(w.until([&] { return w.counts()[counter::snapshots_taken] > taken; }, 100s));
  w.go_on(5s);
  CHECK(w.core(leader).first_index() == held); // else it would need that one too
  w.write(80);
  CHECK(w.until([&] { return w.core(leader).first_index() > held; }, 100s));
  CHECK(w.counts()[counter::snapshots_installed] == 0);
  w.cluster().the_process(behind).set_snapshot_worker({.per_mib = 50ms});
  CHECK(w.until([&] { return w.caught_up(behind); }, 3000s));
}

// A rate bounds what is written of a snapshot in a second.
TEST_CASE("a snapshot is written no faster than its rate") {
  plan p = slow_snapshots();
  p.snapshot_worker.per_mib = 0s;
  p.group.snapshots.rate = mebibyte;
  world w(p);
  w.write(40); // ten mebibytes, and one is due
  const coro::time_point due = w.clock().now();
  REQUIRE(w.until([&] { return w.counts()[counter::snapshots_taken] != 0; }, 60s));
  CHECK(w.clock().now() - due > 8s);
  CHECK(w.clock().now() - due < 15s);
}

// A rate that the log outruns holds it, and the history, without end: once it gives cause for two more snapshots, the
// one that is written keeps to no rate.
TEST_CASE("a snapshot that takes too long is hurried") {
  plan p = slow_snapshots();
  p.snapshot_worker.per_mib = 0s;
  p.group.snapshots.every_entries = 1'000'000;
  p.group.snapshots.every_bytes = 4 * mebibyte;
  p.group.snapshots.rate = 16 * 1024; // five minutes for what is there
  world w(p);
  w.write(20);
  w.go_on(5s);
  REQUIRE(w.counts()[counter::snapshots_taken] == 0);
  w.write(40); // three times as much log
  CHECK(w.until([&] { return w.counts()[counter::snapshots_taken] != 0; }, 30s));
}

// Members that write the same log take their snapshots at different places in it.
TEST_CASE("members take snapshots at moments of their own") {
  plan p = slow_snapshots();
  p.snapshot_worker.per_mib = 0s;
  p.staggered = true;
  world w(p);
  for (int i = 0; i < 100; ++i) w.write(1);
  w.go_on(3s);
  const std::string first = files_of(w, node_id(1), ".snap").front();
  const std::string second = files_of(w, node_id(2), ".snap").front();
  const std::string third = files_of(w, node_id(3), ".snap").front();
  CHECK(first != second);
  CHECK(second != third);
  CHECK(first != third);
}

} // namespace quorumd::sim
