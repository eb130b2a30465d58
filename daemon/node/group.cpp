#include "daemon/node/group.hpp"

#include "consensus/types/invariant.hpp"
#include "daemon/node/witness.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace quorumd::node {

namespace {
constexpr std::size_t compaction_step = 512;  // changes freed in one turn, at most
constexpr std::size_t compaction_slice = 16;  // between two looks at the clock: a value may be large
constexpr int compaction_share = 4;           // of the turn's budget
constexpr std::uint32_t ticks_at_most = 8;    // that one turn makes up for after a pause
constexpr std::uint32_t sleep_ticks_max = 15; // well below an election timeout, whatever was missed
constexpr std::uint64_t expiry_ticks = 2;     // wire::remaining_behind() leaves time for it

} // namespace

group::group(group_options o, seams s, const raft::initial_state& recovered, applier::state state)
    : options_(std::move(o))
    , seams_(s)
    , recovered_(recovered.commit)
    , wake_(s.loop)
    , writes_inbox_(s.loop)
    , reads_inbox_(s.loop)
    , peers_inbox_(s.loop)
    , calls_inbox_(s.loop)
    , room_inbox_(s.loop)
    , pending_([this](const pending_table::record& r, request_errc why) { fail_write(r.to, why); })
    ,
    // A late answer to this node's earlier life must name none of the requests of this one.
    forwards_([this](const forward_table::record& r, request_errc why) { fail_write(r.to, why); },
              options_.self.boot.value() >> 1 | 1)
    , reads_(
          options_.self.boot, [this](const read_request& r, request_errc why) { sinks_.failed(r.to, why); },
          [this](read_request r) { ready_reads_.add(std::move(r)); }, options_.bugs)
    , applier_(std::move(state), options_.raft.witness, pending_, sinks_, s.observer, options_.bugs, options_.watches)
    , watching_(applier_.watches())
    , leases_(
          options_.leases, [this] { return seams_.loop.now(); }, options_.bugs)
    , pins_(options_.pins)
    , ready_reads_([this](read_request& r) { return serve(r); },
                   [this](const read_request& r, request_errc why) { sinks_.failed(r.to, why); })
    , core_(options_.raft, recovered)
    , soft_(core_.soft())
    , forward_replies_(s.transport)
    , tasks_(s.loop)
    , pace_(
          s.loop, [this] { return !seams_.wal.accepting_puts() || taker_.overdue(); }, options_.snapshots.rate)
    , stages_(s.loop)
    , snapshots_{.place = s.snapshots,
                 .loop = s.loop,
                 .worker = s.snapshot_worker,
                 .core = core_,
                 .state = applier_,
                 .wal = s.wal,
                 .transport = s.transport,
                 .observer = s.observer,
                 .pace = pace_,
                 .transfers = options_.transfers,
                 .bugs = options_.bugs,
                 .slices = stages_.metrics().snapshot_slice,
                 .sent = stages_.metrics().snapshots_sent,
                 .witness = options_.raft.witness,
                 .is_witness = [this](node_id id) { return is_witness(id); },
                 .wake = [this] { wake_.set(); },
                 .can_unpack = [this](node_id id) { return can_unpack(id); },
                 .pinned = [this](log_index floor) { return pinned(floor); },
                 .corrupt = [this] { return !corrupt_.empty(); },
                 .renewed = [this] { sender_.renewed(); },
                 .discard = [this](applier::state s) { tasks_.spawn(free_elsewhere(std::move(s))); },
                 .stop = [this](coro::fatal_cause cause, const std::string& why) { stop(cause, why); }}
    , taker_(options_.snapshots, snapshots_)
    , sender_(snapshots_, taker_, tasks_)
    , delegation_(snapshots_, peers_, sender_)
    , installer_(snapshots_)
    , copies_(snapshots_, taker_, tasks_)
    , admin_({.loop = s.loop,
              .self = options_.self,
              .core = core_,
              .state = applier_,
              .peers = peers_,
              .id_of = options_.id_of,
              .join_anywhere = options_.bugs.join_anywhere,
              .wake = [this] { wake_.set(); }})
    , relay_(options_.raft.group, s.transport, options_.self.boot.value() >> 1 | 1)
    , status_(options_.self, options_.raft.group, core_, applier_, s.wal, s.transport, admin_)
    , corrupt_(options_.corrupt)
    , consistency_(options_.consistency,
                   {.name = options_.self.name, .status = status_, .judged = [this](const auto& why) { judged(why); }})
    , succession_({.group = options_.raft.group,
                   .self = options_.raft.self,
                   .core = core_,
                   .admin = admin_,
                   .peers = peers_,
                   .wal = s.wal,
                   .transport = s.transport,
                   .observer = s.observer,
                   .wake = [this] { wake_.set(); },
                   .corrupt = corrupt_}) {
  writes_inbox_.set_waker(wake_);
  reads_inbox_.set_waker(wake_);
  peers_inbox_.set_waker(wake_);
  calls_inbox_.set_waker(wake_);
  room_inbox_.set_waker(wake_);
  leases_.attach(applier_.store());
  status_.set_corrupt(corrupt_);
  admin_.begin(recovered.configurations);
  follow_members();
}

