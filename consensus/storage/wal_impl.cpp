#include "consensus/storage/wal_impl.hpp"

#include "consensus/types/invariant.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace quorumd::storage {

using namespace std::chrono_literals;

void wal::impl::start(coro::loop& home, coro::worker& log, coro::worker& prepare, const coro::clock& clock) {
  home_ = &home;
  log_ = &log;
  prepare_ = &prepare;
  clock_ = &clock;
  engine_.set_clock(clock);
  idle_ = std::make_unique<coro::event>(home);
  wake_prepare();
}

void wal::impl::attach(group_id group, coro::loop& loop, completion& c) {
  const std::lock_guard lock(mutex_);
  attached_[group] = {&loop, &c};
}

void wal::impl::detach(group_id group) {
  const std::lock_guard lock(mutex_);
  attached_.erase(group);
}

coro::task<void> wal::impl::run_space_watch() {
  for (;;) {
    co_await home_->timers().sleep_for(1s);
    bool try_again;
    {
      const std::lock_guard lock(mutex_);
      try_again = std::exchange(room_wanted_, false);
      if (try_again) log_waits_ = false;
    }
    if (try_again) wake_log();
    if (accepting_puts()) continue;
    pool_.look_again();
    wake_prepare();
  }
}

coro::task<void> wal::impl::stop() {
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      const bool idle = !log_busy_ && !prepare_busy_;
      // A full volume may keep the last batch waiting for ever: then it was never acknowledged.
      if (idle && (failure_ || log_waits_ || !log_has_work())) co_return;
    }
    co_await idle_->wait();
  }
}

void wal::impl::submit(write&& w) {
  {
    const std::lock_guard lock(mutex_);
    if (failure_) return;
    std::vector<entry> empty;
    if (!empty_vectors_.empty()) {
      empty = std::move(empty_vectors_.back());
      empty_vectors_.pop_back();
    }
    const std::size_t most = batch_bytes_max();
    std::size_t bytes = log_engine::encoded_bytes_max(w);
    for (; bytes > most && w.entries.size() > 1; bytes = log_engine::encoded_bytes_max(w)) {
      write first = split_off(w, most);
      const std::size_t first_bytes = log_engine::encoded_bytes_max(first);
      enqueue(std::move(first), first_bytes);
    }
    enqueue(std::move(w), bytes);
    w.entries = std::move(empty);
  }
  wake_log();
}

void wal::impl::enqueue(write&& w, std::size_t bytes) {
  queued_bytes_ += bytes;
  if (queue_.empty() && clock_ != nullptr) queued_since_ = clock_->now();
  queue_.push_back(std::move(w));
}

std::size_t wal::impl::batch_bytes_max() const {
  return std::min(options_.batch_bytes_max, options_.segment_bytes / 2);
}

/// The first part of a write that is larger than a batch may be: every prefix of its entries is a state that a shorter
/// write could have made, and only the last part is told of.
write wal::impl::split_off(write& w, std::size_t bytes_max) {
  write first{.group = w.group,
              .number = {},
              .hard = std::exchange(w.hard, std::nullopt),
              .install = std::exchange(w.install, std::nullopt),
              .entries = {},
              .commit = {}};
  std::size_t bytes = log_engine::encoded_bytes_max(first);
  std::size_t taken = 0;
  while (taken + 1 < w.entries.size() && (taken == 0 || bytes + w.entries[taken].encoded().size() <= bytes_max))
    bytes += w.entries[taken++].encoded().size();
  const auto end = w.entries.begin() + static_cast<std::ptrdiff_t>(taken);
  first.entries.assign(std::make_move_iterator(w.entries.begin()), std::make_move_iterator(end));
  w.entries.erase(w.entries.begin(), end);
  return first;
}

bool wal::impl::has_room() const {
  const std::lock_guard lock(mutex_);
  return queued_bytes_ < options_.queued_bytes_max;
}

void wal::impl::truncate_prefix(group_id group, snapshot_mark mark, log_index keep_from) {
  QUORUMD_INVARIANT(keep_from <= mark.index.next(), "only what a snapshot covers leaves the log");
  {
    const std::lock_guard lock(mutex_);
    if (failure_) return;
    truncations_.push_back({group, std::move(mark), keep_from});
    truncations_held_ = false;
  }
  wake_log();
}

bool wal::impl::log_has_work() const {
  return !failure_ &&
         (!queue_.empty() || !active_.empty() || (!truncations_.empty() && !truncations_held_) || engine_.wants_roll());
}

void wal::impl::wake_log() {
  {
    const std::lock_guard lock(mutex_);
    if (log_busy_ || log_waits_ || log_ == nullptr || failure_) return;
    log_busy_ = true;
  }
  log_->submit(log_job_, *home_);
}

