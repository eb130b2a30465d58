#include "daemon/node/snapshot_sender.hpp"

#include "consensus/types/invariant.hpp"
#include "daemon/node/snapshot_chunks.hpp"
#include "daemon/node/witness.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace quorumd::node {
namespace {
constexpr auto stall_limit = std::chrono::seconds(20);
constexpr auto report_interval = std::chrono::seconds(1);
} // namespace

snapshot_sender::snapshot_sender(snapshot_context& context, snapshot_taker& taker, coro::task_group& tasks)
    : context_(context)
    , taker_(taker)
    , tasks_(tasks) {
  const snapshot_transfer_options& o = context.transfers;
  QUORUMD_INVARIANT(o.chunk_bytes != 0 && o.chunk_bytes <= wire::snapshot_chunk_bytes_max && o.window_bytes != 0 &&
                        o.window_bytes <= o.chunk_bytes * snapshot_window_chunks_max,
                    "a receiver has room for the chunks of a window");
}

void snapshot_sender::start(node_id to, quorumd::term term) {
  const auto found = transfers_.find(to);
  if (found == transfers_.end())
    begin(to, term);
  else
    found->second->awaited = true; // it ends, and the core asks again if need be
}

void snapshot_sender::start(node_id leader, const wire::snapshot_order& o) {
  const bool busy = transfers_.contains(o.to);
  if (!busy && o.term == context_.core.hard().term && !context_.witness) {
    begin(o.to, o.term, leader, o.number, o.at_least);
    return;
  }
  context_.transport.send(leader,
                          wire::snapshot_report{.group = context_.place.group,
                                                .number = o.number,
                                                .status = wire::report_status::failed,
                                                .text = busy ? "it sends it one already" : "its term is another"});
}

snapshot_sender::transfer& snapshot_sender::begin(node_id to, quorumd::term term, node_id leader, std::uint64_t order,
                                                  log_index at_least) {
  auto t = std::make_shared<transfer>(context_.loop);
  t->number = next_number_++;
  t->term = term;
  t->leader = leader;
  t->awaited = !leader;
  t->order = order;
  t->at_least = at_least;
  t->pinned = context_.core.first_index().prev();
  transfers_.emplace(to, t);
  tasks_.spawn(send(to, t));
  return *t;
}

void snapshot_sender::report(const transfer& t, wire::report_status status, std::string text) {
  context_.transport.send(
      t.leader, wire::snapshot_report{
                    .group = context_.place.group, .number = t.order, .status = status, .text = std::move(text)});
}

void snapshot_sender::offer(node_id to, quorumd::term term, log_index at_least) {
  const auto there = transfers_.find(to);
  transfer& t = there == transfers_.end() ? begin(to, term) : *there->second;
  if (t.mark.index == log_index()) t.at_least = std::max(t.at_least, at_least);
}

coro::task<void> snapshot_sender::send(node_id to, std::shared_ptr<transfer> t) {
  while (damaged_ && !t->failed) co_await t->changed.wait(); // another one is being taken
  co_await send_file(to, *t);
  const bool success = t->done && !t->failed;
  transfers_.erase(to);
  if (t->leader) report(*t, success ? wire::report_status::done : wire::report_status::failed, t->why);
  if (t->awaited) context_.core.snapshot_sent(to, success);
  context_.observer.snapshot_send_ended(to, t->mark.index, success ? "" : t->why);
  context_.wake();
}

coro::task<void> snapshot_sender::send_file(node_id to, transfer& t) {
  if (t.failed) co_return;
  if (context_.corrupt()) {
    fail(t, "what this node holds differs from what the other members hold");
    co_return;
  }
  open_reader reader = co_await open(to, t);
  if (!reader && t.leader && !t.failed) {
    co_await wait_for_newer(t);
    if (!t.failed) reader = co_await open(to, t);
  }
  if (!reader) co_return;
  context_.observer.snapshot_sending(to, t.mark.index);
  co_await send_chunks(to, t, *reader);
  // Damage shows once everything is there; what is refused earlier meets a full disk.
  if (t.refused && t.sent == t.total) co_await check_own(t, *reader);
}

coro::task<snapshot_sender::open_reader> snapshot_sender::open(node_id to, transfer& t) {
  auto open = [place = context_.place, witness = context_.is_witness(to)] {
    if (witness) return open_for_witness(place);
    return storage::open_newest_snapshot(place.files, place.directory, place.group);
  };
  auto reader = co_await coro::run_on(context_.worker, context_.loop, std::move(open));
  t.renewals = renewals_;
  if (!reader) {
    found_damaged(t, reader.error());
    co_return nullptr;
  }
  t.mark = (*reader)->info().mark;
  t.total = (*reader)->bytes();
  if (t.mark.index < context_.core.first_index().prev()) {
    found_damaged(t, storage::error(storage::error_code::corrupt, context_.place.directory,
                                    "the snapshot that the log begins behind is damaged or gone"));
    co_return nullptr;
  }
  if (t.mark.index < t.at_least) {
    taker_.take_now();
    if (t.leader && std::exchange(t.waits_for_newer, true) == false) co_return nullptr;
    fail(t, "the newest one ends at index " + std::to_string(t.mark.index.value()) + ", and one that goes to " +
                std::to_string(t.at_least.value()) + " is wanted");
    co_return nullptr;
  }
  t.pinned = t.mark.index;
  co_return std::move(*reader);
}

