#include "consensus/storage/inspect.hpp"
#include "consensus/storage/wal_format.hpp"
#include "tests/consensus/storage/wal_rig.hpp"

#include <algorithm>

namespace quorumd::storage::test {

using quorumd::testing::memory_files;

// For `quorumd inspect wal`: an operator sees what stands where, and why it ends.
TEST_CASE("inspection walks over a log, and names damage without changing anything") {
  memory_files disk;
  {
    auto log = start_wal(disk, 1);
    write w{.group = group_id(1),
            .number = raft::write_number(1),
            .hard = hard_state{term(4), node_id(2)},
            .install = {},
            .entries = {},
            .commit = log_index(1)};
    w.entries.push_back(make_entry(group_id(1), 4, 1, "one"));
    w.entries.push_back(make_entry(group_id(1), 4, 2, "two"));
    (*log)->submit(std::move(w));
    log->pump();
    (*log)->submit({.group = group_id(1),
                    .number = raft::write_number(2),
                    .hard = {},
                    .install = {},
                    .entries = {},
                    .commit = log_index(2)});
    log->pump();
  }
  const std::uint64_t operations = disk.count().operations;
  std::vector<inspected> seen;
  const auto inspect = [&](const std::string& path) {
    seen.clear();
    return inspect_wal(disk, path, [&](const inspected& i) { seen.push_back(i); });
  };
  const auto has = [&](inspected_kind k, const std::string& part) {
    return std::any_of(seen.begin(), seen.end(),
                       [&](const inspected& i) { return i.kind == k && i.text.find(part) != std::string::npos; });
  };
  REQUIRE(inspect(wal_directory).has_value());
  CHECK(has(inspected_kind::segment, "segment 1 "));
  CHECK(has(inspected_kind::record, "entries 1 to 2"));
  CHECK(has(inspected_kind::record, "term 4 vote 0000000000000002"));
  CHECK(has(inspected_kind::end, "ends before batch 4"));
  CHECK(has(inspected_kind::end, "prepared and never begun"));
  CHECK_FALSE(has(inspected_kind::problem, ""));
  CHECK(disk.count().operations == operations);

  const std::string first = std::string(wal_directory) + '/' + segment_name(1);
  disk.flip(first, 2 * block_bytes + 100);
  REQUIRE(inspect(first).has_value());
  CHECK(has(inspected_kind::problem, "batch 2 was durable"));
  CHECK(inspect("/data/wal/none").error().code == error_code::not_found);
}

// A start refuses a log whose segment has lost its header; so does the inspection, of the file and of the whole.
TEST_CASE("inspection says of a damaged segment header what a start says") {
  memory_files disk;
  {
    auto log = start_wal(disk, 1);
    for (std::uint64_t n = 1; n <= 2; ++n) {
      write w{.group = group_id(1),
              .number = raft::write_number(n),
              .hard = hard_state{term(n), node_id(2)},
              .install = {},
              .entries = {},
              .commit = {}};
      (*log)->submit(std::move(w));
      log->pump();
    }
  }
  std::size_t problems = 0;
  const auto inspect = [&](const std::string& path) {
    problems = 0;
    return inspect_wal(disk, path, [&](const inspected& i) { problems += i.kind == inspected_kind::problem ? 1 : 0; });
  };
  REQUIRE(inspect(wal_directory).has_value());
  CHECK(problems == 0);
  const std::string first = std::string(wal_directory) + '/' + segment_name(1);
  disk.flip(first, 16);
  REQUIRE(inspect(first).has_value());
  CHECK(problems == 1);
  REQUIRE(inspect(wal_directory).has_value());
  CHECK(problems >= 1);
}

// The log of a data directory is found from the directory too; where there is none, that is an error and no silence.
TEST_CASE("inspection of a directory without a log") {
  memory_files disk;
  { auto log = start_wal(disk, 1); }
  std::size_t seen = 0;
  const auto inspect = [&](const std::string& path) {
    seen = 0;
    return inspect_wal(disk, path, [&](const inspected&) { ++seen; });
  };
  const std::string data = std::string(wal_directory).substr(0, std::string(wal_directory).rfind('/'));
  REQUIRE(inspect(data).has_value());
  CHECK(seen > 0);
  REQUIRE(inspect(data + "/wal/").has_value());
  CHECK(seen > 0);
  REQUIRE(disk.make_directory("/other").has_value());
  CHECK(inspect("/other").error().code == error_code::not_found);
}

} // namespace quorumd::storage::test
