#include "daemon/node/snapshot_installer.hpp"

#include "consensus/types/invariant.hpp"
#include "daemon/node/snapshot_chunks.hpp"

#include <utility>

namespace quorumd::node {
namespace {

constexpr auto life_interval = std::chrono::seconds(1); // much less than a sender waits

storage::error outdated(const std::string& path) {
  return {storage::error_code::stopped, path, "the term of the leader that sends it is over"};
}

} // namespace

void snapshot_installer::take(node_id from, wire::snapshot_chunk c) {
  // Only the newest leader's newest transfer is of use: what came before it must not take its room.
  std::erase_if(arrived_, [&](const arrived& a) {
    return a.chunk.term < c.term || (a.from == from && a.chunk.transfer < c.transfer);
  });
  if (arrived_.size() >= snapshot_window_chunks_max) return; // beyond its credits: not one of ours
  arrived_.push_back({from, std::move(c)});
  came_.set();
}

void snapshot_installer::peer_lost(node_id peer) {
  std::erase_if(arrived_, [peer](const arrived& a) { return a.from == peer; });
}

void snapshot_installer::keep_house() {
  if (has_useless()) came_.set();
  if (!life_ || context_.loop.now() - life_->said < life_interval) return;
  life_->said = context_.loop.now();
  credit(life_->to, life_->number, life_->offset, wire::snapshot_status::more, {});
  for (const arrived& a : arrived_) // the next transfer waits for this one's job
    if (a.chunk.offset == 0) credit(a.from, a.chunk.transfer, 0, wire::snapshot_status::more, {});
}

coro::task<void> snapshot_installer::run() {
  co_await remove_useless(); // what an earlier life left
  for (;;) {
    co_await came_.wait();
    if (has_useless()) co_await remove_useless();
    while (!arrived_.empty()) {
      arrived next = std::move(arrived_.front());
      arrived_.pop_front();
      life_ = {.to = next.from, .number = next.chunk.transfer, .offset = 0, .said = context_.loop.now()};
      co_await receive(std::move(next));
      life_.reset();
    }
  }
}

coro::task<void> snapshot_installer::receive(arrived a) {
  wire::snapshot_chunk& c = a.chunk;
  if (passed(c.mark)) { // the log has caught up by itself
    credit(a.from, c.transfer, c.total_bytes, wire::snapshot_status::done, {});
    co_return;
  }
  if (!transfer_ || transfer_->from != a.from || transfer_->number != c.transfer || transfer_->mark != c.mark) {
    auto begun = co_await begin(a.from, c);
    if (!begun) {
      refuse(a.from, c.transfer, begun.error());
      co_return;
    }
  }
  storage::snapshot_receiver& receiver = *transfer_->receiver; // only this coroutine ends the transfer
  life_->offset = receiver.received();
  storage::result<void> went_well;
  if (c.offset <= receiver.received()) {
    auto write = [&receiver, &unpacker = transfer_->unpacker, &c] { return write_chunk(receiver, unpacker, c); };
    const coro::time_point begun = context_.loop.now();
    went_well = co_await coro::run_on(context_.worker, context_.loop, std::move(write));
    co_await context_.pace.after_piece(c.file_bytes(), context_.loop.now() - begun);
  }
  if (went_well && !receiver.complete()) {
    credit(a.from, c.transfer, receiver.received(), wire::snapshot_status::more, {});
    co_return;
  }
  if (went_well) {
    life_->offset = c.total_bytes;
    went_well = co_await finish(c.term, c.leader ? c.leader : a.from);
  }
  if (went_well) {
    credit(a.from, c.transfer, c.total_bytes, wire::snapshot_status::done, {});
    co_return;
  }
  // Another leader may send the same snapshot: what arrived is as good as ever.
  if (went_well.error().code != storage::error_code::stopped) co_await abandon();
  transfer_.reset();
  refuse(a.from, c.transfer, went_well.error());
}

coro::task<storage::result<void>> snapshot_installer::begin(node_id from, wire::snapshot_chunk c) {
  // Neither takes the place of the transfer that is under way.
  if (c.term < context_.core.hard().term) co_return outdated(context_.place.directory);
  if (c.offset != 0)
    co_return storage::error(storage::error_code::stopped, context_.place.directory, "the transfer was given up");
  transfer_.reset();
  unfinished_ = c.mark.index;
  auto create = [place = context_.place, &c] {
    return storage::snapshot_receiver::create(place.files, place.directory, place.cluster, place.group, c.mark.index,
                                              c.mark.term, c.total_bytes);
  };
  auto receiver = co_await coro::run_on(context_.worker, context_.loop, std::move(create));
  if (!receiver) co_return receiver.error();
  transfer_ =
      transfer{.from = from, .number = c.transfer, .mark = c.mark, .receiver = std::move(*receiver), .unpacker = {}};
  co_return storage::result<void>();
}

coro::task<storage::result<void>> snapshot_installer::finish(quorumd::term term, node_id leader) {
  transfer& t = *transfer_; // only the caller ends it
  auto seal = [&t] { return t.receiver->seal(); };
  auto reader = co_await coro::run_on(context_.worker, context_.loop, std::move(seal));
  if (!reader) co_return reader.error();
  if ((*reader)->info().mark != t.mark)
    co_return storage::error(storage::error_code::foreign, (*reader)->path(),
                             "it is not the snapshot that was announced");
  auto builder = std::make_unique<state_builder>();
  auto built = co_await build(term, **reader, *builder);
  if (!built || passed(t.mark)) {
    auto free = [&builder] {
      builder.reset();
      return true;
    };
    co_await coro::run_on(context_.worker, context_.loop, std::move(free));
    co_return built;
  }

  auto publish = [&t, &reader, &builder]() -> storage::result<applier::state> {
    auto state = builder->finish();
    builder.reset();
    if (!state) return state;
    auto published = t.receiver->publish(**reader);
    if (!published) return published.error();
    return state;
  };
  auto state = co_await coro::run_on(context_.worker, context_.loop, std::move(publish));
  if (!state) co_return passed(t.mark) ? storage::result<void>() : state.error();
  if (passed(t.mark)) { // the log was faster
    context_.discard(std::move(*state));
    co_return storage::result<void>();
  }
  unfinished_ = log_index();
  prepared_ = prepared_state{.mark = t.mark, .state = std::move(*state)};
  context_.core.step(leader, raft::install_snapshot{.term = term, .mark = t.mark});
  context_.wake();
  transfer_.reset();
  co_return storage::result<void>();
}

/// Reads the whole file, unless nobody needs it any more.
coro::task<storage::result<void>> snapshot_installer::build(quorumd::term term, storage::snapshot_reader& reader,
                                                            state_builder& builder) {
  for (;;) {
    auto slice = [&reader, &builder, bytes = context_.transfers.slice_bytes] { return builder.read_on(reader, bytes); };
    auto more = co_await coro::run_on(context_.worker, context_.loop, std::move(slice));
    if (!more) co_return more.error();
    if (!*more || passed(reader.info().mark)) co_return storage::result<void>();
    if (term < context_.core.hard().term) co_return outdated(reader.path()); // the core would not take it
  }
}

coro::task<void> snapshot_installer::abandon() {
  auto remove = [receiver = std::move(transfer_->receiver)]() mutable {
    receiver->abandon();
    receiver.reset();
    return true;
  };
  transfer_.reset();
  unfinished_ = log_index();
  co_await coro::run_on(context_.worker, context_.loop, std::move(remove));
}

/// What the log or a snapshot has passed. What cannot be removed now goes with the next snapshot, or at a start.
coro::task<void> snapshot_installer::remove_useless() {
  if (transfer_ && passed(transfer_->mark)) transfer_.reset();
  const log_index below = std::exchange(installed_, log_index());
  auto remove = [place = context_.place, below, commit = context_.core.commit()]() -> storage::result<log_index> {
    if (below) {
      auto removed = storage::remove_snapshots_below(place.files, place.directory, place.group, below);
      if (!removed) return removed.error();
    }
    return storage::remove_received(place.files, place.directory, place.group, commit);
  };
  auto left = co_await coro::run_on(context_.worker, context_.loop, std::move(remove));
  unfinished_ = left ? *left : log_index();
  if (!left) context_.observer.snapshot_failed("an old snapshot stays: " + left.error().message());
}

void snapshot_installer::installed(log_index index) {
  installed_ = index;
  came_.set();
}

applier::state snapshot_installer::take_prepared(const snapshot_mark& mark) {
  QUORUMD_INVARIANT(prepared_ && prepared_->mark == mark, "the core installs only the snapshot that was received");
  applier::state s = std::move(prepared_->state);
  prepared_.reset();
  return s;
}

void snapshot_installer::drop_unwanted() {
  if (!prepared_) return;
  context_.discard(std::move(prepared_->state));
  prepared_.reset();
}

void snapshot_installer::refuse(node_id from, std::uint64_t number, const storage::error& e) {
  if (e.code == storage::error_code::no_space) context_.wal.report_no_space(e);
  const std::string why = "receiving from " + context_.state.members().roster().name_of(from) + ": " + e.message();
  // It can never catch up, whoever leads.
  if (e.code == storage::error_code::version) context_.stop(coro::fatal_cause::version, why);
  if (e.code != storage::error_code::stopped) context_.observer.snapshot_failed(why);
  credit(from, number, 0, wire::snapshot_status::refused, e.message());
}

void snapshot_installer::credit(node_id to, std::uint64_t number, std::uint64_t offset, wire::snapshot_status status,
                                std::string text) {
  context_.transport.send(to, wire::snapshot_credit{.group = context_.place.group,
                                                    .transfer = number,
                                                    .offset = offset,
                                                    .status = status,
                                                    .text = std::move(text)});
}

} // namespace quorumd::node
