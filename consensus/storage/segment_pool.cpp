#include "consensus/storage/segment_pool.hpp"

#include "consensus/storage/wal_format.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace quorumd::storage {
namespace {

constexpr std::size_t piece_bytes_max = std::size_t{128} * 1024;
constexpr std::uint64_t pieces_ahead = 4;
constexpr std::size_t pieces_when_late = 8; // in one

/// A piece of a segment that is prepared: each is made durable on its own, so that no sync of the log waits for more.
std::size_t piece_bytes(std::size_t segment_bytes) {
  constexpr std::size_t pieces = 512;
  return std::min(piece_bytes_max, static_cast<std::size_t>(padded_to_block(segment_bytes / pieces)));
}

std::span<const std::byte> zeros(std::size_t bytes) {
  static const std::vector<std::byte> all(piece_bytes_max * pieces_when_late);
  return std::span(all).first(bytes);
}

} // namespace

segment_pool::segment_pool(file_system& fs, std::string directory, const wal_options& options)
    : fs_(fs)
    , directory_(std::move(directory))
    , options_(options)
    , extent_(fs, directory_) {}

void segment_pool::adopt(std::uint64_t next_sequence, std::vector<segment> spares, std::vector<segment> freed) {
  const std::lock_guard lock(mutex_);
  next_sequence_ = next_sequence;
  for (segment& s : spares) {
    next_sequence_ = s.sequence + 1;
    spares_.push_back(std::move(s));
  }
  for (segment& s : freed) freed_.push_back(std::make_shared<const segment>(std::move(s)));
}

void segment_pool::log_reached(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  used_ = bytes;
}

bool segment_pool::fill_due() const {
  return wanted_ || filled_ >= options_.segment_bytes ||
         filled_ < used_ + used_ / 4 + pieces_ahead * piece_bytes(options_.segment_bytes);
}

void segment_pool::want_segment() {
  const std::lock_guard lock(mutex_);
  wanted_ = ready_.empty();
}

std::optional<segment_pool::prepared> segment_pool::take() {
  const std::lock_guard lock(mutex_);
  if (ready_.empty()) return std::nullopt;
  prepared p = std::move(ready_.front());
  ready_.pop_front();
  return p;
}

void segment_pool::give_back(prepared p) {
  const std::lock_guard lock(mutex_);
  ready_.push_front(std::move(p));
}

bool segment_pool::has_ready() const {
  const std::lock_guard lock(mutex_);
  return !ready_.empty();
}

void segment_pool::free(std::shared_ptr<const segment> s) {
  const std::lock_guard lock(mutex_);
  freed_.push_back(std::move(s));
  if (full_) look_ = true;
}

std::string segment_pool::path_of(std::uint64_t sequence) const {
  return join(directory_, segment_name(sequence));
}

/// The first freed segment that can be used again as it is, or the number of them for none.
std::size_t segment_pool::recyclable() const {
  const auto it = std::find_if(freed_.begin(), freed_.end(),
                               [&](const auto& s) { return s.use_count() == 1 && s->bytes >= options_.segment_bytes; });
  return static_cast<std::size_t>(it - freed_.begin());
}

segment_pool::work segment_pool::choose() const {
  if (!reserve_) return work::find_reserve;
  if (shrink_reserve_) return work::shrink_reserve;
  if (filling_ && fill_due()) return work::fill;
  if (ready_.empty() && !filling_) {
    // What is there already needs no room, or hardly any.
    if (!spares_.empty() && !spare_blocked_) return work::open_spare;
    if (spares_.empty()) {
      if (recyclable() < freed_.size()) return work::recycle;
      if (!blocked_) return work::create;
      if (wanted_ && *reserve_ >= options_.segment_bytes) return work::use_reserve;
    }
  }
  const bool removable = std::any_of(freed_.begin(), freed_.end(), [&](const auto& s) {
    return s.use_count() == 1 && (freed_.size() > options_.recycle_keep || full_ || s->bytes < options_.segment_bytes);
  });
  if (removable) return work::remove;
  if (look_) return work::look;
  if (!full_ && missing_reserve() > 0) return work::make_reserve;
  return work::none;
}

