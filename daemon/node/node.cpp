#include "daemon/node/node.hpp"

#include "consensus/types/invariant.hpp"
#include "daemon/node/state_builder.hpp"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <utility>

namespace quorumd::node {
namespace {

/// The log could not do without the snapshots that are damaged, or would say the same without them.
storage::error with_damaged(storage::error e, const std::vector<storage::error>& damaged) {
  if (e.code != storage::error_code::corrupt) return e;
  for (const storage::error& d : damaged) e.detail += ". Passed over: " + d.message();
  return e;
}

peer_event event_of(node_id from, peer_event::kind what) {
  peer_event e;
  e.from = from;
  e.what = what;
  return e;
}

} // namespace

node::node(node_options o, node_seams s)
    : options_(std::move(o))
    , seams_(s)
    , group_tasks_(s.group_loop) {}

node::~node() = default;

storage::result<std::unique_ptr<node>> node::open(node_options o, node_seams s, const recovery_progress& progress,
                                                  const snapshot_repair& repair) {
  std::unique_ptr<node> n(new node(std::move(o), s));
  if (auto recovered = n->recover(progress, repair); !recovered) return recovered.error();
  return n;
}

/// The directory says which cluster it is of, once it exists: the configuration file only begins one.
storage::result<void> node::open_directory() {
  storage::identity expected = expected_identity();
  const bool exists = storage::read_identity(seams_.files, options_.data_dir).has_value();
  if (exists) expected.cluster = {};
  auto directory = storage::data_directory::open(seams_.files, options_.data_dir, expected, seams_.entropy);
  if (!directory) return directory.error();
  directory_ = std::move(*directory);
  const storage::identity& mine = directory_->identity();
  options_.self.cluster = mine.cluster;
  options_.self.incarnation = mine.incarnation;
  options_.self.boot = boot_id(seams_.entropy.next() | 1);
  options_.self.features |= wire::feature_member_changes | wire::feature_sessions | wire::feature_packed_chunks |
                            wire::feature_witnesses | wire::feature_leases | wire::feature_history_age |
                            wire::feature_relayed_changes | wire::feature_delegated_snapshots;
  if (auto noted = note_promise(); !noted) return noted;
  first_ = roster_of(options_.self.members);
  if (mine.beginning.empty()) return {};
  auto told = decode_roster(mine.beginning);
  if (!told)
    return storage::error(storage::error_code::version, options_.data_dir,
                          "what this node was told when it joined is in an unknown form: start the version that it "
                          "joined with");
  first_ = std::move(*told);
  return {};
}

/// What was promised before a restart is kept after it: the first answers to heartbeats come later.
storage::result<void> node::note_promise() {
  raft::options& o = options_.group.raft;
  o.tick_us =
      static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(options_.group.tick).count());
  if (const std::uint32_t before = directory_->identity().promised_us; before != 0)
    o.promised_ticks = before / o.tick_us + 2; // the next one comes at any moment
  return directory_->promise(seams_.files, o.lease_ticks * o.tick_us);
}

storage::identity node::expected_identity() const {
  return {.cluster = options_.self.cluster,
          .cluster_name = options_.self.cluster_name,
          .node = options_.self.id,
          .node_name = options_.self.name,
          .incarnation = {},
          .created = false,
          .beginning = options_.joined ? encode_roster(options_.joined->members) : std::vector<std::byte>(),
          .beginning_term = options_.joined ? options_.joined->term : term(),
          .promised_us = 0};
}

/// Once the log says who the members are the configuration file need not, but is compared; until then it must be that
/// which the cluster began with.
storage::result<void> node::check_beginning(const raft::initial_state& recovered, const membership& applied) {
  roster newest = applied.roster();
  for (const entry& e : recovered.configurations)
    if (auto next = follow(newest, e)) newest = std::move(*next);
  const bool from_file = !newest.index;
  if (from_file) {
    storage::identity expected = expected_identity();
    expected.cluster = configured_cluster_;
    return directory_->check_cluster(expected);
  }
  if (!options_.self.members.empty()) members_differ_ = difference(options_.self.members, newest);
  options_.self.members = newest.listed();
  options_.self.members_index = newest.index;
  return {};
}

