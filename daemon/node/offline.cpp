#include "daemon/node/offline.hpp"

#include "consensus/raft/core.hpp"
#include "consensus/raft/quorum.hpp"
#include "consensus/storage/wal_recovery.hpp"
#include "daemon/kv/record.hpp"
#include "daemon/node/state_builder.hpp"
#include "daemon/node/state_writer.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace quorumd::node {
namespace {

using storage::error;
using storage::error_code;
using storage::result;

constexpr std::size_t slice_bytes = std::size_t{4} * 1024 * 1024;

group_id the_group() {
  return raft::options{}.group;
}

/// A directory that is held, and what it holds.
struct opened_directory {
  std::unique_ptr<storage::data_directory> directory;
  std::vector<storage::group_snapshot> snapshots;
  std::optional<storage::snapshot_file> newest;
  directory_contents contents;
  quorumd::term term; ///< that the member has seen
};

result<std::unique_ptr<storage::data_directory>> hold(storage::file_system& files, coro::entropy& entropy,
                                                      const std::string& data_dir) {
  const auto whose = storage::read_identity(files, data_dir);
  if (!whose && whose.error().code == error_code::not_found)
    return error(error_code::not_found, data_dir, "there is no data directory of a member here");
  if (!whose) return whose.error();
  return storage::data_directory::open(files, data_dir, *whose, entropy);
}

/// What a snapshot says of the members; they stand in front of the records.
result<membership> members_in(storage::file_system& files, const std::string& path) {
  auto reader = storage::snapshot_reader::open(files, path);
  if (!reader) return reader.error();
  state_builder head;
  if (auto read = head.read_on(**reader, 1); !read) return read.error();
  return head.members();
}

result<roster> first_roster(storage::file_system& files, const opened_directory& o) {
  roster r;
  if (o.newest) {
    auto members = members_in(files, o.newest->path);
    if (!members) return members.error();
    r = members->roster();
  }
  if (!r.index && !o.contents.identity.beginning.empty())
    if (auto told = decode_roster(o.contents.identity.beginning)) r = std::move(*told);
  return r;
}

result<opened_directory> open_directory(storage::file_system& files, coro::entropy& entropy,
                                        const std::string& data_dir) {
  opened_directory o;
  auto held = hold(files, entropy, data_dir);
  if (!held) return held.error();
  o.directory = std::move(*held);
  directory_contents& c = o.contents;
  c.identity = o.directory->identity();
  auto found = storage::newest_snapshot(files, o.directory->snapshot_directory(), the_group());
  if (!found) return found.error();
  o.newest = found->newest;
  if (o.newest) o.snapshots.push_back({the_group(), o.newest->info.mark});
  auto newest = first_roster(files, o);
  if (!newest) return newest.error();
  c.roster = std::move(*newest);
  auto logs = storage::read_log(files, o.directory->wal_directory(), o.snapshots);
  if (!logs) return logs.error();
  for (const storage::recovered_group& g : *logs) {
    if (g.group != the_group()) continue;
    o.term = g.hard.term;
    c.last = g.last;
    c.last_term = g.runs.empty() ? g.start.term : g.runs.back().term;
    c.commit = g.commit;
    for (const entry& e : g.configurations)
      if (auto next = follow(c.roster, e)) c.roster = std::move(*next);
  }
  return o;
}

/// What takes part in no cluster any more must not begin one.
result<void> check_member(const opened_directory& o) {
  const directory_contents& c = o.contents;
  if (!c.roster.index) return {};
  const auto mine = c.roster.records.find(c.identity.node);
  if (mine != c.roster.records.end() && mine->second.witness)
    return error(error_code::foreign, o.directory->path(),
                 c.identity.node_name + " is a witness, which holds no data: go on from another member's directory");
  if (mine != c.roster.records.end() && mine->second.void_data != c.identity.incarnation) return {};
  return error(error_code::foreign, o.directory->path(),
               "by its own log " + c.identity.node_name +
                   " was removed or replaced, and may lack what the cluster has acknowledged since: go on from another "
                   "member's directory");
}

/// The configuration of one, with what the others need to reach it.
std::vector<std::byte> alone(const directory_contents& c, const std::string& address) {
  const member_records records{
      {c.identity.node,
       {.name = c.identity.node_name, .address = address, .promotes = false, .begins_anew = false, .void_data = {}}}};
  return encode_configuration({.voters = {c.identity.node}, .outgoing = {}, .learners = {}}, encode_details(records));
}

result<std::string> address_of(const opened_directory& o, const std::string& given) {
  if (!given.empty()) return given;
  const directory_contents& c = o.contents;
  const auto mine = c.roster.records.find(c.identity.node);
  if (mine != c.roster.records.end() && !mine->second.address.empty()) return mine->second.address;
  return error(error_code::not_found, o.directory->path(),
               "the log does not say where other members dial " + c.identity.node_name +
                   ", since the members were never changed: add --peer HOST:PORT, or give its configuration "
                   "with --config");
}

/// Reads the whole file into a state.
result<applier::state> build(storage::file_system& files, const std::string& path, const kv::restoration& how,
                             storage::snapshot_info& info, std::uint64_t& bytes,
                             const storage::snapshot_progress& progress) {
  auto reader = storage::snapshot_reader::open(files, path);
  if (!reader) return reader.error();
  info = (*reader)->info();
  bytes = (*reader)->bytes();
  state_builder builder(how);
  for (bool more = true; more;) {
    auto read = builder.read_on(**reader, slice_bytes);
    if (!read) return read.error();
    more = *read;
    if (progress) progress((*reader)->position(), bytes);
  }
  return builder.finish();
}

snapshot_contents contents_of(const applier::state& s, const storage::snapshot_info& info, std::uint64_t file_bytes) {
  return {.info = info,
          .file_bytes = file_bytes,
          .current = s.store->current(),
          .compacted = s.store->compacted(),
          .keys = s.store->keys(),
          .bytes = s.store->bytes(),
          .history_bytes = s.store->history_bytes(),
          .hash = s.store->content_hash(),
          .roster = s.members.roster()};
}

result<void> check_revision(const std::string& path, const snapshot_contents& c, const kv::restoration& how) {
  if (how.raise > number_max - c.current.value())
    return error(error_code::not_found, path,
                 "a revision that is " + std::to_string(how.raise) + " above " + std::to_string(c.current.value()) +
                     " is beyond the largest, " + std::to_string(number_max));
  const revision as_of = how.as_of;
  if (!as_of || (as_of <= c.current && as_of >= c.compacted && as_of.value() >= 1)) return {};
  return error(error_code::not_found, path,
               "the snapshot holds the revisions " + std::to_string(std::max<std::uint64_t>(c.compacted.value(), 1)) +
                   " to " + std::to_string(c.current.value()) + ", not " + std::to_string(as_of.value()));
}

/// The same for whoever restores the same; never the old cluster's.
cluster_id number_of(const snapshot_contents& c, const restore_plan& plan) {
  std::vector<std::uint64_t> of{c.info.cluster.value(),   c.info.mark.index.value(), c.info.mark.term.value(),  c.hash,
                                plan.state.as_of.value(), plan.state.raise,          plan.compact ? 1ull : 0ull};
  std::vector<std::uint64_t> members;
  for (const wire::member& m : plan.self.members) members.push_back(m.id.value());
  std::sort(members.begin(), members.end());
  of.insert(of.end(), members.begin(), members.end());
  return cluster_id(kv::hash_of(of) | 1);
}

/// The state as the new cluster begins with it, at the mark's index.
void begin_with(applier::state& s, const restore_plan& plan, const snapshot_mark& mark) {
  if (plan.compact)
    (void)s.store->apply(mark.index, kv::compact{.revision = s.store->current()});
  else
    s.store->skip(mark.index);
  while (s.store->compact_step(1000)) {
  }
  const roster first = roster_of(plan.self.members);
  s.members = membership();
  const auto payload = encode_configuration(first.members, encode_details(first.records));
  (void)s.members.change(entry::make(the_group(), mark.term, mark.index, entry_kind::members, payload));
}

} // namespace

