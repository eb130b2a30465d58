#include "daemon/node/offline.hpp"

#include "consensus/storage/wal_recovery.hpp"
#include "daemon/node/state_builder.hpp"
#include "daemon/node/state_writer.hpp"
#include "tests/support/memory_files.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

using namespace quorumd;
using namespace quorumd::node;
using quorumd::testing::memory_files;

// What is done to data directories while no node runs.
namespace {

constexpr std::uint64_t n1 = 11;
constexpr std::uint64_t n2 = 12;
constexpr std::uint64_t n3 = 13;
const group_id g1{1};
const std::string data = "/data";

storage::wal_options small_log() {
  storage::wal_options o;
  o.segment_bytes = 64 * 1024;
  o.reserve_bytes = 0;
  return o;
}

wire::local_identity member(std::uint64_t id, const std::string& name, std::vector<wire::member> members = {}) {
  wire::local_identity self;
  self.id = node_id(id);
  self.name = name;
  self.cluster_name = "c";
  self.members = members.empty() ? std::vector<wire::member>{{node_id(n1), "n1", "h1:1"},
                                                             {node_id(n2), "n2", "h2:1"},
                                                             {node_id(n3), "n3", "h3:1"}}
                                 : std::move(members);
  return self;
}

/// Five revisions of two keys, the first of them compacted.
applier::state sample_state() {
  applier::state s;
  s.store = std::make_unique<kv::store>(kv::options{});
  const auto apply = [&](const kv::command& c) { REQUIRE(s.store->apply(s.store->applied().next(), c).has_value()); };
  apply(kv::put{.key = "a", .value = "1"}); // revision 2
  apply(kv::put{.key = "b", .value = "2"}); // 3
  apply(kv::put{.key = "a", .value = "3"}); // 4
  apply(kv::delete_range{.key = "b"});      // 5
  apply(kv::put{.key = "c", .value = "4"}); // 6
  apply(kv::compact{.revision = revision(3)});
  REQUIRE(s.members.record(membership::encode(node_id(n1), incarnation(7))));
  return s;
}

storage::snapshot_info sample_info(const applier::state& s) {
  return {.cluster = cluster_id(77),
          .group = g1,
          .mark = {.index = s.store->applied(),
                   .term = term(4),
                   .members = {.voters = {node_id(n1), node_id(n2), node_id(n3)}, .outgoing = {}, .learners = {}}},
          .created_unix_ms = 0};
}

std::string save_sample(memory_files& files) {
  applier::state s = sample_state();
  const auto file = write_state(files, "/backup", sample_info(s), s, {});
  REQUIRE(file.has_value());
  return file->path;
}

restore_plan plan_for(std::uint64_t id, const std::string& name) {
  return {.data_dir = data + std::to_string(id), .self = member(id, name), .state = {}, .compact = false};
}

snapshot_contents restored(memory_files& files, const std::string& path, const restore_plan& plan) {
  coro::system_entropy entropy;
  const auto r = restore_snapshot(files, entropy, path, plan, {});
  REQUIRE_MESSAGE(r.has_value(), r.error().message());
  return *r;
}

/// The state that a restored directory begins with.
applier::state state_in(memory_files& files, const std::string& directory) {
  const auto reader = storage::open_newest_snapshot(files, directory + "/snapshots", g1);
  REQUIRE(reader.has_value());
  state_builder builder;
  for (bool more = true; more;) {
    const auto read = builder.read_on(**reader, 1 << 20);
    REQUIRE(read.has_value());
    more = *read;
  }
  auto built = builder.finish();
  REQUIRE(built.has_value());
  return std::move(*built);
}

std::string value_of(const kv::store& s, const std::string& key, revision at = {}) {
  const auto found = s.range({.key = key, .revision = at});
  if (found.has_error()) return kv::describe(found.error().code());
  return found->kvs.empty() ? "-" : std::string(found->kvs.front().value);
}

/// A member's directory with the first entries of a log, of which some are known to be committed.
void make_log(memory_files& files, std::uint64_t entries, std::uint64_t committed,
              const std::vector<entry>& more = {}) {
  coro::system_entropy entropy;
  const storage::identity mine{.cluster = cluster_id(77),
                               .cluster_name = "c",
                               .node = node_id(n1),
                               .node_name = "n1",
                               .incarnation = {},
                               .created = false,
                               .beginning = {}};
  const auto directory = storage::data_directory::open(files, data, mine, entropy);
  REQUIRE(directory.has_value());
  storage::write w{.group = g1,
                   .number = {},
                   .hard = hard_state{term(3), node_id(n2)},
                   .install = {},
                   .entries = {},
                   .commit = log_index(committed)};
  for (std::uint64_t i = 1; i <= entries; ++i)
    w.entries.push_back(entry::make(g1, term(3), log_index(i), entry_kind::leader_start, {}));
  w.entries.insert(w.entries.end(), more.begin(), more.end());
  REQUIRE(storage::append_to_log(files, (*directory)->wal_directory(), small_log(), entropy, {}, w).has_value());
}

directory_contents look(memory_files& files) {
  coro::system_entropy entropy;
  const auto r = examine(files, entropy, data);
  REQUIRE_MESSAGE(r.has_value(), r.error().message());
  return *r;
}

std::string force(memory_files& files, const std::string& address = "h1:1") {
  coro::system_entropy entropy;
  const auto r = force_new_cluster(files, entropy, data, address);
  return r.has_value() ? std::string() : r.error().message();
}

entry members_entry(std::uint64_t index, const configuration& c, const member_records& records) {
  return entry::make(g1, term(3), log_index(index), entry_kind::members,
                     encode_configuration(c, encode_details(records)));
}

} // namespace

