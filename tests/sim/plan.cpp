#include "tests/sim/plan.hpp"

#include <algorithm>
#include <array>

namespace quorumd::sim {
namespace {

using namespace std::chrono_literals;

struct named_mutant {
  std::string_view name;
  mutants what;
  std::uint64_t seeds = 100; ///< that it takes at the most
};

constexpr std::array named_mutants{
    named_mutant{"ack-before-sync", {.raft = raft::mutant::ack_before_sync}},
    named_mutant{"vote-request-before-sync", {.raft = raft::mutant::vote_request_before_sync}, 400},
    named_mutant{"two-votes-a-term", {.raft = raft::mutant::two_votes_a_term}},
    named_mutant{"commit-old-term", {.raft = raft::mutant::commit_old_term}},
    named_mutant{"accept-stale-batch", {.storage = storage::mutant::accept_stale_batch}},
    named_mutant{"free-last-vote", {.storage = storage::mutant::free_last_vote}},
    named_mutant{"cut-without-sync", {.storage = storage::mutant::cut_without_sync}},
    named_mutant{"complete-by-index", {.node = {.complete_by_index = true}}},
    named_mutant{"ignore-sessions", {.node = {.ignore_sessions = true}}},
    named_mutant{"age-by-answer", {.node = {.age_by_answer = true}}, 400},
    named_mutant{"skip-on-resume", {.node = {.watches = {.skip_on_resume = true}}}},
    named_mutant{"split-revision", {.node = {.watches = {.split_revision = true}}}},
    named_mutant{"expire-by-follower", {.node = {.expire_by_follower = true}}},
    named_mutant{"renew-without-quorum", {.node = {.renew_without_quorum = true}}, 1000},
    named_mutant{"forget-checkpoint", {.node = {.forget_checkpoint = true}}},
    named_mutant{"skip-conflict-check", {.raft = raft::mutant::skip_conflict_check}},
    named_mutant{"read-without-round", {.raft = raft::mutant::read_without_round}},
    named_mutant{"change-in-one-step", {.raft = raft::mutant::change_in_one_step}, 400},
    named_mutant{"join-anywhere", {.node = {.join_anywhere = true}}, 10000},
    named_mutant{"no-check-quorum", {.raft = raft::mutant::no_check_quorum}},
    named_mutant{"count-older-answers", {.raft = raft::mutant::count_older_answers}, 10000},
    named_mutant{"vote-without-log", {.raft = raft::mutant::vote_without_log}},
    named_mutant{"commit-beyond-match", {.raft = raft::mutant::commit_beyond_match}, 400},
    named_mutant{"truncate-always", {.raft = raft::mutant::truncate_always}, 1000},
    named_mutant{"install-over-conflict", {.raft = raft::mutant::install_over_conflict}, 400},
    named_mutant{"count-learners", {.raft = raft::mutant::count_learners}, 3000},
    named_mutant{"new-majority-alone", {.raft = raft::mutant::new_majority_alone}, 400},
    named_mutant{"vote-before-joined", {.raft = raft::mutant::vote_before_joined}, 10000},
    named_mutant{"read-before-commit", {.raft = raft::mutant::read_before_commit}},
    named_mutant{"lease-without-promise", {.raft = raft::mutant::lease_without_promise}, 10000},
    named_mutant{"forget-promise", {.raft = raft::mutant::forget_promise}, 10000},
    named_mutant{"lease-for-ever", {.raft = raft::mutant::lease_for_ever}},
    named_mutant{"witness-leads", {.raft = raft::mutant::witness_leads}},
    named_mutant{"lease-in-transfer", {.raft = raft::mutant::lease_in_transfer}, 10000},
    named_mutant{"torn-anywhere", {.storage = storage::mutant::torn_anywhere}},
    named_mutant{"skip-checksum", {.storage = storage::mutant::skip_checksum}},
    named_mutant{"name-without-sync", {.storage = storage::mutant::name_without_sync}},
    named_mutant{"forget-answered", {.node = {.forget_answered = true}}},
    named_mutant{"serve-before-applied", {.node = {.serve_before_applied = true}}},
    named_mutant{"call-unsent", {.node = {.call_unsent = true}}},
    named_mutant{"accept-any-data", {.node = {.accept_any_data = true}}, 10000},
    named_mutant{"publish-early", {.node = {.publish_early = true}}, 10000},
    named_mutant{"never-shorten", {.node = {.never_shorten = true}}},
    named_mutant{"keep-replaced-progress", {.raft = raft::mutant::keep_replaced_progress}, 10000},
    named_mutant{"bulk-first", {.bulk_first = true}},
    named_mutant{"keep-truncated-members", {.raft = raft::mutant::keep_truncated_members}, 3000},
};

template <std::size_t N>
std::size_t pick(prng& p, const std::array<std::size_t, N>& from) {
  return p.pick(from);
}

network_options draw_network(prng p) {
  network_options o;
  static constexpr std::array most{300us, 1000us, 5000us};
  o.delay_most = p.pick(most);
  o.slow_per_mille = p.coin() ? p.below(30) : 0;
  o.slow_most = p.between(coro::duration(5ms), coro::duration(150ms));
  o.read_max = pick<4>(p, {64, 1000, 8192, 262144});
  o.write_max = pick<4>(p, {64, 1000, 8192, 262144});
  o.buffer_bytes = pick<3>(p, {2048, 16384, 262144});
  o.refuse_per_mille = p.coin() ? p.below(200) : 0;
  o.spurious_per_mille = p.below(20);
  o.reset_on_heal_per_mille = p.below(1001);
  return o;
}

worker_options draw_worker(prng p) {
  worker_options o;
  static constexpr std::array most{200us, 400us, 2000us, 10000us};
  o.most = p.pick(most);
  o.stall_per_mille = p.below(3) == 0 ? p.below(20) : 0;
  o.stall_most = p.between(coro::duration(50ms), coro::duration(1s));
  return o;
}

storage::wal_options draw_wal(prng p, const mutants& m) {
  storage::wal_options o;
  o.segment_bytes = pick<4>(p, {16384, 32768, 131072, 524288});
  o.batch_bytes_max = pick<3>(p, {4096, 16384, 1048576});
  o.queued_bytes_max = pick<3>(p, {8192, 131072, 16777216});
  o.reserve_bytes = pick<2>(p, {16384, 65536});
  o.recycle_keep = p.below(4);
  o.slack_segments = p.below(4);
  o.mutant = m.storage;
  return o;
}

node::group_options draw_group(prng p, const mutants& m) {
  node::group_options o;
  static constexpr std::array<std::uint32_t, 3> election{12, 20, 30};
  o.raft.election_ticks = p.pick(election);
  o.raft.heartbeat_ticks = static_cast<std::uint32_t>(p.between(2, 5));
  o.raft.append_bytes_max = pick<3>(p, {1, 1024, 262144});
  static constexpr std::array<std::uint32_t, 3> inflight{1, 4, 256};
  o.raft.inflight_appends_max = p.pick(inflight);
  o.raft.inflight_bytes_max = pick<2>(p, {4096, 8388608});
  o.raft.uncommitted_bytes_max = pick<3>(p, {2048, 32768, 67108864});
  o.raft.cache_bytes_max = pick<3>(p, {0, 4096, 33554432});
  o.raft.committed_bytes_max = pick<3>(p, {1, 2048, 4194304});
  o.raft.mutant = m.raft;
  o.bugs = m.node;
  static constexpr std::array budget{100us, 500us, 2000us};
  o.turn_budget = p.fork(1).pick(budget);
  o.slice_cost = p.fork(2).pick(std::array<std::size_t, 3>{1, 7, 256});
  o.snapshots.every_entries = p.between(5, 120);
  o.snapshots.trailing_entries = p.below(40);
  o.snapshots.trailing_bytes = pick<3>(p, {0, 16384, 67108864});
  o.snapshots.every_bytes = pick<2>(p, {65536, 268435456});
  o.snapshots.slice_bytes = pick<3>(p, {1, 256, 4096});
  o.snapshots.retry_after = 100ms;
  o.waiting_max = pick<2>(p, {2, 1000});
  o.ahead_bytes_max = pick<3>(p, {1, 2048, 4194304});
  o.bulk_ahead_bytes_max = pick<2>(p, {1, 1048576});
  o.time_interval = p.fork(3).between(coro::duration(100ms), coro::duration(1s));
  o.consistency.every = p.fork(7).between(coro::duration(200ms), coro::duration(3s));
  o.leases.checkpoint_interval = p.fork(4).pick(std::array<coro::duration, 3>{100ms, 300ms, 60s});
  o.watches.batch_bytes_max = p.fork(5).pick(std::array<std::size_t, 3>{1, 300, kv::reply_bytes_max});
  o.watches.turn_visits = p.fork(6).pick(std::array<std::size_t, 3>{1, 7, 1024});
  return o;
}

node::snapshot_transfer_options draw_transfers(prng p) {
  node::snapshot_transfer_options o;
  o.chunk_bytes = pick<3>(p, {1024, 8192, 65536});
  o.window_bytes = o.chunk_bytes * pick<3>(p, {1, 4, 16});
  o.slice_bytes = pick<3>(p, {1, 1024, 4194304});
  return o;
}

fault_weights draw_faults(prng p) {
  fault_weights w;
  const auto maybe = [&](std::uint64_t most) { return p.below(3) == 0 ? std::uint64_t{0} : p.between(1, most); };
  w.crash = maybe(10);
  w.crash_within_write = maybe(10);
  w.crash_all = maybe(3);
  w.stop = maybe(4);
  w.partition = maybe(10);
  w.one_way = maybe(8);
  w.cut = maybe(6);
  w.pause = maybe(8);
  w.slow_disk = maybe(4);
  w.full_disk = maybe(4);
  w.failing_sync = maybe(4);
  if (w.sum() == 0) w.crash = 1;
  return w;
}

load_plan draw_load(prng p) {
  load_plan o;
  o.clients = p.between(2, 8);
  o.keys = p.between(1, 10);
  static constexpr std::array<std::uint64_t, 3> values{16, 200, 3000};
  o.value_bytes_max = p.pick(values);
  static constexpr std::array think{10ms, 30ms, 100ms};
  o.think_most = p.pick(think);
  o.deadline_least = p.between(coro::duration(100ms), coro::duration(500ms));
  o.deadline_most = o.deadline_least + p.between(coro::duration(0ms), coro::duration(2s));
  const auto maybe = [&](std::uint64_t& weight) { weight = p.below(4) == 0 ? 0 : weight; };
  maybe(o.deletes);
  maybe(o.gets);
  maybe(o.old_gets);
  maybe(o.stale_gets);
  maybe(o.txns);
  maybe(o.compacts);
  return o;
}

/// Many fast clients, and logs so short that whoever was away for a moment needs a snapshot.
void become_storm(plan& o, prng p) {
  o.load.clients = 12;
  o.load.think_most = 3ms;
  o.group.snapshots.every_entries = 5;
  o.group.snapshots.trailing_entries = p.below(6);
  o.group.snapshots.trailing_bytes = 0;
}

/// Lines so slow that a snapshot takes several election timeouts. A heartbeat waits for what is being written, and for
/// what the kernel has, neither of which can be taken back: these are so small, and the lines so fast, that it waits
/// for a third of the shortest election timeout at the most. Slower lines have no leader to expect (paper §5.6).
void become_narrow(plan& o, prng p) {
  constexpr std::size_t frame_overhead = 512;
  constexpr std::size_t values_of_a_command = 3; // a transaction puts no more, with what it compares
  o.network.buffer_bytes = 2048;
  o.network.write_max = std::min<std::size_t>(o.network.write_max, 1000);
  o.network.read_max = std::max<std::size_t>(o.network.read_max, 1000);
  o.network.slow_per_mille = 0;
  o.transport.unsent_bytes_max = 2048;
  o.transport.block_bytes = 1024;
  o.transport.coalesce_bytes = 1024;
  o.group.raft.append_bytes_max = std::min<std::size_t>(o.group.raft.append_bytes_max, 1024);
  o.group.transfers.chunk_bytes = 1024;
  o.group.transfers.window_bytes = std::size_t{64} * 1024;
  o.group.transfers.delegate = false; // on the line of the leader's heartbeats
  const std::size_t entry = values_of_a_command * o.load.value_bytes_max + frame_overhead;
  const std::size_t ahead = o.network.buffer_bytes + std::max(entry, o.transport.block_bytes) + o.transport.block_bytes;
  const coro::duration timeout = o.group.tick * o.group.raft.election_ticks;
  const coro::duration waits = timeout / static_cast<int>(p.between(3, 6));
  o.network.bytes_a_second = ahead * std::size_t{1'000'000'000} / static_cast<std::size_t>(waits.count());
}

} // namespace

const std::vector<std::string_view>& mutant_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const named_mutant& m : named_mutants) all.push_back(m.name);
    return all;
  }();
  return names;
}

