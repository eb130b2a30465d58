#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

// The power is cut at chosen moments: between a write and its sync, a file and its name, a step of a change and the
// next.
namespace quorumd::testing {
namespace {

struct moment {
  const char* what; ///< in words
  const char* when; ///< shim/journal.hpp
};

constexpr std::size_t words_a_moment = 20000; // at the most
constexpr std::size_t words_a_piece = 500;

/// Small segments and many snapshots, so that each moment comes soon.
cluster_options busy_disks(std::size_t spares = 0) {
  cluster_options o;
  o.spares = spares;
  o.lose_unsynced = true;
  o.set = {"storage.segment_bytes=1MiB",  "storage.snapshot_every_bytes=1MiB", "storage.snapshot_every_entries=500",
           "storage.trailing_entries=50", "storage.reserve_bytes=1MiB",        "limits.request_bytes_max=256KiB"};
  return o;
}

/// Members die at these moments one after the other, now the leader, now a follower, while words are imported.
void die_at_each(const std::string& name, const std::vector<moment>& moments, std::uint64_t seed) {
  cluster c(name, busy_disks());
  for (std::size_t i = 0; i < 3; ++i) c.start(i);
  c.wait_leader();
  auto words = make_words(moments.size() * words_a_moment);
  std::size_t fed = 0;
  import_run run(c);
  for (std::size_t n = 0; n < moments.size(); ++n) {
    CAPTURE(moments[n].what);
    const std::size_t leader = c.wait_leader();
    const std::size_t victim = n % 2 == 0 ? (leader + 1) % 3 : leader;
    c.kill(victim, seed);
    c.die_at(victim, moments[n].when);
    c.start(victim);
    c.wait_healthy(victim);
    c.arm(victim);
    for (const std::size_t most = fed + words_a_moment; fed < most && c.running(victim); fed += words_a_piece)
      run.feed(words, fed, fed + words_a_piece);
    c.wait_death(victim, seed == 0 ? 0 : seed + n);
    c.start(victim);
    c.wait_healthy(victim);
  }
  run.finish(fed);
  words.resize(fed);
  for (std::size_t i = 0; i < 3; ++i) c.kill(i, seed);
  for (std::size_t i = 0; i < 3; ++i) c.start(i);
  c.check_all_hold(words);
}

} // namespace

TEST_CASE("power cuts between the steps of saving lose nothing acknowledged") {
  die_at_each("moments_log",
              {{"entries are written and not durable", "written wal/ 5"},
               {"their sync begins", "syncing wal/ 5"},
               {"they are durable and nobody was told", "synced wal/ 5"},
               {"a file of the log was just created", "created wal/ 1"},
               {"it got another name", "renamed wal/ 1"},
               {"its name is durable", "synced /wal 1"}},
              0);
}

TEST_CASE("power cuts between the steps of a snapshot lose nothing acknowledged") {
  die_at_each("moments_snapshot",
              {{"it is half written", "written .tmp 2"},
               {"it is whole and has no name", "syncing .tmp 1"},
               {"it has its name, which is not durable", "renamed .snap 1"},
               {"the one before it is removed", "removed .snap 1"},
               {"its name is durable", "synced /snapshots 1"}},
              20261);
}

TEST_CASE("a power cut in the middle of a change of members leaves one or the other") {
  cluster c("moments_members", busy_disks(1));
  for (std::size_t i = 0; i < 4; ++i) c.start(i);
  c.wait_leader();
  const auto words = make_words(4000);
  import_run run(c);
  run.feed(words, 0, 1000);
  const std::string place = c.node_name(3) + "=" + c.peer_place(3).ip + ":" + std::to_string(c.peer_place(3).port);
  std::size_t fed = 1000;
  for (const char* when : {"written wal/ 1", "synced wal/ 1", "synced wal/ 2"}) {
    CAPTURE(when);
    const std::size_t leader = c.wait_leader();
    // It is the leader again after its restart, or not: who it is then makes the change.
    const std::size_t victim = leader == 3 ? 0 : leader;
    c.kill(victim);
    c.die_at(victim, when);
    c.start(victim);
    c.wait_healthy(victim);
    if (c.wait_leader() != victim) done(c.at(victim, {"leader", "transfer", c.node_name(victim)}));
    c.arm(victim);
    const bool there = c.at((victim + 1) % 3, {"member", "list"}).output.find("n4") != std::string::npos;
    if (there)
      (void)c.at((victim + 1) % 3, {"member", "remove", "n4", "--timeout", "3s"});
    else
      (void)c.at((victim + 1) % 3, {"member", "add", place, "--no-wait", "--timeout", "3s"});
    c.wait_death(victim);
    c.start(victim);
    c.wait_healthy(victim);
    run.feed(words, fed, fed + 1000);
    fed += 1000;
    // Nothing is left half done: a new leader ends what it finds, so that another change may begin.
    REQUIRE(eventually(
        [&] {
          return c.at(victim, {"member", "list"}).output.find("under way") == std::string::npos;
        },
        seconds(20)));
    if (!c.running(3)) c.start(3); // it was told that it was removed
  }
  run.finish(words.size());
  std::vector<std::size_t> members{0, 1, 2};
  for (const std::size_t i : members)
    REQUIRE(eventually([&] { return c.status(i)->keys == words.size(); }, seconds(20)));
}

} // namespace quorumd::testing