storage::result<void> node::recover(const recovery_progress& progress, const snapshot_repair& repair) {
  configured_cluster_ = options_.self.cluster;
  if (auto opened = open_directory(); !opened) return opened;

  options_.transport.self = options_.self;
  applier::state state;
  auto initial = recover_data(state, progress);
  const bool repairable = !initial && initial.error().code == storage::error_code::corrupt && damaged_index_ &&
                          options_.self.members.size() > 1;
  if (repairable && repair) {
    const storage::result<void> repaired = repair(wanted(), initial.error().message());
    if (!repaired) {
      storage::error why = initial.error();
      why.detail += ". The other members could not repair it: " + repaired.error().message();
      return why;
    }
    initial = recover_data(state, progress);
  }
  if (!initial) return initial.error();
  state.members.begin_with(first_);
  if (auto fits = check_beginning(*initial, state.members); !fits) return fits;
  if (const auto wrong = raft::validate(*initial))
    return storage::error(storage::error_code::corrupt, directory_->wal_directory(), *wrong);

  options_.transport.self = options_.self;
  wire::peer_handler& handler = *this;
  transport_ = std::make_unique<wire::transport>(seams_.network_loop, seams_.network, seams_.entropy,
                                                 options_.transport, handler, seams_.peer_observer);
  options_.group.self = options_.self;
  options_.group.raft.self = options_.self.id;
  options_.group.raft.joined_at = first_.index;
  if (const auto own = first_.records.find(options_.self.id); own != first_.records.end())
    options_.group.raft.witness = own->second.witness; // for as long as this directory stands for the member
  options_.group.raft.joined_term = directory_->identity().beginning_term;
  options_.group.raft.seed = seams_.entropy.next();
  auto doubt = storage::read_doubt(seams_.files, options_.data_dir);
  if (!doubt) return doubt.error();
  options_.group.corrupt = std::move(*doubt);
  if (!options_.group.corrupt.empty()) seams_.observer.corrupt(options_.group.corrupt);
  group::seams parts{
      .loop = seams_.group_loop,
      .wal = *wal_,
      .snapshots = {.files = seams_.files,
                    .directory = directory_->snapshot_directory(),
                    .cluster = options_.self.cluster,
                    .group = options_.group.raft.group},
      .transport = *transport_,
      .snapshot_worker = seams_.snapshot_worker,
      .observer = seams_.observer,
      .fatal = seams_.fatal,
      .refuse =
          [this](node_id id, const std::string& reason) {
            seams_.observer.member_refused(id, reason);
            seams_.network_loop.post([this, id, reason] { transport_->disconnect(id, reason); });
          },
      .members_changed =
          [this](const membership& m, const std::vector<wire::member>& reachable) {
            {
              const std::lock_guard lock(members_mutex_);
              members_ = m;
              reachable_ = reachable;
            }
            seams_.network_loop.post([this, index = m.roster().index, members = m.roster().listed(), reachable] {
              transport_->set_members(index, members, reachable);
            });
          },
      .corrupt = [this](const std::string& why) { group_tasks_.spawn(note_doubt(why)); },
  };
  group_ = std::make_unique<group>(options_.group, std::move(parts), *initial, std::move(state));
  return {};
}

wanted_snapshot node::wanted() const {
  return {.directory = directory_->snapshot_directory(),
          .cluster = options_.self.cluster,
          .group = options_.group.raft.group,
          .at_least = damaged_index_,
          .transport = options_.transport};
}

storage::result<raft::initial_state> node::recover_data(applier::state& state, const recovery_progress& progress) {
  auto snapshot = recover_snapshot(state, progress.snapshot);
  if (!snapshot) return snapshot.error();
  return recover_log(*snapshot, progress.log);
}

storage::result<std::optional<storage::group_snapshot>>
node::recover_snapshot(applier::state& state, const storage::recovery_progress& progress) {
  const std::string place = directory_->snapshot_directory();
  const group_id group = options_.group.raft.group;
  if (auto cleaned = storage::remove_unfinished_snapshots(seams_.files, place); !cleaned) return cleaned.error();
  auto found = storage::newest_snapshot(seams_.files, place, group, progress);
  if (!found) return found.error();
  damaged_snapshots_ = std::move(found->damaged);
  damaged_index_ = found->damaged_index;
  if (!found->newest) {
    state.store = std::make_unique<kv::store>(kv::options{});
    return std::nullopt;
  }
  auto reader = storage::snapshot_reader::open(seams_.files, found->newest->path);
  if (!reader) return reader.error();
  state_builder builder;
  for (bool more = true; more;) {
    auto read = builder.read_on(**reader, options_.group.transfers.slice_bytes);
    if (!read) return read.error();
    more = *read;
    if (progress) progress((*reader)->position(), (*reader)->bytes());
  }
  auto built = builder.finish();
  if (!built) return built.error();
  state = std::move(*built);
  return storage::group_snapshot{.group = group, .mark = found->newest->info.mark};
}

