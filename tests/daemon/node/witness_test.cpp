#include "daemon/node/witness.hpp"

#include "daemon/node/state_builder.hpp"
#include "daemon/node/state_writer.hpp"
#include "tests/support/memory_files.hpp"

#include <doctest/doctest.h>

#include <string>
#include <variant>
#include <vector>

using namespace quorumd;
using namespace quorumd::node;
using quorumd::testing::memory_files;

namespace {

std::vector<std::byte> bytes_of(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

raft::outgoing append_to(std::uint64_t id, const std::vector<entry>& entries) {
  raft::append_request m;
  m.term = term(3);
  m.entries = entries;
  return {node_id(id), std::move(m)};
}

const std::vector<entry>& entries_of(const raft::outgoing& o) {
  return std::get<raft::append_request>(o.message).entries;
}

} // namespace

TEST_CASE("witness: commands are taken out of its appends, and nothing else") {
  const std::vector<entry> all{
      entry::make(group_id(1), term(2), log_index(4), entry_kind::command, bytes_of("secret")),
      entry::make(group_id(1), term(2), log_index(5), entry_kind::configuration, bytes_of("on record")),
      entry::make(group_id(1), term(3), log_index(6), entry_kind::members, bytes_of("members")),
      entry::make(group_id(1), term(3), log_index(7), entry_kind::leader_start, {})};
  std::vector<raft::outgoing> messages{append_to(2, all), append_to(3, all)};
  withhold(group_id(1), messages, {node_id(3)});
  for (std::size_t i = 0; i < all.size(); ++i) {
    CAPTURE(i);
    CHECK(entries_of(messages[0])[i].encoded().data() == all[i].encoded().data());
    const entry& kept = entries_of(messages[1])[i];
    CHECK(kept.index() == all[i].index());
    CHECK(kept.term() == all[i].term());
    CHECK(kept.kind() == (i == 0 ? entry_kind::withheld : all[i].kind()));
    CHECK(kept.payload().size() == (i == 0 ? 0 : all[i].payload().size()));
  }
}

TEST_CASE("witness: its snapshot says the same of the log and the members, and holds no data") {
  memory_files files;
  const snapshot_place place{
      .files = files, .directory = "/data/snapshots", .cluster = cluster_id(1), .group = group_id(1)};
  for (const char* directory : {"/data", "/data/snapshots"}) REQUIRE(files.make_directory(directory).has_value());
  applier::state full{.store = std::make_unique<kv::store>(kv::options{}), .members = {}};
  REQUIRE(full.members.record(membership::encode(node_id(1), incarnation(5))));
  for (std::uint64_t last : {3, 5}) { // a later one takes the place of the earlier
    while (full.store->applied().value() < last)
      REQUIRE(full.store->apply(full.store->applied().next(), kv::put{.key = "k", .value = "secret"}).has_value());
    const storage::snapshot_info info{
        .cluster = cluster_id(1),
        .group = group_id(1),
        .mark = {.index = log_index(last), .term = term(2), .members = {.voters = {node_id(1)}}},
        .created_unix_ms = 0};
    REQUIRE(write_state(files, place.directory, info, full, {}).has_value());
    auto opened = open_for_witness(place);
    REQUIRE(opened.has_value());
    CHECK((*opened)->info().mark == info.mark);
    state_builder builder;
    for (bool more = true; more;) {
      const auto read = builder.read_on(**opened, 1 << 20);
      REQUIRE(read.has_value());
      more = *read;
    }
    const auto built = builder.finish();
    REQUIRE(built.has_value());
    CHECK(built->store->applied() == log_index(last));
    CHECK(built->store->keys() == 0);
    CHECK(built->members == full.members);
  }
  const auto kept = storage::list_snapshots(files, "/data/snapshots/witness", group_id(1));
  REQUIRE(kept.has_value());
  CHECK(kept->size() == 1);
  const auto own = storage::newest_snapshot(files, place.directory, group_id(1));
  REQUIRE(own.has_value());
  CHECK(own->newest->info.mark.index == log_index(5)); // the node's own is still there
  CHECK(own->damaged.empty());
}
