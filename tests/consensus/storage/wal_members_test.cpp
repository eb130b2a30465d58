#include "tests/consensus/storage/wal_rig.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace quorumd::storage::test {

using quorumd::testing::memory_files;

namespace {

entry members_entry(group_id g, std::uint64_t t, std::uint64_t index) {
  configuration c;
  c.voters = {node_id(index)}; // so that each tells itself from the others
  return entry::make(g, term(t), log_index(index), entry_kind::members, encode_configuration(c, {}));
}

/// Entries up to `last`, of which those at these indexes change the members.
write with_members(group_id g, std::uint64_t number, std::uint64_t t, std::uint64_t first, std::uint64_t last,
                   const std::vector<std::uint64_t>& changes) {
  write w = append(g, number, t, first, last - first + 1);
  w.hard = hard_state{term(t), node_id(1)};
  for (const std::uint64_t index : changes) w.entries[index - first] = members_entry(g, t, index);
  return w;
}

/// The indexes of the changes that a start finds, each of which says what was written.
std::vector<std::uint64_t> found(const recovered_group& g) {
  std::vector<std::uint64_t> indexes;
  for (const entry& e : g.configurations) {
    const auto read = decode_configuration(e.payload());
    REQUIRE(read);
    CHECK(read->members.voters == std::vector<node_id>{node_id(e.index().value())});
    indexes.push_back(e.index().value());
  }
  return indexes;
}

using indexes = std::vector<std::uint64_t>;

} // namespace

TEST_CASE("a start finds the changes of members that the log holds") {
  memory_files disk;
  auto log = start_wal(disk, 1);
  CHECK((*log)->recovered().empty());
  (*log)->submit(with_members(g1, 1, 1, 1, 6, {2, 5}));
  log->pump();
  const auto restart = [&](std::uint64_t seed, std::span<const group_snapshot> snapshots = {}) {
    log.reset();
    disk.crash(seed, memory_files::loss::everything);
    log = start_wal(disk, seed, small_options(), {g1}, snapshots);
    REQUIRE((*log)->recovered().size() == 1);
    CHECK(why_refused((*log)->recovered()[0]) == "");
    return found((*log)->recovered()[0]);
  };
  CHECK(restart(2) == indexes{2, 5});

  SUBCASE("what was overwritten is forgotten") {
    (*log)->submit(with_members(g1, 1, 2, 4, 8, {7}));
    log->pump();
    CHECK(restart(3) == indexes{2, 7});
  }
  SUBCASE("what a snapshot covers and the log does not keep is forgotten") {
    const snapshot_mark mark{log_index(4), term(1), {{node_id(2)}, {}, {}}};
    (*log)->truncate_prefix(g1, mark, log_index(4));
    log->pump();
    const std::vector<group_snapshot> snapshots{{g1, mark}};
    CHECK(restart(3, snapshots) == indexes{5});
  }
  SUBCASE("a log that begins anew has none") {
    const snapshot_mark mark{log_index(9), term(3), {{node_id(2)}, {}, {}}};
    write w = append(g1, 1, 3, 10, 2);
    w.hard = hard_state{term(3), node_id(1)};
    w.install = mark;
    (*log)->submit(std::move(w));
    log->pump();
    const std::vector<group_snapshot> snapshots{{g1, mark}};
    CHECK(restart(3, snapshots).empty());
  }
}

// The segment in which it was written is long gone.
TEST_CASE("a change of members that was moved is found too") {
  memory_files disk;
  auto log = start_wal(disk, 1, small_options(), {g1, g2});
  (*log)->submit(with_members(g2, 1, 1, 1, 3, {2}));
  log->pump();
  std::vector<group_snapshot> snapshots;
  for (std::uint64_t n = 1; n <= 60; ++n) {
    (*log)->submit(append(g1, n, 1, n, 1, 900));
    log->pump();
    snapshots = {{g1, {log_index(n), term(1), {{node_id(1)}, {}, {}}}}};
    (*log)->truncate_prefix(g1, snapshots[0].mark, log_index(n + 1));
    log->pump();
  }
  REQUIRE((*log)->stats().moved_bytes > 0);
  log.reset();
  disk.crash(1, memory_files::loss::everything);
  log = start_wal(disk, 2, small_options(), {g1, g2}, snapshots);
  REQUIRE((*log)->recovered().size() == 2);
  CHECK(found((*log)->recovered()[1]) == indexes{2});
}

} // namespace quorumd::storage::test