group::~group() {
  pins_.clear(applier_.store());
}

coro::task<void> group::run() {
  seams_.wal.attach(options_.raft.group, seams_.loop, *this);
  tasks_.spawn(run_turns());
  ticked_ = leaderless_since_ = seams_.loop.now();
  sleep_until_due();
  tasks_.spawn(taker_.run());
  tasks_.spawn(installer_.run());
  // Cancelled, this coroutine still waits until nothing of the group runs on.
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  std::exception_ptr failure;
  while (tasks_.alive() != 0) {
    try {
      co_await tasks_.join();
    } catch (const boost::system::system_error& e) {
      if (e.code() != boost::asio::error::operation_aborted) failure = std::current_exception();
      tasks_.cancel();
    }
  }
  seams_.wal.detach(options_.raft.group);
  if (!failure) co_return;
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& e) {
    // Half a group must not go on as if it were one: whoever waits for it would wait for ever.
    invariant_broken("no task of the group fails", e.what(), __FILE__, __LINE__);
  }
}

coro::task<void> group::run_turns() {
  for (;;) {
    co_await wake_.wait();
    if (!failed_) turn();
  }
}

/// Sees to a turn at the next tick that does something: an idle node is not woken for the others, which are counted by
/// the clock.
void group::sleep_until_due() {
  const auto until_next = [this](std::uint64_t every) { return static_cast<std::uint32_t>(every - ticks_ % every); };
  ahead_ = std::min(core_.quiet_ticks() + 1, sleep_ticks_max);
  const bool waited_for =
      waiting_requests() != 0 || reads_.size() != 0 || ready_reads_.size() != 0 || !lease_waits_.empty();
  if (waited_for) ahead_ = std::min(ahead_, until_next(expiry_ticks));
  // An idle member keeps house when its leader's heartbeats come, or its own leave.
  if (waited_for || status_.asked() || admin_.asked() || relay_.asked())
    ahead_ = std::min(ahead_, until_next(house_keeping_ticks));
  const coro::time_point due = std::min({ticked_ + options_.tick * ahead_, watching_.due(), leases_due()});
  if (due >= wakes_) return;
  wakes_ = due;
  tasks_.spawn(wake_at(due));
}

coro::task<void> group::wake_at(coro::time_point at) {
  co_await seams_.loop.timers().sleep_until(at);
  if (wakes_ == at) wakes_ = coro::time_point::max(); // else there is an earlier one, too
  wake_.set();
}

/// Consensus first, then the state machine, until there is nothing more or the time of the turn is over: what is left
/// goes on in the next one, behind whatever waits for the loop.
void group::turn() {
  seams_.loop.assert_here();
  stages_.turn_begins();
  const std::uint32_t ticks = count_ticks();
  const std::uint32_t quiet = std::min(ticks, core_.quiet_ticks());
  for (std::uint32_t i = 0; i < quiet; ++i) core_.tick(); // what came since came after them
  take_inbox(ticks - quiet);
  take_ticks(ticks, quiet);
  take_writes();
  propose_batch();
  keep_leases();
  if (reads_.has_gathered()) {
    const raft::read_context asked = reads_.ask(seams_.loop.now());
    core_.set_clock(lease_clock());
    stages_.reads_asked(asked.sequence, core_.lease_holds());
    core_.read_index(asked);
  }
  go_on(seams_.loop.now() + options_.turn_budget);
  // The core has decided by now: what it wants is on its way to the log.
  installer_.drop_unwanted();
  compact_some();
  serve_watches();
  serve_reads();
  const bool less_ahead = forget_applied();
  if (may_take_writes() && (writes_.next() != nullptr || (less_ahead && writes_.has_blocked()))) wake_.set();
  sinks_.flush();
  sleep_until_due();
  stages_.turn_ends();
}