TEST_CASE("a snapshot is examined whole") {
  memory_files files;
  const std::string path = save_sample(files);
  const auto found = examine_snapshot(files, path, {});
  REQUIRE(found.has_value());
  CHECK(found->current == revision(6));
  CHECK(found->compacted == revision(3));
  CHECK(found->keys == 2);
  CHECK(found->hash == sample_state().store->content_hash());
  CHECK(found->info.mark.index == log_index(6));
  files.flip(path, found->file_bytes / 2);
  const auto flipped = examine_snapshot(files, path, {});
  REQUIRE(flipped.has_error());
  CHECK(flipped.error().code == storage::error_code::corrupt);
}

// Each member restores by itself, and they agree on who they are; others, and the old cluster, are strangers.
TEST_CASE("members that restore the same are of one cluster") {
  memory_files files;
  const std::string path = save_sample(files);
  const auto first = restored(files, path, plan_for(n1, "n1"));
  const auto second = restored(files, path, plan_for(n2, "n2"));
  CHECK(first.info.cluster == second.info.cluster);
  CHECK(first.info.mark == second.info.mark);
  CHECK(first.hash == second.hash);
  CHECK(first.info.cluster != cluster_id(77));
  CHECK(first.info.mark.members.voters.size() == 3);
  CHECK(first.roster.name_of(node_id(n3)) == "n3");
  CHECK(first.roster.index == first.info.mark.index);

  restore_plan other = plan_for(n3, "n3");
  other.state.raise = 1;
  CHECK(restored(files, path, other).info.cluster != first.info.cluster);
  other.data_dir += "x";
  other.state.raise = 0;
  other.self.members.pop_back();
  CHECK(restored(files, path, other).info.cluster != first.info.cluster);

  // A start finds a log that begins behind the snapshot, with nobody voted for.
  coro::system_entropy entropy;
  const auto held = examine(files, entropy, data + std::to_string(n1));
  REQUIRE_MESSAGE(held.has_value(), held.error().message());
  CHECK(held->last == first.info.mark.index);
  CHECK(held->commit == first.info.mark.index);
  CHECK(held->identity.cluster == first.info.cluster);
  const applier::state s = state_in(files, data + std::to_string(n1));
  CHECK(s.store->applied() == first.info.mark.index);
  CHECK(s.store->content_hash() == sample_state().store->content_hash());
  CHECK_FALSE(s.members.recorded(node_id(n1)));
  CHECK(value_of(*s.store, "a") == "3");
  CHECK(value_of(*s.store, "b", revision(4)) == "2");
}

