#include "daemon/kv/store.hpp"
#include "daemon/node/group.hpp"
#include "wire/command_codec.hpp"

#include <chrono>
#include <cstring>
#include <utility>

namespace quorumd::node {
namespace {
constexpr int reads_share = 2;         // of the turn's budget
constexpr std::size_t visit_cost = 32; // of a record that a read visits, in bytes of a reply
} // namespace

void group::accept(write_request r) {
  if (draining_)
    sinks_.failed(r.to, request_errc::shutting_down);
  else if (soft_.role == raft::role::leader)
    proposing_.push_back(std::move(r));
  else if (soft_.leader && seams_.transport.connected(soft_.leader))
    forward(soft_.leader, std::move(r));
  else
    wait_for_leader(std::move(r));
}

void group::propose_batch() {
  if (proposing_.empty()) return;
  const bool space = seams_.wal.accepting_puts();
  const std::string why = space ? std::string() : seams_.wal.space().message;
  std::erase_if(proposing_, [&](const write_request& r) {
    if (space || !r.grows) return false;
    sinks_.failed(r.to, request_errc::no_space, why);
    return true;
  });
  if (!seams_.wal.has_room()) {
    for (const write_request& r : proposing_) sinks_.failed(r.to, request_errc::overloaded);
    proposing_.clear();
  }
  if (proposing_.empty()) return;

  batch_.clear();
  for (write_request& r : proposing_) batch_.push_back(std::move(r.command));
  const auto placed = core_.propose(batch_);
  if (placed) {
    log_index index = placed->first;
    for (const write_request& r : proposing_) {
      pending_.push(index, placed->term, r.to, r.deadline);
      index = index.next();
    }
  } else {
    for (std::size_t i = 0; i < proposing_.size(); ++i) proposing_[i].command = std::move(batch_[i]);
    for (write_request& r : proposing_) {
      if (placed.error() == raft::propose_error::too_much)
        sinks_.failed(r.to, request_errc::overloaded);
      else
        wait_for_leader(std::move(r)); // it led when the turn began, or it is handing over
    }
  }
  proposing_.clear();
}

void group::forward(node_id leader, write_request r) {
  if (!seams_.transport.writable(leader)) {
    sinks_.failed(r.to, request_errc::overloaded);
    return;
  }
  const auto remaining = std::chrono::duration_cast<std::chrono::milliseconds>(r.deadline - seams_.loop.now());
  if (remaining.count() <= 0) {
    sinks_.failed(r.to, request_errc::timeout);
    return;
  }
  const std::uint64_t id = forwards_.push(leader, r.to, r.deadline);
  seams_.transport.send(
      leader, wire::forward_request{
                  .id = id, .group = options_.raft.group, .remaining = remaining, .command = std::move(r.command)});
}

void group::wait_for_leader(write_request r) {
  if (waiting_.size() >= options_.waiting_max)
    sinks_.failed(r.to, request_errc::overloaded);
  else
    waiting_.push_back(std::move(r));
}

void group::retry_waiting() {
  for (std::size_t n = waiting_.size(); n != 0; --n) {
    write_request r = std::move(waiting_.front());
    waiting_.pop_front();
    accept(std::move(r));
  }
  propose_batch();
  reads_.retry();
  if (reads_.has_gathered()) wake_.set();
}

void group::accept(read_request r) {
  if (draining_)
    sinks_.failed(r.to, request_errc::shutting_down);
  else if (r.stale)
    ready_reads_.add(std::move(r));
  else
    reads_.add(std::move(r));
}

/// Not longer than a turn may take: what is left goes on in the next, after whatever came meanwhile.
void group::serve_reads() {
  const coro::time_point until = seams_.loop.now() + options_.turn_budget / reads_share;
  ready_reads_.serve([&] { return seams_.loop.now() < until; });
  if (ready_reads_.has_work()) wake_.set();
}

read_server::slice group::serve(read_request& r) {
  if (!r.under_way && r.transaction.empty() && r.range.range_end.empty()) { // one key
    seams_.loop.worked(1);
    return answer(r, applier_.store().range(r.range));
  }
  if (!r.under_way) r.under_way = std::make_unique<read_under_way>(applier_.store(), r);
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
    s.bytes += reading.reply_bytes();
  }
  r.under_way.reset();
  return s;
}

read_server::slice group::answer(const read_request& r, const kv::result<kv::range_reply>& found) {
  sinks_.ranged(r.to, found);
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
  std::erase_if(waiting_, [&](const write_request& r) {
    if (r.deadline > now) return false;
    sinks_.failed(r.to, request_errc::no_quorum);
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
  expire(seams_.loop.now());
  status_.expire(seams_.loop.now());
  sender_.keep_house();
  installer_.keep_house();
  taker_.keep_house();
  if (soft_.leader) retry_waiting();

  const bool space = seams_.wal.accepting_puts();
  if (std::exchange(space_, space) != space) seams_.observer.space_changed(space, seams_.wal.space().message);

  if (!soft_.serving) return;
  record_members();
  if (options_.keep_revisions == 0) return;
  const auto due = applier_.store().due_compaction(options_.keep_revisions);
  if (!due || (compaction_proposed_ && *compaction_proposed_ >= *due)) return;
  const kv::command c = kv::compact{*due};
  proposal p = wire::encode_command(arena_, c);
  if (core_.propose({&p, 1})) compaction_proposed_ = *due;
}

} // namespace quorumd::node
