#include "consensus/raft/quorum.hpp"
#include "daemon/kv/codec/command_codec.hpp"
#include "daemon/kv/store.hpp"
#include "daemon/node/group.hpp"
#include "daemon/node/reply_estimate.hpp"
#include "daemon/node/witness.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

namespace quorumd::node {
namespace {
constexpr std::size_t write_cost = 256; // what a command costs besides its bytes, in bytes
constexpr int reads_share = 2;          // of the turn's budget
constexpr int reads_share_beside_writes = 8;
constexpr int watches_share = 4;                           // likewise, of those that are behind
constexpr std::size_t watches_slice = 256;                 // of changes, between two looks at the clock
constexpr int elections_without_leader = 3;                // until those who watch and need one are told
constexpr auto leaderless_least = std::chrono::seconds(3); // likewise: as long as etcd takes by default
constexpr std::uint64_t meeting_ticks = 200;               // that a new leader waits for a member's stream
constexpr std::size_t visit_cost = 32;                     // of a record that a read visits, in bytes of a reply
} // namespace

/// Counts it, but for what was refused in good order, and what another node counts.
void group::fail_write(const reply_to& to, request_errc why, std::string_view detail) {
  const bool refused = why == request_errc::refused || why == request_errc::invalid || why == request_errc::no_space ||
                       why == request_errc::overloaded;
  if (!refused && to.sink != nullptr && to.sink != &forward_replies_) ++stages_.metrics().writes_failed;
  sinks_.failed(to, why, detail);
}

void group::admit(write_request r) {
  if (draining_)
    fail_write(r.to, request_errc::shutting_down);
  else if (!corrupt_.empty())
    fail_write(r.to, request_errc::corrupt, corrupt_);
  else if (removed_at_ != 0)
    fail_write(r.to, request_errc::not_leader, removed_text());
  else if (writes_.size() >= options_.waiting_max && !may_take_writes())
    sinks_.failed(r.to, request_errc::overloaded);
  else
    writes_.add(std::move(r));
}

/// What is on its way to a majority and to be applied, or to the leader.
group::command_bytes group::ahead() const {
  if (soft_.role != raft::role::leader) return {.all = forwards_.bytes(), .bulk = forwards_.bulk_bytes()};
  command_bytes sum = proposed_bytes_;
  return sum += proposing_bytes_;
}

/// 0 if there is none.
node_id group::reachable_leader() const {
  return soft_.leader && seams_.transport.connected(soft_.leader) ? soft_.leader : node_id();
}

bool group::may_take_writes() const {
  if (writes_held_ || ahead().all >= options_.ahead_bytes_max) return false;
  if (soft_.role == raft::role::leader) return true;
  const node_id leader = reachable_leader();
  return leader && seams_.transport.writable(leader);
}

/// Takes from each client in turn as much as may be on its way; the rest waits, each behind what its own client asked
/// for before.
void group::take_writes() {
  if (draining_)
    writes_.erase_if([this](const write_request& r) {
      fail_write(r.to, request_errc::shutting_down);
      return true;
    });
  forget_applied();
  writes_.unblock();
  while (may_take_writes()) {
    write_request* const r = writes_.next();
    if (r == nullptr) return;
    const std::size_t cost = std::as_const(r->command).payload().size() + write_cost;
    if (take_write(*r))
      writes_.spent(cost, true);
    else
      writes_.block();
  }
}

/// Whether there was something.
bool group::forget_applied() {
  const std::size_t before = proposed_.size();
  while (!proposed_.empty() && proposed_.front().last <= applier_.applied()) {
    proposed_bytes_ -= proposed_.front().bytes;
    proposed_.pop_front();
  }
  return proposed_.size() != before;
}

/// False if its lane has to wait.
bool group::take_write(write_request& r) {
  const std::size_t bytes = r.command.encoded_bytes();
  const bool leads = soft_.role == raft::role::leader;
  const std::size_t uncommitted = core_.uncommitted_bytes() + proposing_bytes_.all;
  if (leads && uncommitted != 0 && uncommitted + bytes > options_.raft.uncommitted_bytes_max) return false;
  if (r.bulk && ahead().bulk >= options_.bulk_ahead_bytes_max) return false;
  if (r.to.sink != nullptr && r.to.sink->gone(r.to)) {
    fail_write(r.to, request_errc::timeout); // to nobody
    return true;
  }
  if (leads && r.question) {
    ask_about_lease(std::move(r));
    return true;
  }
  if (leads && applier_.store().level() < r.level) {
    const std::string why = raise_level(r.level);
    if (why.empty()) return false; // until that is applied
    sinks_.failed(r.to, request_errc::refused, why);
    return true;
  }
  if (r.to.sink != nullptr && r.answers) {
    if (!r.to.sink->has_room(r.to)) return false;
    const auto command = kv::decode_command(std::as_const(r.command).payload());
    if (command) r.to.reserved = static_cast<std::uint32_t>(estimate_reply(applier_.store(), command->what));
    r.to.sink->reserve(r.to);
  }
  if (leads) {
    proposing_bytes_.add(bytes, r.bulk);
    proposing_.push_back(std::move(r));
  } else {
    forward(soft_.leader, std::move(r));
  }
  return true;
}

void group::propose_batch() {
  if (proposing_.empty()) return;
  proposing_bytes_ = {};
  const std::string full = seams_.wal.accepting_puts() ? std::string() : seams_.wal.space().message;
  std::uint64_t growing = proposed_bytes_.all;
  std::erase_if(proposing_, [&](const write_request& r) {
    if (!r.grows) return false;
    growing += std::as_const(r.command).payload().size();
    const std::string why = full.empty() ? over_quota(growing) : full;
    if (why.empty()) return false;
    sinks_.failed(r.to, request_errc::no_space, why);
    growing -= std::as_const(r.command).payload().size();
    return true;
  });
  if (!seams_.wal.has_room()) {
    for (const write_request& r : proposing_) sinks_.failed(r.to, request_errc::overloaded);
    proposing_.clear();
  }
  if (proposing_.empty()) return;

  batch_.clear();
  command_bytes bytes;
  for (write_request& r : proposing_) {
    bytes.add(r.command.encoded_bytes(), r.bulk);
    batch_.push_back(std::move(r.command));
  }
  const auto placed = core_.propose(batch_);
  if (placed) {
    stages_.proposed(placed->first, proposing_);
    log_index index = placed->first;
    for (const write_request& r : proposing_) {
      pending_.push(index, placed->term, r.to, r.deadline);
      index = index.next();
    }
    proposed_.push_back({core_.last_index(), bytes});
    proposed_bytes_ += bytes;
  } else {
    for (std::size_t i = proposing_.size(); i-- != 0;) { // each in front of what its client asked for later
      write_request& r = proposing_[i];
      r.command = std::move(batch_[i]);
      if (placed.error() == raft::propose_error::too_much) {
        sinks_.failed(r.to, request_errc::overloaded);
      } else { // it led when the turn began, or it is handing over
        wait_again(std::move(r));
        writes_held_ = true; // until the next look around
      }
    }
  }
  proposing_.clear();
}

/// Why the store cannot take so many bytes more; empty: it can.
std::string group::over_quota(std::uint64_t more) const {
  const kv::store& store = applier_.store();
  if (!store.settings() || store.settings()->quota_bytes == 0) return {};
  const std::uint64_t quota = store.settings()->quota_bytes;
  if (store.stored_bytes() + more <= quota) return {};
  return "the store holds " + std::to_string(store.stored_bytes()) + " bytes of the " + std::to_string(quota) +
         " that storage.quota_bytes allows; delete keys, or raise it with 'quorumd settings storage.quota_bytes=…'";
}

/// Tells of it before it is used up; once, though the store hovers about the bound.
void group::watch_quota() {
  const kv::store& store = applier_.store();
  const std::uint64_t quota = store.settings() ? store.settings()->quota_bytes : 0;
  const std::uint64_t bound = nearly_full_ ? kv::nearly_used_until(quota) : kv::nearly_used_from(quota);
  const bool is = quota != 0 && store.stored_bytes() >= bound;
  if (std::exchange(nearly_full_, is) != is) seams_.observer.quota_nearly_used(is, store.stored_bytes(), quota);
}

/// Nothing was done with it: its room is given back until its turn comes again.
void group::wait_again(write_request r) {
  if (r.to.reserved != 0) r.to.sink->unreserve(r.to);
  r.to.reserved = 0;
  writes_.add_again(std::move(r));
}

void group::forward(node_id leader, write_request r) {
  const auto remaining = std::chrono::duration_cast<std::chrono::milliseconds>(r.deadline - seams_.loop.now());
  if (remaining.count() <= 0) {
    fail_write(r.to, request_errc::timeout);
    return;
  }
  const std::uint64_t id = forwards_.push(leader, r.to, r.deadline, std::as_const(r.command).payload().size(), r.bulk);
  stages_.forwarded(id, r.arrival);
  seams_.transport.send(leader, wire::forward_request{.id = id,
                                                      .group = options_.raft.group,
                                                      .remaining = wire::remaining_behind(remaining),
                                                      .command = std::move(r.command),
                                                      .bulk = r.bulk});
}

void group::retry_waiting() {
  writes_held_ = false;
  reads_.retry();
  if (reads_.has_gathered() || !writes_.empty()) wake_.set();
}

void group::accept(read_request r) {
  stages_.read_taken(r);
  if (draining_)
    sinks_.failed(r.to, request_errc::shutting_down);
  else if (!corrupt_.empty())
    sinks_.failed(r.to, request_errc::corrupt, corrupt_);
  else if (removed_at_ != 0)
    sinks_.failed(r.to, request_errc::not_leader, removed_text());
  else if (options_.raft.witness && r.needs_data)
    sinks_.failed(r.to, request_errc::not_leader, witness_refusal);
  else if (r.stale && applier_.applied() < recovered_)
    reads_.wait_for(recovered_, std::move(r));
  else if (r.stale || (r.max_age.count() > 0 && reads_.has_all_since(seams_.loop.now() - r.max_age)))
    ready_reads_.add(std::move(r));
  else
    reads_.add(std::move(r));
}

/// Not longer than a turn may take: what is left goes on in the next, after whatever came meanwhile.
void group::serve_reads() {
  // Each put takes several turns: while some are under way, these are shorter.
  const int share = pending_.size() != 0 || !writes_.empty() ? reads_share_beside_writes : reads_share;
  const coro::time_point until = seams_.loop.now() + options_.turn_budget / share;
  ready_reads_.serve([&] { return seams_.loop.now() < until; });
  if (ready_reads_.has_work()) wake_.set();
}

read_server::slice group::serve(read_request& r) {
  if (r.question) return answer_about_lease(r);
  if (!r.under_way && r.transaction.empty() && r.range.range_end.empty()) { // one key
    seams_.loop.worked(1);
    return answer(r, applier_.store().range(r.range));
  }
  if (!r.under_way) {
    keep_readable(r, applier_.store().current());
    r.under_way = std::make_unique<read_under_way>(applier_.store(), r);
  }
  kv::reading& reading = r.under_way->reading();
  const std::size_t before = reading.visits();
  const bool done = reading.proceed(options_.slice_cost);
  const std::size_t visits = reading.visits() - before + 1;
  seams_.loop.worked(visits);
  read_server::slice s{.bytes = visits * visit_cost, .done = done};
  if (!done) return s;
  if (r.transaction.empty()) {
    s.bytes += answer(r, reading.take_range()).bytes;
  } else {
    sinks_.wrote(r.to, reading.take_txn());
    stages_.read_served(r);
    s.bytes += reading.reply_bytes();
  }
  r.under_way.reset();
  return s;
}

bool group::leaderless() const {
  const coro::duration patience = options_.tick * elections_without_leader * options_.raft.election_ticks;
  return !soft_.leader && seams_.loop.now() - leaderless_since_ >= std::max<coro::duration>(patience, leaderless_least);
}

/// Watches whose time came, and those that are behind.
void group::serve_watches() {
  const coro::time_point now = seams_.loop.now();
  if (leaderless()) watching_.leader_lost();
  if (watching_.due() <= now) watching_.keep_time(now);
  const coro::time_point until = now + options_.turn_budget / watches_share;
  do {
    if (watching_.hub().catch_up(watches_slice)) return;
    seams_.loop.worked(watches_slice);
  } while (seams_.loop.now() < until);
  wake_.set();
}

/// From the beginning of the read on, and anew at its end: its client comes back for more.
void group::keep_readable(const read_request& r, revision current) {
  if (r.keep <= r.keep.zero()) return;
  pins_.keep(applier_.store(), r.range.revision ? r.range.revision : current, seams_.loop.now(), r.keep);
}

read_server::slice group::answer(const read_request& r, const kv::result<kv::range_reply>& found) {
  if (found) keep_readable(r, found->revision);
  sinks_.ranged(r.to, found);
  stages_.read_served(r);
  read_server::slice s;
  if (found)
    for (const kv::key_value_view& k : found->kvs) s.bytes += k.key.size() + k.value.size();
  return s;
}

void group::expire(coro::time_point now) {
  pending_.expire(now);
  forwards_.expire(now);
  reads_.expire(now);
  ready_reads_.expire(now);
  std::erase_if(lease_waits_, [&](const read_request& r) {
    if (r.deadline > now) return false;
    sinks_.failed(r.to, request_errc::timeout);
    return true;
  });
  const bool led = soft_.role == raft::role::leader || reachable_leader();
  const request_errc why = led ? request_errc::timeout : request_errc::no_quorum;
  writes_.erase_if([&](const write_request& r) {
    const bool gone = r.to.sink != nullptr && r.to.sink->gone(r.to);
    if (!gone && (led ? r.deadline : std::min(r.leader_by, r.deadline)) > now) return false;
    fail_write(r.to, why);
    return true;
  });
}

void group::propose_own(entry_kind kind, std::span<const std::byte> payload) {
  proposal p(arena_, payload.size(), kind);
  std::memcpy(p.payload().data(), payload.data(), payload.size());
  p.finish();
  if (auto placed = core_.propose({&p, 1}); !placed) return; // no longer the leader: the next one does it
}

void group::keep_house() {
  status_.expire(seams_.loop.now());
  pins_.expire(applier_.store(), seams_.loop.now());
  sender_.keep_house();
  delegation_.keep_house();
  installer_.keep_house();
  taker_.keep_house();
  copies_.keep_house();
  admin_.keep_house(seams_.loop.now());
  relay_.expire(seams_.loop.now());
  leave_if_removed();
  if (soft_.leader) retry_waiting();

  const bool space = seams_.wal.accepting_puts();
  if (std::exchange(space_, space) != space) seams_.observer.space_changed(space, seams_.wal.space().message);
  const auto& settings = applier_.store().settings();
  if (settings && settings != settings_seen_) {
    settings_seen_ = settings;
    seams_.observer.settings_changed(*settings);
  }
  watch_quota();

  note_age();
  if (!draining_) succession_.keep_house(ticks_);
  if (!draining_ && !options_.raft.witness) consistency_.keep_house(seams_.loop.now());
  if (!soft_.serving) return;
  record_members();
  keep_settings();
  keep_time();
  tell_of_leases(leases_.take_checkpoints(options_.tick * house_keeping_ticks));
  compact_history();
}

/// The first leader's configuration is the cluster's, until somebody says otherwise.
void group::keep_settings() {
  if (applier_.store().settings() || settings_proposed_ == soft_.term) return;
  kv::configure c{.keep_revisions = options_.initial.keep_revisions,
                  .history_bytes_max = options_.initial.history_bytes_max,
                  .quota_bytes = options_.initial.quota_bytes,
                  .initial = true};
  if (options_.initial.keep_for_ms != 0) {
    if (applier_.store().level() >= kv::age_level)
      c.keep_for_ms = options_.initial.keep_for_ms;
    else if (raise_level(kv::age_level).empty())
      return; // until that is applied. Where not all members know it the others begin without
  }
  proposal p = kv::encode_command(arena_, c);
  if (core_.propose({&p, 1})) settings_proposed_ = soft_.term;
}

/// Whether what is applied is all that earlier leaders did.
bool group::knows_level() const {
  return core_.term_at(applier_.applied()) == soft_.term;
}

/// Who does not understand what a level brings, so that nobody may use it.
struct group::level_objection {
  std::string text; ///< empty: nobody
  bool unmet = false;
};

group::level_objection group::objection_to(std::uint16_t level) const {
  const bool age = level >= kv::age_level;
  const bool leases = level >= kv::lease_level;
  const std::uint64_t feature = age      ? wire::feature_history_age
                                : leases ? wire::feature_leases
                                         : wire::feature_sessions;
  const std::string what = age ? "history.keep_for" : leases ? "leases" : "sessions";
  for (const auto& [id, record] : admin_.in_force().records) {
    if (id == options_.raft.self || !raft::is_member(core_.members(), id)) continue;
    const auto p = peers_.find(id);
    if (p == peers_.end() || !p->second.incarnation)
      return {record.name + " was not met yet, and may run a version that knows no " + what +
                  ": start it, or remove it",
              true};
    if ((p->second.features & feature) == 0)
      return {record.name + " runs a version that knows no " + what + ": upgrade it first", false};
  }
  return {};
}

/// Switches on what all members know, for the first who wants it: before that there is a way back to an earlier
/// version. Why it cannot be; empty: it is under way.
std::string group::raise_level(std::uint16_t level) {
  const bool proposed = level_proposed_.in == soft_.term && level_proposed_.level >= level;
  if (proposed || !knows_level()) return {};
  const level_objection why = objection_to(level);
  if (why.unmet && ticks_ - led_since_ < meeting_ticks) return {}; // it may be about to connect
  if (!why.text.empty()) return why.text;
  proposal p = kv::encode_command(arena_, kv::raise_level{level});
  if (core_.propose({&p, 1})) level_proposed_ = {.in = soft_.term, .level = level};
  return {};
}

/// Sessions end by the time that leaders count. A pause of the process ends none at once.
void group::keep_time() {
  const coro::time_point now = seams_.loop.now();
  if (applier_.store().sessions().size() == 0) {
    time_counted_.reset();
    return;
  }
  if (!time_counted_) time_counted_ = now;
  const coro::duration passed = now - *time_counted_;
  if (passed < options_.time_interval) return;
  const auto counted =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::min(passed, 2 * options_.time_interval));
  proposal p = kv::encode_command(arena_, kv::pass_time{static_cast<std::uint64_t>(counted.count())});
  if (core_.propose({&p, 1})) time_counted_ = now;
}

/// On every member: whoever leads next goes on where this leader ends.
void group::note_age() {
  const kv::store& store = applier_.store();
  if (!store.settings()) return;
  ages_.note(seams_.loop.now(), store.current(), std::chrono::milliseconds(store.settings()->keep_for_ms));
}

void group::compact_history() {
  const kv::store& store = applier_.store();
  auto due = store.due_compaction();
  if (store.settings() && store.settings()->keep_for_ms != 0) {
    const auto then = seams_.loop.now() - std::chrono::milliseconds(store.settings()->keep_for_ms);
    const auto aged = ages_.at(then);
    if (aged && *aged > std::max(store.compacted(), due.value_or(revision()))) due = aged;
  }
  if (!due || (compaction_proposed_ && *compaction_proposed_ >= *due)) return;
  const kv::command c = kv::compact{*due};
  proposal p = kv::encode_command(arena_, c);
  if (core_.propose({&p, 1})) compaction_proposed_ = *due;
}

} // namespace quorumd::node
