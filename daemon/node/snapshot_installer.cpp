#include "daemon/node/snapshot_installer.hpp"

#include "consensus/types/invariant.hpp"

#include <utility>

namespace quorumd::node {
namespace {
constexpr std::size_t arrived_max = 64; // chunks; the sender's window is smaller
} // namespace

void snapshot_installer::take(node_id from, wire::snapshot_chunk c) {
  if (arrived_.size() >= arrived_max) return; // beyond its credits: not one of ours
  arrived_.push_back({from, std::move(c)});
  came_.set();
}

void snapshot_installer::peer_lost(node_id peer) {
  std::erase_if(arrived_, [peer](const arrived& a) { return a.from == peer; });
}

coro::task<void> snapshot_installer::run() {
  for (;;) {
    co_await came_.wait();
    while (!arrived_.empty()) {
      arrived next = std::move(arrived_.front());
      arrived_.pop_front();
      co_await receive(std::move(next));
    }
  }
}

coro::task<void> snapshot_installer::receive(arrived a) {
  wire::snapshot_chunk& c = a.chunk;
  if (c.mark.index <= context_.core.commit()) { // the log has caught up by itself
    credit(a.from, c.transfer, c.total_bytes, wire::snapshot_status::done, {});
    co_return;
  }
  if (!transfer_ || transfer_->from != a.from || transfer_->number != c.transfer || transfer_->mark != c.mark) {
    if (c.offset != 0) co_return; // the middle of a transfer that was given up
    auto begun = co_await begin(a.from, c);
    if (!begun) {
      refuse(a.from, c, begun.error());
      co_return;
    }
  }
  storage::snapshot_receiver& receiver = *transfer_->receiver;
  if (c.offset <= receiver.received()) {
    auto write = [&receiver, &c] { return receiver.write(c.offset, c.bytes.bytes); };
    auto written = co_await coro::run_on(context_.worker, context_.loop, std::move(write));
    if (!written) {
      refuse(a.from, c, written.error());
      co_return;
    }
  }
  if (!receiver.complete()) {
    credit(a.from, c.transfer, receiver.received(), wire::snapshot_status::more, {});
    co_return;
  }
  auto finished = co_await finish(c.term);
  if (!finished) {
    refuse(a.from, c, finished.error());
    co_return;
  }
  credit(a.from, c.transfer, c.total_bytes, wire::snapshot_status::done, {});
}

coro::task<storage::result<void>> snapshot_installer::begin(node_id from, wire::snapshot_chunk c) {
  transfer_.reset();
  auto create = [place = context_.place, &c] {
    return storage::snapshot_receiver::create(place.files, place.directory, place.cluster, place.group, c.mark.index,
                                              c.mark.term, c.total_bytes);
  };
  auto receiver = co_await coro::run_on(context_.worker, context_.loop, std::move(create));
  if (!receiver) co_return receiver.error();
  transfer_ = transfer{.from = from, .number = c.transfer, .mark = c.mark, .receiver = std::move(*receiver)};
  co_return storage::result<void>();
}

coro::task<storage::result<void>> snapshot_installer::finish(quorumd::term term) {
  transfer t = std::move(*transfer_);
  transfer_.reset();
  auto build = [place = context_.place, receiver = std::move(t.receiver),
                &t]() mutable -> storage::result<applier::state> {
    auto published = receiver->finish();
    if (!published) return published.error();
    auto reader = storage::snapshot_reader::open(place.files, published->path);
    if (!reader) return reader.error();
    if ((*reader)->info().mark != t.mark)
      return storage::error(storage::error_code::foreign, published->path, "it is not the snapshot that was announced");
    return build_state(**reader, published->path);
  };
  auto state = co_await coro::run_on(context_.worker, context_.loop, std::move(build));
  if (!state) co_return state.error();
  if (t.mark.index <= context_.core.commit()) co_return storage::result<void>(); // the log was faster
  prepared_ = prepared_state{.mark = t.mark, .state = std::move(*state)};
  context_.core.step(t.from, raft::install_snapshot{.term = term, .mark = t.mark});
  context_.wake();
  co_return storage::result<void>();
}

applier::state snapshot_installer::take_prepared(const snapshot_mark& mark) {
  QUORUMD_INVARIANT(prepared_ && prepared_->mark == mark, "the core installs only the snapshot that was received");
  applier::state s = std::move(prepared_->state);
  prepared_.reset();
  return s;
}

void snapshot_installer::drop_unwanted() {
  prepared_.reset();
}

void snapshot_installer::refuse(node_id from, const wire::snapshot_chunk& c, const storage::error& e) {
  transfer_.reset();
  if (e.code == storage::error_code::no_space) context_.wal.report_no_space(e);
  context_.observer.snapshot_failed("receiving: " + e.message());
  credit(from, c.transfer, 0, wire::snapshot_status::refused, e.message());
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