TEST_CASE("a restore to an earlier revision leaves out what came later") {
  memory_files files;
  const std::string path = save_sample(files);
  restore_plan plan = plan_for(n1, "n1");
  plan.state.as_of = revision(4);
  const auto r = restored(files, path, plan);
  CHECK(r.current == revision(4));
  CHECK(r.keys == 2);
  applier::state s = state_in(files, plan.data_dir);
  CHECK(value_of(*s.store, "a") == "3");
  CHECK(value_of(*s.store, "b") == "2");
  CHECK(value_of(*s.store, "c") == "-");
  CHECK(s.store->content_hash() == s.store->recompute_content_hash());
  REQUIRE(s.store->apply(s.store->applied().next(), kv::put{.key = "d", .value = "5"}).has_value());
  CHECK(s.store->current() == revision(5));

  for (const std::uint64_t missing : {2, 7}) {
    plan.state.as_of = revision(missing);
    plan.data_dir = "/never";
    coro::system_entropy entropy;
    const auto refused = restore_snapshot(files, entropy, path, plan, {});
    REQUIRE(refused.has_error());
    CHECK(refused.error().message().find("holds the revisions 3 to 6") != std::string::npos);
  }
  plan.state = {.as_of = {}, .raise = UINT64_MAX};
  coro::system_entropy entropy;
  const auto beyond = restore_snapshot(files, entropy, path, plan, {});
  REQUIRE(beyond.has_error());
  CHECK(beyond.error().message().find("beyond the largest") != std::string::npos);
}

TEST_CASE("a restored cluster may begin with a higher revision and no history") {
  memory_files files;
  const std::string path = save_sample(files);
  restore_plan plan = plan_for(n1, "n1");
  plan.state.raise = 1000;
  plan.compact = true;
  const auto r = restored(files, path, plan);
  CHECK(r.current == revision(1006));
  CHECK(r.compacted == revision(1006));
  CHECK(r.history_bytes == 0);
  applier::state s = state_in(files, plan.data_dir);
  CHECK(value_of(*s.store, "a") == "3");
  CHECK(value_of(*s.store, "a", revision(6)) == kv::describe(kv::errc::compacted));
  CHECK(s.store->content_hash() == s.store->recompute_content_hash());
  REQUIRE(s.store->apply(s.store->applied().next(), kv::put{.key = "a", .value = "6"}).has_value());
  CHECK(s.store->current() == revision(1007));
}

// Whatever a crash leaves of it, a node takes the directory only with the whole state.
TEST_CASE("a restore that is cut off leaves no data directory") {
  memory_files prepared;
  const std::string path = save_sample(prepared);
  bool whole = false;
  std::uint64_t cut_off = 0;
  for (std::uint64_t at = 1; !whole; ++at) {
    const auto files = prepared.copy();
    std::uint64_t calls = 0;
    files->set_hook([&](const memory_files::operation& o) {
      return o.changes() && ++calls == at ? memory_files::fault::freeze : memory_files::fault::none;
    });
    const restore_plan plan = plan_for(n1, "n1");
    coro::system_entropy entropy;
    whole = restore_snapshot(*files, entropy, path, plan, {}).has_value();
    files->set_hook({});
    files->crash(at);
    const auto identity = storage::read_identity(*files, plan.data_dir);
    if (!identity) {
      ++cut_off;
      REQUIRE_FALSE(whole);
      const auto opened = storage::data_directory::open(
          *files, plan.data_dir,
          {.cluster = cluster_id(1), .cluster_name = "c", .node = node_id(n1), .node_name = "n1"}, entropy);
      // Nothing of it was there yet, or it is not taken for an empty one.
      if (opened) CHECK_FALSE(files->list(plan.data_dir + "/snapshots").has_error());
      continue;
    }
    const applier::state s = state_in(*files, plan.data_dir);
    CHECK(s.store->content_hash() == sample_state().store->content_hash());
  }
  CHECK(cut_off > 5);
}

TEST_CASE("a directory that holds something is not restored into") {
  memory_files files;
  const std::string path = save_sample(files);
  const restore_plan plan = plan_for(n1, "n1");
  (void)restored(files, path, plan);
  coro::system_entropy entropy;
  const auto again = restore_snapshot(files, entropy, path, plan, {});
  REQUIRE(again.has_error());
  CHECK(again.error().code == storage::error_code::exists);
  files.set_contents("/other/notes.txt", {});
  restore_plan other = plan;
  other.data_dir = "/other";
  const auto full = restore_snapshot(files, entropy, path, other, {});
  REQUIRE(full.has_error());
  CHECK(full.error().message().find("notes.txt") != std::string::npos);
  CHECK_FALSE(files.list("/other/snapshots").has_value());
}