void group::go_on(coro::time_point until) {
  while (!failed_) {
    if (core_.has_ready()) {
      ready_.clear();
      core_.take(ready_);
      carry_out(ready_);
    } else if (!applier_.idle()) {
      apply_some();
    } else {
      return;
    }
    if (seams_.loop.now() < until) continue;
    wake_.set();
    return;
  }
}

void group::take_inbox(std::uint32_t ticks_owed) {
  // Peers first: what they say decides whether this node may propose.
  const bool heard = peers_inbox_.take(peers_in_);
  core_.set_clock(lease_clock(), ticks_owed); // not before: a lease must hold when a read was asked for
  if (heard) {
    for (peer_event& e : peers_in_) take(e);
    peers_in_.clear();
  }
  if (calls_inbox_.take(calls_in_)) {
    for (const auto& f : calls_in_) f();
    calls_in_.clear();
  }
  if (writes_inbox_.take(writes_in_)) {
    for (write_request& r : writes_in_) admit(std::move(r));
    writes_in_.clear();
  }
  if (reads_inbox_.take(reads_in_)) {
    for (read_request& r : reads_in_) accept(std::move(r));
    reads_in_.clear();
  }
  if (room_inbox_.take(room_in_)) {
    ready_reads_.room_returned();
    room_in_.clear();
  }
}

/// How many have passed since the last turn. After a pause of the process those that were missed are not made up for.
std::uint32_t group::count_ticks() {
  const coro::time_point now = seams_.loop.now();
  const auto passed = (now - ticked_) / options_.tick;
  if (passed <= ahead_ + ticks_at_most) {
    ticked_ += options_.tick * passed;
    return static_cast<std::uint32_t>(passed);
  }
  ticked_ = now;
  return 1;
}

/// The core has counted some of them.
void group::take_ticks(std::uint32_t count, std::uint32_t counted) {
  for (; counted < count; ++counted) core_.tick();
  const auto passes = [this, count](std::uint64_t every) { return ticks_ / every != (ticks_ + count) / every; };
  const bool expiry_due = passes(expiry_ticks);
  const bool house_keeping_due = passes(house_keeping_ticks);
  ticks_ += count;
  if (expiry_due) expire(seams_.loop.now());
  if (house_keeping_due) keep_house();
}

void group::carry_out(raft::ready& r) {
  send(r.messages);
  if (r.number) persist(r);
  stages_.queued();
  if (!r.committed.empty()) stages_.committed(r.committed.back().index());
  applier_.take(r.committed);
  for (const raft::read_state& answer : r.reads) {
    if (answer.context.boot == options_.self.boot)
      stages_.reads_answered(answer.context.sequence, answer.ok, answer.index, applier_.applied());
    reads_.answered(answer, applier_.applied(), seams_.loop.now());
  }
  for (const raft::load_request& l : r.loads) tasks_.spawn(load(l));
  for (const node_id to : r.snapshots) delegation_.start(to, core_.soft().term);
  if (r.soft) follow(*r.soft);
  if (r.members) {
    admin_.members_changed();
    follow_members();
  }
}

void group::send(std::vector<raft::outgoing>& messages) {
  if (messages.empty()) return;
  withhold(options_.raft.group, messages, witnesses_);
  seams_.transport.send(options_.raft.group, messages);
}

void group::persist(raft::ready& r) {
  if (!r.after_persist.empty()) held_back_.push_back({r.number, std::move(r.after_persist), stages_.turn()});
  if (r.install) installing_.push_back({r.number, installer_.take_prepared(*r.install)});
  storage::write w{.group = options_.raft.group,
                   .number = r.number,
                   .hard = r.hard,
                   .install = std::move(r.install),
                   .entries = std::move(r.entries),
                   .commit = r.commit};
  if (!timed_write_) timed_write_ = {r.number, seams_.loop.now()};
  seams_.wal.submit(std::move(w));
  r.entries = std::move(w.entries);
}

void group::wal_persisted(group_id, raft::write_number up_to) {
  seams_.loop.assert_here();
  core_.persisted(up_to);
  if (timed_write_ && timed_write_->number <= up_to) {
    pace_.log_took(seams_.loop.now() - timed_write_->submitted);
    timed_write_.reset();
  }
  stages_.persisted(core_.persisted_index());
  while (!held_back_.empty() && held_back_.front().number <= up_to) {
    say_how_long(held_back_.front());
    send(held_back_.front().messages);
    held_back_.pop_front();
  }
  while (!installing_.empty() && installing_.front().number <= up_to) {
    applier::state received = std::move(installing_.front().state);
    installing_.pop_front();
    taker_.forget(received.store->applied());
    ready_reads_.begin_anew();
    pins_.clear(applier_.store());
    leases_.detach();
    tasks_.spawn(free_elsewhere(applier_.replace(std::move(received))));
    leases_.attach(applier_.store());
    core_.applied(applier_.applied());
    reads_.applied(applier_.applied());
    admin_.members_changed();
    follow_members();
    sender_.renewed();
    installer_.installed(applier_.applied());
    seams_.observer.snapshot_installed(applier_.applied());
  }
  taker_.log_persisted();
  wake_.set();
}