storage::result<raft::initial_state> node::recover_log(const std::optional<storage::group_snapshot>& snapshot,
                                                       const storage::recovery_progress& progress) {
  std::vector<storage::group_snapshot> snapshots;
  if (snapshot) snapshots.push_back(*snapshot);
  auto opened =
      storage::wal::open(seams_.files, directory_->wal_directory(), options_.wal, seams_.entropy, snapshots, progress);
  if (!opened) return with_damaged(opened.error(), damaged_snapshots_);
  wal_ = std::move(*opened);
  for (const storage::error& d : damaged_snapshots_)
    seams_.observer.snapshot_failed(d.message() + ". It was passed over and nothing is missing, since the log reaches "
                                                  "back behind it. The next snapshot takes its place");

  const group_id group = options_.group.raft.group;
  raft::initial_state initial;
  initial.start.members = first_.members;
  for (const storage::recovered_group& g : wal_->recovered()) {
    if (g.group != group) continue;
    initial.hard = g.hard;
    if (g.start.index) initial.start = g.start;
    initial.runs = g.runs;
    initial.configurations = g.configurations;
    initial.last = g.last;
    initial.commit = g.commit;
  }
  const log_index covered = snapshot ? snapshot->mark.index : log_index();
  QUORUMD_INVARIANT(initial.start.index <= covered, "the log's recovery refuses a log without its snapshot");
  initial.applied = covered;
  initial.commit = std::max(initial.commit, covered);
  return initial;
}

coro::task<boost::system::result<void>> node::start() {
  auto listening = transport_->start();
  if (!listening) co_return listening;
  auto run = run_group();
  co_await boost::asio::co_spawn(seams_.group_loop.get_executor(), std::move(run), coro::use_task);
  co_return boost::system::result<void>();
}

coro::task<void> node::run_group() {
  wal_->start(seams_.group_loop, seams_.log_worker, seams_.prepare_worker, seams_.clock);
  group_tasks_.spawn(group_->run());
  group_tasks_.spawn(wal_->run_space_watch());
  co_return;
}

coro::task<void> node::stop(coro::duration grace) {
  auto drained = group_->drain(grace);
  co_await boost::asio::co_spawn(seams_.group_loop.get_executor(), std::move(drained), coro::use_task);
  auto ended = end_group();
  co_await boost::asio::co_spawn(seams_.group_loop.get_executor(), std::move(ended), coro::use_task);
  co_await transport_->stop();
}

coro::task<void> node::note_doubt(std::string why) {
  auto write = [this, &why] { return storage::write_doubt(seams_.files, directory_->path(), why); };
  const storage::result<void> noted = co_await coro::run_on(seams_.snapshot_worker, seams_.group_loop, write);
  if (!noted) seams_.observer.doubt_not_noted(noted.error().message());
}

coro::task<void> node::end_group() {
  group_tasks_.cancel();
  group_->fail_all(); // nobody waits for a snapshot's slow disk
  co_await group_tasks_.join();
  group_->fail_all(); // what came meanwhile
  co_await wal_->stop();
}

void node::call(std::function<void(group&)> f) {
  group_->call([this, f = std::move(f)] { f(*group_); });
}

void node::on_peer_up(node_id id, const wire::peer_info& info) {
  peer_event e = event_of(id, peer_event::kind::up);
  e.incarnation = info.incarnation;
  e.features = info.features;
  e.members_index = info.members_index;
  e.name = info.name;
  e.client_address = info.client_address;
  group_->deliver(std::move(e));
}

void node::on_peer_down(node_id id, const std::string&) {
  group_->deliver(event_of(id, peer_event::kind::down));
}

void node::on_peer_messages(node_id from, std::vector<wire::peer_message>& batch, wire::inbound_hold hold) {
  peer_event e = event_of(from, peer_event::kind::messages);
  e.messages = std::move(batch);
  e.hold = std::move(hold);
  group_->deliver(std::move(e));
}

void node::on_peer_writable(node_id id, bool writable) {
  group_->deliver(event_of(id, writable ? peer_event::kind::room : peer_event::kind::full));
}

std::optional<std::string> node::check_incarnation(node_id id, incarnation seen, log_index members_index) {
  const std::lock_guard lock(members_mutex_);
  if (members_index > members_.roster().index || options_.group.bugs.accept_any_data) return std::nullopt;
  return members_.objection(id, seen);
}

std::vector<wire::member> node::members() const {
  const std::lock_guard lock(members_mutex_);
  return reachable_;
}

} // namespace quorumd::node
