#include "daemon/node/snapshot_sender.hpp"

#include <algorithm>
#include <utility>

namespace quorumd::node {
namespace {
constexpr std::uint64_t window_bytes = std::uint64_t{1} << 20;
constexpr auto stall_limit = std::chrono::seconds(20);
} // namespace

void snapshot_sender::start(node_id to, quorumd::term term) {
  if (transfers_.contains(to)) return; // it ends, and the core asks again if need be
  auto t = std::make_shared<transfer>(context_.loop);
  t->number = next_number_++;
  t->term = term;
  t->progress = context_.loop.now();
  transfers_.emplace(to, t);
  tasks_.spawn(send(to, std::move(t)));
}

coro::task<void> snapshot_sender::send(node_id to, std::shared_ptr<transfer> t) {
  using opened_reader = storage::result<std::unique_ptr<storage::snapshot_reader>>;
  auto open = [place = context_.place]() -> opened_reader {
    auto found = storage::newest_snapshot(place.files, place.directory, place.group);
    if (!found) return found.error();
    if (!found->newest)
      return storage::error(storage::error_code::not_found, place.directory, "there is no whole snapshot to send");
    return storage::snapshot_reader::open(place.files, found->newest->path);
  };
  auto reader = co_await coro::run_on(context_.worker, context_.loop, std::move(open));
  if (reader) {
    t->mark = (*reader)->info().mark;
    t->total = (*reader)->bytes();
    context_.observer.snapshot_sending(to, t->mark.index);
    co_await send_chunks(to, *t, **reader);
  } else {
    fail(*t, reader.error().message());
  }
  const bool success = t->done && !t->failed;
  transfers_.erase(to);
  context_.core.snapshot_sent(to, success);
  context_.observer.snapshot_send_ended(to, t->mark.index, success ? "" : t->why);
  context_.wake();
}

coro::task<void> snapshot_sender::send_chunks(node_id to, transfer& t, storage::snapshot_reader& reader) {
  std::uint64_t& offset = t.sent;
  while (!t.done && !t.failed) {
    offset = std::max(offset, t.credited); // the receiver may have had a part of it already
    if (offset >= t.total || offset - t.credited >= window_bytes) {
      co_await t.changed.wait();
      continue;
    }
    chunk_ref chunk = chunk_ref::allocate(wire::snapshot_chunk_bytes_max);
    auto read = [&reader, offset, chunk] {
      return reader.read_raw(offset, {chunk.data(), wire::snapshot_chunk_bytes_max});
    };
    auto bytes = co_await coro::run_on(context_.worker, context_.loop, std::move(read));
    if (!bytes || *bytes == 0) {
      fail(t, bytes ? "the snapshot file became shorter" : bytes.error().message());
      continue;
    }
    const std::uint64_t at = std::exchange(offset, offset + *bytes);
    context_.transport.send(to, wire::snapshot_chunk{.group = context_.place.group,
                                                     .term = t.term,
                                                     .mark = t.mark,
                                                     .transfer = t.number,
                                                     .offset = at,
                                                     .total_bytes = t.total,
                                                     .last = offset == t.total,
                                                     .bytes = {chunk, {chunk.data(), *bytes}}});
  }
}

void snapshot_sender::take(node_id from, const wire::snapshot_credit& credit) {
  const auto found = transfers_.find(from);
  if (found == transfers_.end() || found->second->number != credit.transfer) return;
  transfer& t = *found->second;
  t.progress = context_.loop.now();
  switch (credit.status) {
  case wire::snapshot_status::more:
    t.credited = std::min(std::max(t.credited, credit.offset), t.total);
    break;
  case wire::snapshot_status::done:
    t.done = true;
    break;
  case wire::snapshot_status::refused:
    fail(t, credit.text);
    return;
  }
  t.changed.set();
}

void snapshot_sender::peer_lost(node_id peer) {
  const auto found = transfers_.find(peer);
  if (found != transfers_.end()) fail(*found->second, "the stream to it broke");
}

void snapshot_sender::stop_all() {
  for (auto& [to, t] : transfers_) fail(*t, "this node no longer leads");
}

void snapshot_sender::keep_house() {
  for (auto& [to, t] : transfers_)
    if (context_.loop.now() - t->progress > stall_limit) fail(*t, "it stopped taking chunks");
}

std::optional<log_index> snapshot_sender::pinned() const {
  std::optional<log_index> lowest;
  for (const auto& [to, t] : transfers_)
    if (t->mark.index && (!lowest || t->mark.index < *lowest)) lowest = t->mark.index;
  return lowest;
}

void snapshot_sender::fail(transfer& t, std::string why) {
  if (t.failed) return;
  t.failed = true;
  t.why = std::move(why);
  t.changed.set();
}

} // namespace quorumd::node