std::uint64_t segment_pool::missing_reserve() const {
  return options_.reserve_bytes - std::min<std::uint64_t>(options_.reserve_bytes, reserve_.value_or(0));
}

bool segment_pool::has_work() const {
  const std::lock_guard lock(mutex_);
  return choose() != work::none;
}

result<void> segment_pool::step() {
  work what;
  {
    const std::lock_guard lock(mutex_);
    what = choose();
  }
  switch (what) {
  case work::none:
    return {};
  case work::fill:
    return fill();
  case work::open_spare:
    return open_spare();
  case work::recycle:
    return recycle();
  case work::create:
    return create();
  case work::remove:
    return remove();
  case work::find_reserve:
    return find_reserve();
  case work::make_reserve:
    return make_reserve();
  case work::shrink_reserve:
    return shrink_reserve();
  case work::use_reserve:
    return use_reserve();
  case work::look:
    return look();
  }
  return {};
}

void segment_pool::add_spare(segment s, std::uint64_t wal_stats::*counter) {
  const std::lock_guard lock(mutex_);
  spares_.push_back(std::move(s));
  counters_.*counter += 1;
}

result<std::unique_ptr<file>> segment_pool::make_ready(const segment& s) {
  result<std::unique_ptr<file>> f = fs_.open(s.path, file_system::mode::write);
  if (!f) return f;
  const result<void> cleared = clear_beginning(**f);
  if (!cleared) return cleared.error();
  const result<void> extended = extent_.set(s.sequence);
  if (!extended) return extended.error();
  return f;
}

result<void> segment_pool::open_spare() {
  segment s;
  {
    const std::lock_guard lock(mutex_);
    s = spares_.front();
  }
  result<std::unique_ptr<file>> f = make_ready(s);
  if (!f && f.error().code != error_code::no_space) return f.error();
  const std::lock_guard lock(mutex_);
  if (!f) {
    now_full(f.error(), 2 * block_bytes);
    spare_blocked_ = true;
    return {};
  }
  spares_.pop_front();
  ready_.push_back({std::move(s), std::move(*f)});
  wanted_ = false;
  return {};
}

result<void> segment_pool::recycle() {
  std::shared_ptr<const segment> old;
  segment fresh;
  {
    const std::lock_guard lock(mutex_);
    const auto it = freed_.begin() + static_cast<std::ptrdiff_t>(recyclable());
    old = *it;
    freed_.erase(it);
    fresh = {next_sequence_, path_of(next_sequence_), options_.segment_bytes};
    ++next_sequence_;
  }
  const result<void> renamed = fs_.rename(old->path, fresh.path);
  if (!renamed) return renamed.error();
  // The name is durable before the segment is used: else its batches would be found under the old one.
  const bool sync = options_.mutant != mutant::name_without_sync;
  const result<void> synced = sync ? fs_.sync_directory(directory_) : result<void>();
  if (!synced) return synced.error();
  if (old->bytes > fresh.bytes) {
    const result<std::unique_ptr<file>> f = fs_.open(fresh.path, file_system::mode::write);
    if (!f) return f.error();
    const result<void> cut = (*f)->truncate(fresh.bytes);
    if (!cut) return cut.error();
  }
  add_spare(std::move(fresh), &wal_stats::segments_recycled);
  return {};
}

result<void> segment_pool::create() {
  segment fresh;
  {
    const std::lock_guard lock(mutex_);
    fresh = {next_sequence_, path_of(next_sequence_), options_.segment_bytes};
  }
  result<std::unique_ptr<file>> f = fs_.open(fresh.path, file_system::mode::truncate);
  if (!f) {
    if (f.error().code != error_code::no_space) return f.error();
    met_full_volume(f.error(), options_.segment_bytes);
    return {};
  }
  filling_file_ = prepared{std::move(fresh), std::move(*f)};
  const std::lock_guard lock(mutex_);
  ++next_sequence_;
  filling_ = true;
  filled_ = 0;
  return {};
}

