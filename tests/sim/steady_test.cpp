#include "tests/sim/test_cluster.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

// Work that grows with the state, on whole nodes on virtual time, where each record that is visited takes its time.
namespace quorumd::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t keys = 12'800;
constexpr std::string_view rest{"\0", 1};

/// A record takes 100 us, so that a pass over all of them takes four times the election timeout.
plan slow_records(coro::duration turn_budget, std::size_t slice_cost) {
  plan p;
  p.seed = 1;
  p.wal.segment_bytes = std::size_t{1} << 20;
  p.wal.reserve_bytes = 65536;
  p.group.snapshots.every_entries = 1'000'000;
  p.visit_cost = 100us;
  p.group.turn_budget = turn_budget;
  p.group.slice_cost = slice_cost;
  return p;
}
plan in_slices() {
  return slow_records(2ms, 8);
}

class world final : public test_cluster {
 public:
  explicit world(plan p)
      : test_cluster(std::move(p)) {
    add_keys("key");
    submit();
    REQUIRE(until([&] { return all_answered(); }, 60s));
    go_on(1s); // the followers too
    term_ = core(cluster().leader()).hard().term;
  }

  /// Adds puts of all keys with that prefix, in as few transactions as will do.
  void add_keys(const std::string& prefix) {
    for (std::size_t at = 0; at < keys;) {
      std::vector<std::string> names(kv::operations_max);
      kv::txn t;
      for (std::string& name : names) {
        name = prefix + std::to_string(at++);
        t.success.push_back({kv::put{.key = name, .value = "v", .lease = {}}});
      }
      add(t);
    }
  }

  /// Asks what was added, and puts all the while: whether every answer came and the leader stayed.
  [[nodiscard]] bool stays_calm() {
    for (submit(); !all_answered();) {
      go_on(20ms);
      if (!cluster().leader()) return false;
      if (core(cluster().leader()).hard().term != term_) return false;
    }
    go_on(1s);
    return failures() == 0 && cluster().leader() && core(cluster().leader()).hard().term == term_;
  }

 private:
  term term_;
};

} // namespace

// Every key is deleted by one command: every node applies it for more than a second, and hears its peers meanwhile.
TEST_CASE("a deletion of everything leaves the leader in its place") {
  world w(in_slices());
  w.add(kv::command(kv::delete_range{.key = "k", .range_end = rest}));
  CHECK(w.stays_calm());
  CHECK(w.clock().longest_work() < 10ms);
  // With an endless budget it is done in one go.
  world endless(slow_records(10min, 10'000'000));
  endless.add(kv::command(kv::delete_range{.key = "k", .range_end = rest}));
  (void)endless.stays_calm();
  CHECK(endless.clock().longest_work() > 1s);
}

// A transaction compares every key, and reads some of them at an old revision.
TEST_CASE("a transaction that looks at everything leaves the leader in its place") {
  world w(in_slices());
  kv::txn t;
  t.compares.push_back({.key = "k", .range_end = rest, .target = kv::compare_target::value, .value = "v"});
  t.success.push_back({kv::range_request{.key = "k", .range_end = rest, .revision = revision(20), .count_only = true}});
  t.success.push_back({kv::put{.key = "key0", .value = "w", .lease = {}}});
  w.add(t);
  CHECK(w.stays_calm());
  CHECK(w.clock().longest_work() < 10ms);
}

// Reads of everything, counts of the present and of the past; what the deletion left is freed meanwhile.
TEST_CASE("reads of everything and compaction leave the leader in its place") {
  const auto ask = [](world& w) {
    w.add(kv::command(kv::delete_range{.key = "key1", .range_end = "key2"}));
    w.add(kv::command(kv::compact{revision(50)}));
    for (int i = 0; i < 5; ++i) {
      w.add(kv::range_request{
          .key = "k", .range_end = rest, .target = kv::sort_target::mod, .order = kv::sort_order::descend});
      w.add(kv::range_request{.key = "k", .range_end = rest, .count_only = true});
      w.add(kv::range_request{.key = "k", .range_end = rest, .revision = revision(100), .count_only = true});
    }
  };
  world w(in_slices());
  ask(w);
  CHECK(w.stays_calm());
  CHECK(w.clock().longest_work() < 10ms);
  // The leader alone reads: with an endless budget that costs the leadership.
  world endless(slow_records(10min, 10'000'000));
  ask(endless);
  CHECK_FALSE(endless.stays_calm());
}

// A command that takes a second is applied: what was compacted before it is not kept in memory until it is done.
TEST_CASE("what was compacted is freed while a long command is applied") {
  world w(in_slices());
  const kv::store& leader = w.cluster().the_node(w.cluster().leader()).the_group().state().store();
  w.add(kv::command(kv::compact{leader.current()})); // what came into being is passed over before
  w.add(kv::command(kv::delete_range{.key = "key1", .range_end = "key2"}));
  w.add(kv::command(kv::put{.key = "other", .value = "v", .lease = {}})); // the deletion is not the compacted revision
  w.submit();
  REQUIRE(w.until([&] { return w.all_answered(); }, 60s));
  w.go_on(10s);
  const std::uint64_t half = (leader.held_bytes() + leader.bytes()) / 2;
  kv::txn looks;
  looks.compares.push_back({.key = "k", .range_end = rest, .target = kv::compare_target::value, .value = "v"});
  w.add(kv::command(kv::compact{leader.current()}));
  w.add(looks);
  w.submit();
  REQUIRE(w.until([&] { return leader.held_bytes() < half; }, 60s));
  CHECK_FALSE(w.all_answered());
  CHECK(w.stays_calm());
}

// While a snapshot is written, as many keys again come into being behind all those that it holds: it passes them a few
// at a time, though there is nothing to write of them.
TEST_CASE("a snapshot that passes younger keys leaves the leader in its place") {
  plan p = in_slices();
  p.group.snapshots.every_entries = 90;
  p.group.snapshots.slice_bytes = 1024;
  world w(p);
  w.add_keys("young");
  CHECK(w.stays_calm());
  REQUIRE(w.until([&] { return w.counts()[counter::snapshots_taken] >= 3; }, 60s));
  CHECK(w.clock().longest_work() < 10ms);
}

} // namespace quorumd::sim