std::optional<mutants> find_mutant(std::string_view name) {
  for (const named_mutant& m : named_mutants)
    if (m.name == name) return m.what;
  return std::nullopt;
}

std::uint64_t seeds_of_mutant(std::string_view name) {
  for (const named_mutant& m : named_mutants)
    if (m.name == name) return m.seeds;
  return 0;
}

std::string describe(const plan& p) {
  std::string s;
  const auto number = [&](const char* name, std::uint64_t value) {
    s += std::string(name) + " " + std::to_string(value) + ", ";
  };
  const auto time = [&](const char* name, coro::duration value) {
    number(name, static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(value).count()));
  };
  number("nodes", p.nodes);
  number("spares", p.spares);
  time("network: delay us", p.network.delay_most);
  number("read", p.network.read_max);
  number("write", p.network.write_max);
  number("buffer", p.network.buffer_bytes);
  number("bytes a second", p.network.bytes_a_second);
  time("log us", p.log_worker.most);
  time("snapshot us", p.snapshot_worker.most);
  number("raft: election ticks", p.group.raft.election_ticks);
  number("append bytes", p.group.raft.append_bytes_max);
  number("inflight", p.group.raft.inflight_appends_max);
  number("inflight bytes", p.group.raft.inflight_bytes_max);
  number("uncommitted bytes", p.group.raft.uncommitted_bytes_max);
  number("cache bytes", p.group.raft.cache_bytes_max);
  number("committed bytes", p.group.raft.committed_bytes_max);
  number("waiting", p.group.waiting_max);
  number("ahead bytes", p.group.ahead_bytes_max);
  number("bulk ahead bytes", p.group.bulk_ahead_bytes_max);
  number("leases: ticks", p.lease_ticks);
  number("of a thousand starts", p.leases_per_mille);
  number("snapshots: every", p.group.snapshots.every_entries);
  number("trailing", p.group.snapshots.trailing_entries);
  number("slice bytes", p.group.snapshots.slice_bytes);
  number("chunk", p.group.transfers.chunk_bytes);
  number("window", p.group.transfers.window_bytes);
  number("checked bytes", p.group.transfers.slice_bytes);
  number("delegated", p.group.transfers.delegate ? 1 : 0);
  number("packers", p.packers & 0xff);
  number("log: segment", p.wal.segment_bytes);
  number("batch", p.wal.batch_bytes_max);
  number("queued", p.wal.queued_bytes_max);
  number("recycle", p.wal.recycle_keep);
  number("slack", p.wal.slack_segments);
  number("peers: pause", p.transport.queue_pause_bytes);
  number("unsent", p.transport.unsent_bytes_max);
  number("read", p.transport.read_bytes);
  number("load: clients", p.load.clients);
  number("in sessions", p.load.session_clients);
  number("keys", p.load.keys);
  number("value bytes", p.load.value_bytes_max);
  number("leases", p.load.leases);
  number("watchers", p.load.watchers);
  time("think us", p.load.think_most);
  return s;
}