result<directory_contents> examine(storage::file_system& files, coro::entropy& entropy, const std::string& data_dir) {
  auto opened = open_directory(files, entropy, data_dir);
  if (!opened) return opened.error();
  return std::move(opened->contents);
}

result<directory_contents> force_new_cluster(storage::file_system& files, coro::entropy& entropy,
                                             const std::string& data_dir, const std::string& address) {
  auto opened = open_directory(files, entropy, data_dir);
  if (!opened) return opened.error();
  directory_contents& c = opened->contents;
  if (auto member = check_member(*opened); !member) return member.error();
  const auto place = address_of(*opened, address);
  if (!place) return place.error();

  // First, so that what is left undone if this is interrupted can be reached by nobody.
  storage::data_directory& d = *opened->directory;
  const cluster_id cluster(entropy.next() | 1);
  if (auto moved = d.move_to(files, cluster); !moved) return moved.error();
  c.identity = d.identity();
  const std::string snapshots = d.snapshot_directory();
  if (opened->newest) {
    if (auto moved = storage::move_snapshot(files, snapshots, *opened->newest, cluster); !moved) return moved.error();
    auto removed = storage::remove_snapshots_below(files, snapshots, the_group(), opened->newest->info.mark.index);
    if (!removed) return removed.error();
  }
  auto removed = storage::remove_received(files, snapshots, the_group(), log_index(number_max));
  if (!removed) return removed.error();

  const quorumd::term term = std::max(opened->term, c.last_term).next();
  storage::write last{.group = the_group(),
                      .number = {},
                      .hard = hard_state{term, node_id()},
                      .install = {},
                      .entries = {entry::make(the_group(), term, c.last.next(), entry_kind::members, alone(c, *place))},
                      .commit = c.last};
  auto written = storage::append_to_log(files, d.wal_directory(), {}, entropy, opened->snapshots, last);
  if (!written) return written.error();
  return std::move(c);
}