result<void> segment_pool::fill() {
  std::uint64_t at;
  std::size_t n = piece_bytes(options_.segment_bytes);
  bool urgent;
  {
    const std::lock_guard lock(mutex_);
    at = filled_;
    urgent = wanted_; // no sync of the log waits for this one, but the log does
    if (urgent || at + pieces_ahead * n < used_) n *= pieces_when_late;
  }
  result<void> done;
  if (at < options_.segment_bytes) {
    n = std::min<std::size_t>(n, options_.segment_bytes - at);
    done = filling_file_->file->write(at, zeros(n));
    if (done && !urgent) done = filling_file_->file->sync();
    const std::lock_guard lock(mutex_);
    filled_ += n;
    if (done) return done;
  } else {
    done = filling_file_->file->sync();
    if (done && options_.mutant != mutant::name_without_sync) done = fs_.sync_directory(directory_);
  }
  prepared p = std::move(*filling_file_);
  filling_file_.reset();
  {
    const std::lock_guard lock(mutex_);
    filling_ = false;
    if (!done) --next_sequence_;
  }
  if (done) {
    add_spare(std::move(p.where), &wal_stats::segments_prepared);
    return {};
  }
  if (done.error().code != error_code::no_space) return done;
  p.file.reset();
  const result<void> removed = fs_.remove(p.where.path);
  if (!removed) return removed;
  met_full_volume(done.error(), options_.segment_bytes);
  return {};
}

result<void> segment_pool::remove() {
  std::shared_ptr<const segment> old;
  {
    const std::lock_guard lock(mutex_);
    // Those that cannot be used again go first.
    auto it = std::find_if(freed_.begin(), freed_.end(),
                           [&](const auto& s) { return s.use_count() == 1 && s->bytes < options_.segment_bytes; });
    if (it == freed_.end())
      it = std::find_if(freed_.begin(), freed_.end(), [](const auto& s) { return s.use_count() == 1; });
    if (it == freed_.end()) return {};
    old = *it;
    freed_.erase(it);
    counters_.segments_removed += 1;
  }
  return fs_.remove(old->path);
}

void segment_pool::met_full_volume(const error& why, std::uint64_t needed) {
  const std::lock_guard lock(mutex_);
  now_full(why, needed);
  blocked_ = true;
}

void segment_pool::now_full(const error& why, std::uint64_t needed) {
  full_ = true;
  why_ = why.message();
  needed_ = std::max(needed_, needed);
  shrink_reserve_ = reserve_.value_or(0) > options_.segment_bytes;
}

/// What the daemon's earlier life held.
result<void> segment_pool::find_reserve() {
  const result<std::unique_ptr<file>> f = fs_.open(reserve_path(), file_system::mode::read);
  if (!f && f.error().code != error_code::not_found) return f.error();
  const result<std::uint64_t> size = f ? (*f)->size() : result<std::uint64_t>(0);
  if (!size) return size.error();
  const std::lock_guard lock(mutex_);
  reserve_ = *size;
  // It was configured to be larger; it grows again if need be.
  shrink_reserve_ = *size > std::max(options_.reserve_bytes, options_.segment_bytes);
  return {};
}

result<void> segment_pool::make_reserve() {
  result<std::unique_ptr<file>> f = fs_.open(reserve_path(), file_system::mode::write);
  if (!f && f.error().code == error_code::not_found) f = fs_.open(reserve_path(), file_system::mode::create);
  result<void> made = f ? (*f)->allocate(options_.reserve_bytes) : result<void>(f.error());
  if (made) made = (*f)->sync();
  if (made) {
    const std::lock_guard lock(mutex_);
    reserve_ = options_.reserve_bytes;
    return {};
  }
  if (made.error().code != error_code::no_space) return made;
  if (f) { // of what it got before it failed nothing stays
    const result<void> back = (*f)->truncate(*reserve_);
    if (!back) return back;
  }
  met_full_volume(made.error(), 0);
  return {};
}

