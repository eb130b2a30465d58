#include "daemon/node/snapshot_taker.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace quorumd::node {
namespace {
constexpr auto stuck_limit = std::chrono::seconds(1);
} // namespace

void snapshot_taker::applied() {
  if (taking_ || too_early() || context_.corrupt()) return;
  const log_index applied = context_.state.applied();
  if (applied <= last_taken_) return;
  // At once, while there is room: the next entries may want it.
  const bool fits_now = found_no_room_ != 0 && context_.state.store().stored_bytes() < found_no_room_ / 2;
  if (fits_now || applied - last_taken_ >= policy_.every_entries - earlier(policy_.every_entries)) due_.set();
}

void snapshot_taker::keep_house() {
  const bool full = !context_.wal.accepting_puts();
  const bool stuck = context_.wal.waits_for_room();
  if (!stuck || !waits_for_log_)
    stuck_since_.reset();
  else if (!stuck_since_)
    stuck_since_ = context_.loop.now(); // it may get the reserve's segment at once
  else if (context_.loop.now() - *stuck_since_ >= stuck_limit) {
    hopeless_ = true;
    persisted_.set();
  }
  if (taking_) return;
  const bool released = kept_for_transfers_ && !context_.pinned({});
  if ((full || released) && newest_.index && keep_from() > shortened_to_) shorten_log();
  if (stuck || too_early() || context_.corrupt()) return;
  // What this life knows no snapshot for may still be kept behind the one that it began with.
  const bool trails = !newest_.index && context_.core.first_index() <= last_taken_;
  const bool worth = context_.state.applied() > last_taken_ || (full && trails);
  const std::uint64_t enough = policy_.every_bytes - earlier(policy_.every_bytes);
  if (worth && (full || context_.wal.logged_since(context_.place.group, last_taken_) >= enough)) due_.set();
}

bool snapshot_taker::overdue() const {
  return taking_ && context_.wal.logged_since(context_.place.group, last_taken_) > 3 * policy_.every_bytes;
}

std::uint64_t snapshot_taker::earlier(std::uint64_t whole) const {
  if (policy_.stagger == 0) return 0;
  constexpr std::uint64_t steps = 64; // of a quarter
  const std::uint64_t drawn = kv::hash_of(std::array{policy_.stagger, last_taken_.value()}) % steps;
  return whole * drawn / (4 * steps);
}

/// Where the log may begin after the newest snapshot. Nothing of what it covers is kept while the volume is full.
log_index snapshot_taker::keep_from() const {
  const log_index after = newest_.index.next();
  if (!context_.wal.accepting_puts()) return after;
  const group_id group = context_.place.group;
  const log_index by_entries = after - std::min(policy_.trailing_entries, newest_.index.value());
  const std::uint64_t since = context_.wal.logged_since(group, newest_.index);
  log_index from =
      std::min(after, std::max(by_entries, context_.wal.first_within(group, policy_.trailing_bytes + since)));
  const log_index floor = context_.wal.first_within(group, 2 * policy_.every_bytes).prev();
  if (const std::optional<log_index> pinned = context_.pinned(floor)) from = std::min(from, pinned->next());
  return from;
}

void snapshot_taker::shorten_log() {
  if (context_.bugs.never_shorten) return;
  const log_index from = keep_from();
  context_.wal.truncate_prefix(context_.place.group, newest_, from);
  context_.core.compacted(newest_, from);
  shortened_to_ = from;
  kept_for_transfers_ = context_.pinned({}).has_value();
}

void snapshot_taker::take_now() {
  if (taking_ || too_early() || !context_.state.applied() || context_.corrupt()) return;
  due_.set();
}

void snapshot_taker::forget(log_index installed) {
  forgotten_ = true;
  blocks_.reset();
  last_taken_ = installed;
  newest_ = {};
  if (waits_for_log_) persisted_.set();
}