void wal::impl::wake_prepare() {
  {
    const std::lock_guard lock(mutex_);
    if (prepare_busy_ || prepare_ == nullptr || failure_ || (!pool_.has_work() && !engine_.wants_piece())) return;
    prepare_busy_ = true;
  }
  prepare_->submit(prepare_job_, *home_);
}

void wal::impl::take_batch() {
  const std::lock_guard lock(mutex_);
  truncating_.insert(truncating_.end(), std::make_move_iterator(truncations_.begin()),
                     std::make_move_iterator(truncations_.end()));
  truncations_.clear();
  if (!active_.empty()) return; // it still waits for a segment
  const std::size_t most = batch_bytes_max();
  std::size_t taken = 0;
  if (!queue_.empty()) { // what is left of it counts from now: its wait is another batch's
    const coro::time_point now = clock_->now();
    metrics_.queue.record(now - std::exchange(queued_since_, now));
  }
  active_bytes_ = 0;
  for (; taken < queue_.size(); ++taken) {
    const std::size_t bytes = log_engine::encoded_bytes_max(queue_[taken]);
    if (taken > 0 && active_bytes_ + bytes > most) break;
    active_bytes_ += bytes;
  }
  if (taken == queue_.size()) {
    active_.swap(queue_);
    return;
  }
  const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(taken);
  active_.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
  queue_.erase(queue_.begin(), end);
}

void wal::impl::run_batch() {
  {
    const std::lock_guard lock(mutex_);
    if (failure_) return;
  }
  take_batch();
  const result<log_engine::outcome> done = engine_.write(active_, truncating_);
  if (!done) return fail(done.error());
  outcome_ = *done;
  if (outcome_ == log_engine::outcome::starved || outcome_ == log_engine::outcome::no_room) {
    const std::lock_guard lock(mutex_);
    return keep_truncations(); // with or without writes beside them they are work that waits
  }
  for (write& w : active_) {
    if (w.number) {
      const auto it =
          std::find_if(persisted_.begin(), persisted_.end(), [&](const persisted& p) { return p.group == w.group; });
      if (it == persisted_.end())
        persisted_.push_back({w.group, w.number});
      else
        it->up_to = std::max(it->up_to, w.number);
    }
    w.entries.clear();
  }
  const std::lock_guard lock(mutex_);
  writes_ += active_.size();
  if (!active_.empty()) metrics_.batch_writes.record(active_.size());
  queued_bytes_ -= active_bytes_;
  active_bytes_ = 0;
  for (write& w : active_)
    if (w.entries.capacity() > 0 && empty_vectors_.size() < 64) empty_vectors_.push_back(std::move(w.entries));
  active_.clear();
  truncations_held_ = !truncating_.empty() && truncations_.empty();
  keep_truncations();
}

void wal::impl::keep_truncations() {
  truncations_.insert(truncations_.begin(), std::make_move_iterator(truncating_.begin()),
                      std::make_move_iterator(truncating_.end()));
  truncating_.clear();
}

void wal::impl::batch_done() {
  telling_.swap(persisted_);
  bool again;
  bool failed;
  {
    const std::lock_guard lock(mutex_);
    failed = failure_.has_value();
    const auto outcome = std::exchange(outcome_, log_engine::outcome::nothing);
    room_wanted_ = outcome == log_engine::outcome::no_room;
    if (outcome == log_engine::outcome::starved || engine_.roll_would_free()) pool_.want_segment();
    // Asked again, in case the segment came while the job ended.
    log_waits_ = !failed && (room_wanted_ || (outcome == log_engine::outcome::starved && !pool_.has_ready()));
    again = !log_waits_ && log_has_work();
    log_busy_ = again;
  }
  // The next batch first: the disk should not wait for what this one's end sets going.
  if (again) log_->submit(log_job_, *home_);
  wake_prepare();
  if (failed)
    tell_failure();
  else
    for (const persisted& p : telling_) tell(p);
  telling_.clear();
  idle_->set();
}

void wal::impl::tell(const persisted& p) {
  attachment a;
  {
    const std::lock_guard lock(mutex_);
    const auto it = attached_.find(p.group);
    if (it == attached_.end()) return;
    a = it->second;
  }
  if (a.loop == home_) return a.completion->wal_persisted(p.group, p.up_to);
  a.loop->post([this, p] {
    completion* c = nullptr;
    {
      const std::lock_guard lock(mutex_);
      const auto it = attached_.find(p.group);
      if (it != attached_.end()) c = it->second.completion;
    }
    if (c != nullptr) c->wal_persisted(p.group, p.up_to);
  });
}

void wal::impl::fail(const error& why) {
  const std::lock_guard lock(mutex_);
  if (!failure_) failure_ = why;
}