TEST_CASE("a survivor becomes the only member, with all of its log") {
  memory_files files;
  make_log(files, 9, 4);
  const directory_contents before = look(files);
  CHECK(before.last == log_index(9));
  CHECK(before.commit == log_index(4));
  CHECK(before.last_term == term(3));
  CHECK_FALSE(before.roster.index);

  CHECK(force(files, "").find("--peer") != std::string::npos); // nobody knows where it is reached
  CHECK(look(files).identity == before.identity);
  REQUIRE(force(files).empty());
  const directory_contents after = look(files);
  CHECK(after.identity.cluster != before.identity.cluster);
  CHECK(after.identity.incarnation == before.identity.incarnation);
  CHECK(after.last == log_index(10));
  CHECK(after.last_term == term(4));
  CHECK(after.roster.members.voters == std::vector{node_id(n1)});
  CHECK(after.roster.records.at(node_id(n1)).address == "h1:1");
  const auto logs = storage::read_log(files, data + "/wal", {});
  REQUIRE(logs.has_value());
  CHECK(logs->front().hard == hard_state{term(4), node_id()}); // a vote of term 3 counts for nobody any more
  REQUIRE(force(files, "").empty());                           // the log knows the address now
}

TEST_CASE("a member that was removed or replaced begins no cluster") {
  const member_records two{{node_id(n2), {.name = "n2", .address = "h2:1"}},
                           {node_id(n3), {.name = "n3", .address = "h3:1"}}};
  memory_files files;
  make_log(files, 3, 3,
           {members_entry(4, {.voters = {node_id(n2), node_id(n3)}, .outgoing = {}, .learners = {}}, two)});
  const directory_contents before = look(files);
  CHECK(force(files).find("removed or replaced") != std::string::npos);
  CHECK(look(files).identity == before.identity);

  memory_files replaced;
  make_log(replaced, 3, 3);
  member_records mine = two;
  mine[node_id(n1)] = {.name = "n1", .address = "h9:1", .void_data = look(replaced).identity.incarnation};
  coro::system_entropy entropy;
  const storage::write w{
      .group = g1,
      .number = {},
      .hard = {},
      .install = {},
      .entries = {members_entry(4, {.voters = {node_id(n2), node_id(n3)}, .outgoing = {}, .learners = {node_id(n1)}},
                                mine)},
      .commit = {}};
  REQUIRE(storage::append_to_log(replaced, data + "/wal", small_log(), entropy, {}, w).has_value());
  CHECK(force(replaced).find("removed or replaced") != std::string::npos);
}

// Wherever it is cut off, nothing of the log is lost, and to begin anew completes it.
TEST_CASE("a recovery that is cut off is begun anew") {
  memory_files prepared;
  make_log(prepared, 9, 4);
  {
    applier::state s = sample_state();
    storage::snapshot_info info = sample_info(s);
    info.mark.index = log_index(4);
    info.mark.term = term(3);
    REQUIRE(write_state(prepared, data + "/snapshots", info, s, {}).has_value());
  }
  std::vector<std::string> calls{""}; // of a recovery that is left alone, counted from 1
  {
    const auto files = prepared.copy();
    files->set_hook([&](const memory_files::operation& o) {
      if (o.changes()) calls.push_back(std::to_string(static_cast<int>(o.call)) + " " + o.path);
      return memory_files::fault::none;
    });
    REQUIRE(force(*files).empty());
  }
  // Hundreds fill a segment with zeros, one like the other: of a row of like calls the first and the last are cut off.
  for (std::uint64_t at = 1; at < calls.size(); ++at) {
    if (at + 1 < calls.size() && calls[at] == calls[at - 1] && calls[at] == calls[at + 1]) continue;
    const auto files = prepared.copy();
    std::uint64_t made = 0;
    files->set_hook([&](const memory_files::operation& o) {
      return o.changes() && ++made == at ? memory_files::fault::freeze : memory_files::fault::none;
    });
    REQUIRE_FALSE(force(*files).empty());
    files->set_hook({});
    files->crash(at);
    INFO("cut off at call ", at);
    const directory_contents cut = look(*files);
    CHECK(cut.last >= log_index(9));
    // Alone it is only as another cluster, which nobody else is of.
    if (cut.roster.index) CHECK(cut.identity.cluster != cluster_id(77));
    REQUIRE(force(*files).empty());
    const directory_contents done = look(*files);
    CHECK(done.roster.members.voters == std::vector{node_id(n1)});
    const auto reader = storage::open_newest_snapshot(*files, data + "/snapshots", g1);
    REQUIRE(reader.has_value());
    CHECK((*reader)->info().cluster == done.identity.cluster);
    CHECK((*reader)->verify().has_value());
  }
}
