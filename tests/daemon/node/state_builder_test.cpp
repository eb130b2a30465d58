#include "daemon/node/state_builder.hpp"

#include "consensus/types/little_endian.hpp"
#include "daemon/kv/codec/snapshot_codec.hpp"
#include "daemon/node/state_writer.hpp"
#include "tests/support/memory_files.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <vector>

using namespace quorumd;
using namespace quorumd::node;
using quorumd::testing::memory_files;

namespace {

using blocks = std::vector<std::vector<std::byte>>;

std::vector<std::byte> block_of(const std::function<void(wire::byte_buffer&)>& fill) {
  wire::byte_buffer b;
  fill(b);
  return {b.bytes().begin(), b.bytes().end()};
}

/// A state of three keys and one member, as the blocks of a snapshot.
struct sample {
  kv::store store{kv::options{}};
  membership members;
  std::vector<std::byte> state, who, records;

  sample() {
    for (const char* key : {"a", "b", "c"})
      REQUIRE(store.apply(store.applied().next(), kv::put{.key = key, .value = "value"}).has_value());
    REQUIRE(members.record(membership::encode(node_id(1), incarnation(5))));
    kv::snapshot_cursor cursor(store);
    state = block_of([&](wire::byte_buffer& b) { kv::encode_snapshot_header(b, cursor.header()); });
    who = block_of(
        [&](wire::byte_buffer& b) { kv::encode_snapshot_section(b, kv::snapshot_section::members, members.encode()); });
    records = block_of([&](wire::byte_buffer& b) { kv::encode_snapshot_records(b, cursor.next(1 << 20)); });
    REQUIRE(cursor.next(1 << 20).empty());
    REQUIRE(cursor.done());
  }
};

storage::result<applier::state> build(const blocks& all) {
  memory_files files;
  const storage::snapshot_info info{.cluster = cluster_id(1), .group = group_id(1), .mark = {}, .created_unix_ms = 0};
  storage::snapshot_info marked = info;
  marked.mark = {.index = log_index(3), .term = term(1), .members = {.voters = {node_id(1)}}};
  auto writer = storage::snapshot_writer::create(files, "/snapshots", marked);
  REQUIRE(writer.has_value());
  for (const auto& b : all) REQUIRE((*writer)->append(b).has_value());
  const auto file = (*writer)->finish();
  REQUIRE(file.has_value());
  auto reader = storage::snapshot_reader::open(files, file->path);
  REQUIRE(reader.has_value());
  state_builder builder;
  for (;;) {
    const auto more = builder.read_on(**reader, 64);
    if (!more) return more.error();
    if (!*more) return builder.finish();
  }
}

std::vector<std::byte> joined(std::vector<std::byte> a, const std::vector<std::byte>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

} // namespace

// Sections may share a block or have one each.
TEST_CASE("a state is built of a snapshot's sections") {
  const sample s;
  for (const blocks& all : {blocks{s.state, s.who, s.records}, blocks{joined(joined(s.state, s.who), s.records)},
                            blocks{s.state, s.records, s.who}}) {
    const auto built = build(all);
    REQUIRE(built.has_value());
    CHECK(built->store->content_hash() == s.store.content_hash());
    CHECK(built->members == s.members);
  }
}

// Leases stand in front of the sessions, in as many sections as slices; from the level on that has leases, versions
// that know none find a section that they refuse, though there be no lease.
TEST_CASE("a snapshot's blocks have the leases") {
  kv::store store{kv::options{}};
  membership members;
  REQUIRE(members.record(membership::encode(node_id(1), incarnation(5))));
  const auto apply = [&](const kv::command& c) { REQUIRE(store.apply(store.applied().next(), c).has_value()); };
  const auto check = [&](std::size_t sections) {
    state_blocks of(store, members);
    std::size_t found = 0;
    blocks all;
    for (wire::byte_buffer b; !of.done();) {
      of.next(b, 64);
      CHECK(of.visits() <= 6);
      if (b.bytes().empty()) continue;
      all.emplace_back(b.bytes().begin(), b.bytes().end());
      std::span<const std::byte> rest = all.back();
      while (!rest.empty())
        found += kv::take_snapshot_section(rest).value().kind == kv::snapshot_section::leases ? 1 : 0;
    }
    CHECK(found == sections);
    const auto built = build(all);
    REQUIRE(built.has_value());
    CHECK(built->store->content_hash() == store.content_hash());
    CHECK(built->store->leases().size() == store.leases().size());
    CHECK(built->store->leases().key_count(lease_id(1)) == store.leases().key_count(lease_id(1)));
  };
  apply(kv::open_session{.nonce = 1, .idle_ms_max = 5000});
  check(0);
  apply(kv::raise_level{kv::session_level});
  check(0);
  apply(kv::raise_level{kv::lease_level});
  check(1);
  for (std::uint64_t id = 1; id <= 5; ++id) apply(kv::grant_lease{.id = lease_id(id), .ttl_s = 60});
  apply(kv::put{.key = "key", .value = "value", .lease = lease_id(1)});
  check(3);
}

// A later version's snapshot has a section more, or another form of a known one: the load ends there and says so.
TEST_CASE("a section of a later version stops the load") {
  const sample s;
  for (const std::size_t field : {0, 2}) { // kind, version
    std::vector<std::byte> later = s.who;
    store_le<std::uint16_t>(later.data() + field, 77);
    const auto built = build({s.state, s.who, later, s.records});
    REQUIRE_FALSE(built.has_value());
    CHECK(built.error().code == storage::error_code::version);
    CHECK(built.error().message().find("77") != std::string::npos);
  }
}

// What no version writes is damage.
TEST_CASE("sections that contradict each other are damage") {
  const sample s;
  std::vector<std::byte> short_one = s.who;
  store_le<std::uint32_t>(short_one.data() + 4, 4000);
  for (const blocks& all :
       {blocks{s.who, s.state, s.records}, blocks{s.records}, blocks{s.state, s.state, s.who, s.records},
        blocks{s.state, s.who, s.who, s.records}, blocks{s.state, s.records}, blocks{s.state, s.who},
        blocks{s.state, short_one, s.records}}) {
    const auto built = build(all);
    REQUIRE_FALSE(built.has_value());
    CHECK(built.error().code == storage::error_code::corrupt);
  }
}