result<snapshot_contents> examine_snapshot(storage::file_system& files, const std::string& path,
                                           const storage::snapshot_progress& progress) {
  storage::snapshot_info info;
  std::uint64_t bytes = 0;
  auto built = build(files, path, {}, info, bytes, progress);
  if (!built) return built.error();
  return contents_of(*built, info, bytes);
}

result<snapshot_contents> restore_snapshot(storage::file_system& files, coro::entropy& entropy, const std::string& path,
                                           const restore_plan& plan, const storage::snapshot_progress& progress) {
  if (const auto there = storage::read_identity(files, plan.data_dir); there)
    return error(error_code::exists, plan.data_dir,
                 "it is the data directory of " + there->node_name + " of cluster " + there->cluster_name +
                     " already: restore into an empty one");
  // All of it is checked first, also where only a part of it is restored.
  auto whole = examine_snapshot(files, path, progress);
  if (!whole) return whole.error();
  if (auto there = check_revision(path, *whole, plan.state); !there) return there.error();
  storage::snapshot_info info;
  std::uint64_t bytes = 0;
  kv::restoration how = plan.state;
  how.without_sessions = true;
  auto state = build(files, path, how, info, bytes, progress);
  if (!state) return state.error();

  info.cluster = number_of(*whole, plan);
  info.mark = {
      .index = info.mark.index.next(), .term = info.mark.term.next(), .members = roster_of(plan.self.members).members};
  begin_with(*state, plan, info.mark);
  const auto fill = [&]() -> result<void> {
    auto written = write_state(files, storage::join(plan.data_dir, "snapshots"), info, *state, progress);
    if (!written) return written.error();
    bytes = written->bytes;
    return files.sync_directory(plan.data_dir);
  };
  const storage::identity mine{.cluster = info.cluster,
                               .cluster_name = plan.self.cluster_name,
                               .node = plan.self.id,
                               .node_name = plan.self.name,
                               .incarnation = {},
                               .created = false,
                               .beginning = {}};
  auto directory = storage::data_directory::open(files, plan.data_dir, mine, entropy, fill);
  if (!directory) return directory.error();
  return contents_of(*state, info, bytes);
}

} // namespace quorumd::node