/// One is being taken, which goes as far as this node has applied.
coro::task<void> snapshot_sender::wait_for_newer(transfer& t) {
  while (t.renewals == renewals_ && !t.failed) co_await t.changed.wait();
}

coro::task<void> snapshot_sender::send_chunks(node_id to, transfer& t, storage::snapshot_reader& reader) {
  std::uint64_t& offset = t.sent;
  std::optional<wire::chunk_packer> packer;
  if (context_.transfers.pack && context_.can_unpack(to)) packer.emplace(); // a stream that another takes ends this
  while (!t.ended()) {
    offset = std::max(offset, t.credited); // the receiver may have had a part of it already
    if (offset >= t.total || offset - t.credited >= context_.transfers.window_bytes) {
      if (!t.waits_since) t.waits_since = context_.loop.now();
      co_await t.changed.wait();
      continue;
    }
    t.waits_since.reset();
    auto read = [&reader, &packer, offset, at_most = context_.transfers.chunk_bytes] {
      return read_part(reader, offset, at_most, packer);
    };
    auto next = co_await coro::run_on(context_.worker, context_.loop, std::move(read));
    if (!next) {
      found_damaged(t, next.error());
      break;
    }
    const std::uint64_t at = std::exchange(offset, offset + next->file_bytes);
    context_.sent.file_bytes += next->file_bytes;
    context_.sent.wire_bytes += next->bytes.bytes.size();
    context_.transport.send(to, wire::snapshot_chunk{.group = context_.place.group,
                                                     .term = t.term,
                                                     .leader = t.leader,
                                                     .mark = t.mark,
                                                     .transfer = t.number,
                                                     .offset = at,
                                                     .total_bytes = t.total,
                                                     .last = offset == t.total,
                                                     .bytes = std::move(next->bytes),
                                                     .packed_of = next->packed ? next->file_bytes : 0});
  }
  t.waits_since.reset();
}

/// A slice a job, since others need the worker too.
coro::task<void> snapshot_sender::check_own(transfer& t, storage::snapshot_reader& reader) {
  for (bool more = true; more && !t.failed;) {
    auto check = [&reader, bytes = context_.transfers.slice_bytes] { return reader.check_on(bytes); };
    auto checked = co_await coro::run_on(context_.worker, context_.loop, std::move(check));
    if (!checked) found_damaged(t, checked.error());
    more = checked && *checked;
  }
}

void snapshot_sender::take(node_id from, const wire::snapshot_credit& credit) {
  const auto found = transfers_.find(from);
  if (found == transfers_.end() || found->second->number != credit.transfer) return;
  transfer& t = *found->second;
  if (t.waits_since) t.waits_since = context_.loop.now();
  switch (credit.status) {
  case wire::snapshot_status::more:
    t.credited = std::min(std::max(t.credited, credit.offset), t.total);
    break;
  case wire::snapshot_status::done:
    t.done = true;
    break;
  case wire::snapshot_status::refused:
    t.refused = true;
    t.why = credit.text;
    break;
  case wire::snapshot_status::wanted: // is of no transfer
    return;
  }
  t.changed.set();
}

void snapshot_sender::peer_lost(node_id peer) {
  const auto found = transfers_.find(peer);
  if (found != transfers_.end()) fail(*found->second, "the stream to it broke");
}

void snapshot_sender::stop_all() {
  for (auto& [to, t] : transfers_) fail(*t, "the leader has changed");
}

void snapshot_sender::keep_house() {
  if (damaged_) taker_.take_now();
  const coro::time_point now = context_.loop.now();
  const bool report_due = now - reported_ >= report_interval;
  if (report_due) reported_ = now;
  for (auto& [to, t] : transfers_) {
    if (t->leader && report_due) report(*t, wire::report_status::under_way);
    if (t->waits_for_newer && t->renewals == renewals_ && !taker_.last_failure().empty())
      fail(*t, taker_.last_failure());
    if (t->waits_since && now - *t->waits_since > stall_limit) fail(*t, "it stopped taking chunks");
  }
}

void snapshot_sender::renewed() {
  ++renewals_;
  damaged_ = false;
  for (auto& [to, t] : transfers_) t->changed.set();
}

std::optional<log_index> snapshot_sender::pinned(log_index floor) const {
  std::optional<log_index> lowest;
  for (const auto& [to, t] : transfers_)
    if (t->pinned >= floor && (!lowest || t->pinned < *lowest)) lowest = t->pinned;
  return lowest;
}

void snapshot_sender::found_damaged(transfer& t, const storage::error& e) {
  context_.observer.snapshot_failed("sending: " + e.message());
  fail(t, e.message());
  if (t.renewals != renewals_) return; // it is no longer the newest
  damaged_ = true;
  taker_.take_now();
}

void snapshot_sender::fail(transfer& t, std::string why) {
  if (t.failed) return;
  t.failed = true;
  t.why = std::move(why);
  t.changed.set();
}

} // namespace quorumd::node