/// The leader wants to know what of a round trip was this node's disk.
void group::say_how_long(held_back& h) {
  for (raft::outgoing& m : h.messages)
    if (auto* r = std::get_if<raft::append_response>(&m.message))
      r->held_us = static_cast<std::uint32_t>(std::min<std::int64_t>(stages_.held(h.taken).count(), UINT32_MAX));
}

void group::wal_failed(const storage::error& e) {
  stop(coro::fatal_cause::disk, "the log cannot be written: " + e.message());
}

void group::stop(coro::fatal_cause cause, const std::string& why) {
  failed_ = true;
  seams_.fatal.fatal(cause, why);
}

void group::apply_some() {
  const log_index before = applier_.applied();
  stages_.slice_begins();
  seams_.loop.worked(applier_.proceed(options_.slice_cost));
  stages_.slice_ends(before, applier_.applied());
  if (!applier_.why_stopped().empty()) stop(coro::fatal_cause::version, applier_.why_stopped());
  if (applier_.applied() == before) return;
  if (applier_.members_changed()) follow_members();
  core_.applied(applier_.applied());
  reads_.applied(applier_.applied());
  taker_.applied();
}

/// A whole state takes long to free: not on this loop.
coro::task<void> group::free_elsewhere(applier::state s) {
  co_await coro::run_on(seams_.snapshot_worker, seams_.loop, [&s] {
    s = {};
    return true;
  });
}

/// Frees what was compacted, a little in each turn.
void group::compact_some() {
  const coro::time_point until = seams_.loop.now() + options_.turn_budget / compaction_share;
  for (std::size_t freed = 0; freed < compaction_step; freed += compaction_slice) {
    if (!applier_.store().compact_step(compaction_slice)) return;
    seams_.loop.worked(compaction_slice);
    if (seams_.loop.now() >= until) break;
  }
  wake_.set();
}

void group::follow(const raft::soft_state& s) {
  const raft::soft_state before = std::exchange(soft_, s);
  if (before.role != s.role || before.leader != s.leader || before.term != s.term) seams_.observer.role_changed(s);
  if (s.leader && before.leader != s.leader) ++stages_.metrics().leader_changes;
  if (before.leader != s.leader || before.term != s.term) sender_.stop_all();
  if (before.role == raft::role::leader && s.role != raft::role::leader) {
    delegation_.stop_all();
    proposed_.clear(); // whether they come to be applied or not
    proposed_bytes_ = {};
    compaction_proposed_.reset();
    time_counted_.reset();
  }
  if (before.role != raft::role::leader && s.role == raft::role::leader) led_since_ = ticks_;
  if (before.leader && !s.leader) leaderless_since_ = seams_.loop.now();
  if (before.term != s.term || before.role != s.role) stages_.role_changed();
  if (s.leader) retry_waiting();
}

coro::task<void> group::load(raft::load_request r) {
  auto entries = co_await seams_.wal.read(options_.raft.group, r.first, r.last, r.bytes_max);
  if (entries) {
    core_.loaded(r.ticket, std::move(*entries));
    wake_.set();
  } else if (entries.error().code == storage::error_code::compacted) {
    core_.loaded(r.ticket, {}); // a snapshot took their place meanwhile
    wake_.set();
  } else if (entries.error().code != storage::error_code::stopped) {
    const bool corrupt = entries.error().code == storage::error_code::corrupt;
    stop(corrupt ? coro::fatal_cause::corruption : coro::fatal_cause::disk, entries.error().message());
  }
}

queue_depths group::depths() const {
  return {.proposed = pending_.size(),
          .forwarded = forwards_.size(),
          .waiting = writes_.size(),
          .reads = reads_.size() + ready_reads_.size(),
          .sessions = applier_.store().sessions().size()};
}

void group::add_to(group_mailboxes& sum) {
  writes_inbox_.add_to(sum.writes);
  reads_inbox_.add_to(sum.reads);
  peers_inbox_.add_to(sum.peers);
  calls_inbox_.add_to(sum.calls);
}

} // namespace quorumd::node