coro::task<void> snapshot_taker::run() {
  for (;;) {
    co_await due_.wait();
    due_.consume(); // said twice before this went on
    taking_ = true;
    forgotten_ = hopeless_ = false;
    auto taken = co_await take();
    taking_ = false;
    if (forgotten_) continue; // forget() said what counts now
    if (!taken) {
      failed(taken.error());
      continue;
    }
    last_taken_ = mark_.index;
    newest_ = mark_;
    found_no_room_ = 0;
    last_failure_.clear();
    shorten_log();
    if (!context_.wal.accepting_puts()) not_before_ = context_.loop.now() + policy_.retry_after;
    context_.observer.snapshot_taken(mark_.index, taken->bytes);
    context_.renewed();
    auto remove = [place = context_.place, keep = mark_.index] {
      return storage::remove_snapshots_below(place.files, place.directory, place.group, keep);
    };
    auto removed = co_await coro::run_on(context_.worker, context_.loop, std::move(remove));
    if (!removed) context_.observer.snapshot_failed("an old snapshot stays: " + removed.error().message());
    applied(); // enough may have been since, and nothing more come
  }
}

coro::task<storage::result<storage::snapshot_file>> snapshot_taker::take() {
  const log_index at = context_.state.applied();
  mark_ = {.index = at, .term = context_.core.term_at(at), .members = context_.core.members_at(at)};
  blocks_.emplace(context_.state.store(), context_.state.members());

  const storage::snapshot_info info{
      .cluster = context_.place.cluster, .group = context_.place.group, .mark = mark_, .created_unix_ms = 0};
  auto create = [place = context_.place, info] {
    return storage::snapshot_writer::create(place.files, place.directory, info);
  };
  auto writer = co_await coro::run_on(context_.worker, context_.loop, std::move(create));
  if (!writer) {
    blocks_.reset();
    co_return writer.error();
  }
  auto written = co_await write_blocks(**writer);
  blocks_.reset();
  const bool waits = !context_.bugs.publish_early;
  while (waits && written && !forgotten_ && !hopeless_ && context_.core.persisted_index() < mark_.index) {
    waits_for_log_ = true;
    co_await persisted_.wait();
    waits_for_log_ = false;
  }
  const bool publish = written && !forgotten_ && (!waits || context_.core.persisted_index() >= mark_.index);
  // Whether published or given up, the file is the worker's to deal with.
  auto finish = [w = std::move(*writer), publish,
                 directory = context_.place.directory]() mutable -> storage::result<storage::snapshot_file> {
    if (publish) return w->finish();
    w.reset();
    return storage::error(storage::error_code::no_space, directory,
                          "given up: the log waits for the room that it takes");
  };
  auto finished = co_await coro::run_on(context_.worker, context_.loop, std::move(finish));
  if (!written) co_return written.error();
  co_return finished;
}

coro::task<storage::result<void>> snapshot_taker::write_blocks(storage::snapshot_writer& writer) {
  while (blocks_ && !blocks_->done()) {
    const coro::time_point slice_begun = context_.loop.now();
    blocks_->next(block_, policy_.slice_bytes);
    context_.slices.record(context_.loop.now() - slice_begun);
    context_.loop.worked(blocks_->visits());
    if (block_.bytes().empty()) { // only keys that are younger than it
      co_await context_.loop.yield();
      continue;
    }
    auto append = [&writer, block = block_.bytes()] { return writer.append(block); };
    const coro::time_point begun = context_.loop.now();
    auto appended = co_await coro::run_on(context_.worker, context_.loop, std::move(append));
    if (!appended) co_return appended.error();
    co_await context_.pace.after_piece(block_.bytes().size(), context_.loop.now() - begun);
  }
  co_return storage::result<void>();
}

/// What room there is may be gone soon: keys that were deleted while the volume is full are not waited for.
bool snapshot_taker::too_early() const {
  return context_.loop.now() < not_before_ && context_.state.store().stored_bytes() >= found_no_room_ / 2;
}

void snapshot_taker::failed(const storage::error& e) {
  not_before_ = context_.loop.now() + policy_.retry_after;
  found_no_room_ = e.code == storage::error_code::no_space ? context_.state.store().stored_bytes() : 0;
  last_failure_ = e.message();
  context_.observer.snapshot_failed(last_failure_);
  if (e.code == storage::error_code::no_space) context_.wal.report_no_space(e);
}

} // namespace quorumd::node