plan draw_plan(std::uint64_t seed, const mutants& m) {
  const prng root = prng(seed).fork(100);
  plan o;
  o.seed = seed;
  prng p = root.fork(0);
  static constexpr std::array<coro::duration, 3> cost{0ns, 500ns, 3us};
  o.step_cost = p.pick(cost);
  static constexpr std::array<coro::duration, 3> visit{0ns, 1us, 100us};
  o.visit_cost = p.fork(10).pick(visit);
  o.network = draw_network(root.fork(1));
  o.log_worker = draw_worker(root.fork(2));
  o.prepare_worker = draw_worker(root.fork(3));
  o.snapshot_worker = draw_worker(root.fork(4));
  o.wal = draw_wal(root.fork(5), m);
  o.group = draw_group(root.fork(6), m);
  o.group.transfers = draw_transfers(root.fork(9));
  o.group.transfers.delegate = root.fork(31).below(2) == 0;
  o.transport.connect_timeout = p.between(coro::duration(100ms), coro::duration(500ms));
  o.transport.redial_max = p.between(coro::duration(50ms), coro::duration(400ms));
  o.transport.read_bytes = pick<3>(p, {512, 8192, 262144});
  o.transport.batch_bytes_max = pick<2>(p, {4096, 1048576});
  o.transport.queue_pause_bytes = pick<2>(p, {16384, 33554432});
  o.transport.unsent_bytes_max = pick<2>(p, {4096, 131072});
  o.faults = draw_faults(root.fork(7));
  o.fault_pause_most = p.between(coro::duration(150ms), coro::duration(900ms));
  o.down_most = p.between(coro::duration(20ms), coro::duration(1500ms));
  o.crash_candidates_per_mille = p.below(3) == 0 ? p.between(50, 400) : 0;
  o.load = draw_load(root.fork(8));
  o.trouble = p.between(coro::duration(3s), coro::duration(7s));
  o.nodes = root.fork(11).pick(std::array<std::uint64_t, 4>{3, 3, 5, 7});
  o.flips_a_start = root.fork(14).below(3);
  o.spares = root.fork(15).pick(std::array<std::uint64_t, 5>{0, 0, 0, 1, 2});
  o.load.max_age = root.fork(18).pick(std::array<std::chrono::milliseconds, 4>{0ms, 5ms, 50ms, 500ms});
  if (root.fork(19).below(50) == 0) o.calm = 30s;
  prng changes = root.fork(17);
  o.change_pause_most = changes.pick(std::array<coro::duration, 3>{60ms, 200ms, 400ms});
  o.split_changes_per_mille = changes.coin() ? changes.between(100, 900) : 0;
  prng sessions = root.fork(16);
  o.load.session_clients = sessions.below(3) == 0 ? 0 : sessions.between(1, o.load.clients);
  prng leases = root.fork(22);
  if (leases.below(3) == 0) {
    o.lease_ticks = static_cast<std::uint32_t>(
        leases.between(2 * o.group.raft.heartbeat_ticks + 1,
                       std::max(2 * o.group.raft.heartbeat_ticks + 1, o.group.raft.election_ticks)));
    o.leases_per_mille = leases.pick(std::array<std::uint64_t, 3>{1000, 1000, 700});
    o.drift_most_per_mille = leases.pick(std::array<std::int64_t, 2>{0, 50});
  }
  if (root.fork(25).below(2) == 0 && o.load.deletes != 0) o.load.leases = 10;
  prng watches = root.fork(26);
  o.load.watchers = watches.below(4) == 0 ? 0 : watches.between(1, 4);
  o.packers = root.fork(23).next();
  o.adds_witnesses = root.fork(24).coin();
  if (root.fork(12).below(4) == 0) become_storm(o, root.fork(13));
  o.transport.bulk_first = m.bulk_first;
  if (root.fork(20).below(8) == 0) become_narrow(o, root.fork(21));
  return o;
}

} // namespace quorumd::sim