void wal::impl::tell_failure() {
  if (std::exchange(failure_told_, true)) return;
  std::map<group_id, attachment> attached;
  error why;
  {
    const std::lock_guard lock(mutex_);
    attached = attached_;
    why = *failure_;
  }
  for (const auto& [group, a] : attached)
    a.loop->post([this, g = group, why] {
      completion* c = nullptr;
      {
        const std::lock_guard lock(mutex_);
        const auto it = attached_.find(g);
        if (it != attached_.end()) c = it->second.completion;
      }
      if (c != nullptr) c->wal_failed(why);
    });
}

void wal::impl::run_prepare() {
  const coro::time_point begun = clock_->now();
  const result<void> done = pool_.has_work() ? pool_.step() : engine_.read_piece(fs_);
  {
    const std::lock_guard lock(mutex_);
    metrics_.prepare.record(clock_->now() - begun);
  }
  if (!done) fail(done.error());
}

void wal::impl::prepare_done() {
  bool failed;
  {
    const std::lock_guard lock(mutex_);
    prepare_busy_ = false;
    failed = failure_.has_value();
    if (pool_.has_ready() && !room_wanted_) log_waits_ = false;
  }
  if (failed) {
    tell_failure();
  } else {
    wake_prepare();
    bool log_wanted;
    {
      const std::lock_guard lock(mutex_);
      log_wanted = log_has_work();
    }
    if (log_wanted) wake_log();
  }
  idle_->set();
}

namespace {

/// Reads the located entries; runs on the preparation worker.
result<std::vector<entry>> read_located(file_system& fs, group_id group, log_index first, log_index last,
                                        std::size_t bytes_max, const log_engine::located& where) {
  std::vector<entry> entries;
  std::size_t bytes = 0;
  std::unique_ptr<file> f;
  log_index next = first;
  for (std::size_t i = 0; i < where.runs.size(); ++i) {
    const entry_run& run = where.runs[i];
    if (!f || f->path() != where.segments[i]->path) {
      result<std::unique_ptr<file>> opened = fs.open(where.segments[i]->path, file_system::mode::read);
      if (!opened) return opened.error();
      f = std::move(*opened);
    }
    const chunk_ref chunk = chunk_ref::allocate(run.bytes);
    std::span<std::byte> all(chunk.data(), run.bytes);
    const result<void> got = read_exactly(*f, run.offset, all);
    if (!got) return got.error();
    std::size_t at = 0;
    for (std::uint32_t n = 0; n < run.count && run.first + n <= last; ++n) {
      const log_index index = run.first + n;
      entry::parsed p = entry::parse(chunk, all.subspan(at), group);
      if (!p.value || p.value->index() != index)
        return error(error_code::corrupt, f->path(), p.value ? "another entry stands here" : describe(p.error))
            .at(run.offset + at)
            .of(group, index);
      at += p.value->encoded().size();
      if (index < next) continue;
      bytes += p.value->encoded().size();
      if (!entries.empty() && bytes > bytes_max) return entries;
      entries.push_back(std::move(*p.value));
      next = index.next();
    }
  }
  return entries;
}

} // namespace

coro::task<result<std::vector<entry>>> wal::impl::read(group_id group, log_index first, log_index last,
                                                       std::size_t bytes_max) {
  coro::loop* loop = nullptr;
  {
    const std::lock_guard lock(mutex_);
    const auto it = attached_.find(group);
    if (it != attached_.end()) loop = it->second.loop;
  }
  QUORUMD_INVARIANT(loop != nullptr, "only attached groups read their log");
  loop->assert_here();
  log_engine::located where = engine_.find(group, first, last, bytes_max);
  if (where.runs.empty())
    co_return error(error_code::compacted, {}, "the log does not hold this entry").of(group, first);
  auto job = [&fs = fs_, group, first, last, bytes_max, where = std::move(where)] {
    return read_located(fs, group, first, last, bytes_max, where);
  };
  result<std::vector<entry>> entries = co_await coro::run_on(*prepare_, *loop, std::move(job));
  co_return entries;
}

bool wal::impl::waits_for_room() const {
  const std::lock_guard lock(mutex_);
  return log_waits_ && !pool_.accepting_puts();
}

void wal::impl::report_no_space(const error& why) {
  pool_.report_no_space(why, 0);
  wake_prepare();
  wake_log();
}

bool wal::impl::failed() const {
  const std::lock_guard lock(mutex_);
  return failure_.has_value();
}

wal_stats wal::impl::stats() const {
  wal_stats s;
  engine_.add_to(s);
  pool_.add_to(s);
  const std::lock_guard lock(mutex_);
  s.writes = writes_;
  s.queued_bytes = queued_bytes_;
  return s;
}

log_metrics wal::impl::metrics() const {
  log_metrics m;
  {
    const std::lock_guard lock(mutex_);
    m = metrics_;
  }
  engine_.add_to(m);
  return m;
}

} // namespace quorumd::storage