result<void> segment_pool::shrink_reserve() {
  const result<std::unique_ptr<file>> f = fs_.open(reserve_path(), file_system::mode::write);
  if (!f) return f.error();
  const result<void> cut = (*f)->truncate(options_.segment_bytes);
  if (!cut) return cut;
  const result<void> synced = (*f)->sync();
  if (!synced) return synced;
  const std::lock_guard lock(mutex_);
  shrink_reserve_ = false;
  reserve_ = options_.segment_bytes;
  return {};
}

/// The last segment there is room for: its blocks are the reserve's own.
result<void> segment_pool::use_reserve() {
  segment fresh;
  {
    const std::lock_guard lock(mutex_);
    fresh = {next_sequence_, path_of(next_sequence_), options_.segment_bytes};
  }
  const result<void> renamed = fs_.rename(reserve_path(), fresh.path);
  if (!renamed) return renamed;
  const result<void> synced = fs_.sync_directory(directory_);
  if (!synced) return synced;
  const std::lock_guard lock(mutex_);
  ++next_sequence_;
  reserve_ = 0;
  spares_.push_back(std::move(fresh));
  return {};
}

result<void> segment_pool::look() {
  const result<std::uint64_t> free = fs_.free_bytes(directory_);
  if (!free) return free.error();
  const std::lock_guard lock(mutex_);
  look_ = spare_blocked_ = false;
  free_ = *free;
  // Preparing is tried again once there is room for a segment beside the reserve, which is a snapshot's to use; a log
  // that stands still goes first.
  const bool last_resort = wanted_ && *reserve_ < options_.segment_bytes;
  blocked_ = free_ < options_.segment_bytes + (last_resort ? 0 : missing_reserve());
  if (!full_ || free_ < needed_ + options_.segment_bytes + missing_reserve()) return {};
  if (ready_.empty()) {
    wanted_ = true; // a log that takes no puts does not set the pace
    return {};
  }
  full_ = false;
  needed_ = 0;
  why_.clear();
  return {};
}

void segment_pool::report_no_space(const error& why, std::uint64_t needed) {
  const std::lock_guard lock(mutex_);
  now_full(why, needed);
}

void segment_pool::look_again() {
  const std::lock_guard lock(mutex_);
  if (full_) look_ = true;
}

bool segment_pool::accepting_puts() const {
  const std::lock_guard lock(mutex_);
  return !full_;
}

space_status segment_pool::space() const {
  const std::lock_guard lock(mutex_);
  space_status s{.accepting_puts = !full_, .volume = directory_, .needed_bytes = 0, .free_bytes = free_, .message = {}};
  if (!full_) return s;
  s.needed_bytes = needed_ + options_.segment_bytes + missing_reserve();
  s.message = why_ + "; puts are refused until the volume of " + directory_ + " has " + std::to_string(s.needed_bytes) +
              " bytes free (" + std::to_string(free_) + " when last looked): make room, or compact and delete keys";
  return s;
}

void segment_pool::add_to(wal_stats& s) const {
  const std::lock_guard lock(mutex_);
  s.segments_prepared += counters_.segments_prepared;
  s.segments_recycled += counters_.segments_recycled;
  s.segments_removed += counters_.segments_removed;
  s.disk_bytes += (ready_.size() + spares_.size()) * options_.segment_bytes + (filling_ ? filled_ : 0);
  for (const auto& f : freed_) s.disk_bytes += f->bytes;
  s.disk_bytes += reserve_.value_or(0);
}

} // namespace quorumd::storage
