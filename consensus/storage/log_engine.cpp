#include "consensus/storage/log_engine.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace quorumd::storage {
namespace {

constexpr std::size_t heads_bytes_max = 128;                    // of a write's records, and their fixed bodies
constexpr std::size_t moved_bytes_max = std::size_t{64} * 1024; // of entries moved with one batch, unless one is larger
constexpr std::uint64_t piece_span_max = std::uint64_t{1} << 20; // of the segment, read at once for that

} // namespace

log_engine::log_engine(opened_log opened, const wal_options& options, coro::entropy& random, segment_pool& pool)
    : options_(options)
    , random_(random)
    , pool_(pool)
    , current_(std::move(opened.current))
    , segment_id_(opened.segment_id)
    , end_(opened.end)
    , opening_end_(opened.end)
    , next_number_(opened.next_number)
    , groups_(std::move(opened.groups)) {
  const std::uint64_t next_sequence = opened.segments.back().sequence + 1;
  for (segment& s : opened.segments) segments_.push_back(std::make_shared<segment>(std::move(s)));
  counters_.segments_opened = 1;
  counters_.recovered_batches = opened.recovered_batches;
  counters_.torn_batches = opened.torn_batches;
  pool_.adopt(next_sequence, std::move(opened.spares), std::move(opened.freed));
  pool_.log_reached(end_);
}

std::size_t log_engine::encoded_bytes_max(const storage::write& w) {
  const auto members = [](const snapshot_mark& m) {
    return m.members.voters.size() + m.members.outgoing.size() + m.members.learners.size();
  };
  return heads_bytes_max + entries_bytes(w.entries) + (w.install ? 8 * members(*w.install) : 0);
}

bool log_engine::must_roll(std::size_t records_bytes) const {
  if (end_ + batch_bytes(records_bytes) <= options_.segment_bytes) return false;
  // A batch that would not fit into an empty segment either makes its segment longer.
  return end_ > opening_end_ ||
         block_bytes + batch_bytes(records_bytes + openings_bytes_max()) <= options_.segment_bytes;
}

segment_header log_engine::next_header(std::uint64_t sequence) {
  return {.id = random_.next(),
          .sequence = sequence,
          .oldest = groups_.uses.oldest().value_or(sequence), // the new one repeats every group's state
          .first_number = next_number_,
          .previous_id = segment_id_,
          .previous_end = end_};
}

void log_engine::encode_openings() {
  for (const auto& [group, log] : groups_.by_id) {
    opening_record o = log.opening();
    if (options_.mutant == mutant::free_last_vote) o.hard = {};
    builder_.add_opening(group, o);
  }
}

void log_engine::encode_truncations(std::vector<truncation>& truncations) {
  std::erase_if(truncations, [&](const truncation& t) {
    const auto it = groups_.by_id.find(t.group);
    if (it == groups_.by_id.end()) return false;
    const group_log& log = it->second;
    const log_index start = std::max(t.keep_from.prev(), log.start().index);
    if (start == log.start().index && t.mark.index <= log.snapshot().index) return true;
    const std::optional<term> start_term = log.term_at(start);
    if (!start_term) return false;
    builder_.add_prefix(t.group, {start, *start_term, t.mark});
    return true;
  });
}

void log_engine::encode(const storage::write& w) {
  if (w.hard) builder_.add_hard_state(w.group, *w.hard);
  if (w.install) builder_.add_install(w.group, *w.install);
  if (!w.entries.empty()) builder_.add_entries(w.group, w.entries);
  if (w.commit) builder_.add_commit(w.group, w.commit);
}

std::size_t log_engine::openings_bytes_max() const {
  std::size_t bytes = 0;
  for (const auto& [group, log] : groups_.by_id)
    bytes += encoded_bytes_max({.install = log.start(), .entries = {}}) +
             encoded_bytes_max({.install = log.snapshot(), .entries = {}});
  return bytes;
}

std::optional<log_engine::roll> log_engine::begin_roll() {
  std::optional<segment_pool::prepared> next = pool_.take();
  if (!next) return std::nullopt;
  const std::uint64_t sequence = next->where.sequence;
  return roll{std::move(*next), next_header(sequence)};
}

/// A batch that its segment's file has no room for makes it longer before it is written: with the blocks its own, the
/// write cannot meet a full volume half-way.
result<void> log_engine::make_room(std::optional<roll>& opening, std::size_t records_bytes) {
  segment& s = opening ? opening->next.where : *segments_.back();
  const std::uint64_t end = (opening ? block_bytes : end_) + batch_bytes(records_bytes);
  if (end <= s.bytes) return {};
  const result<void> allocated = (opening ? *opening->next.file : *current_).allocate(end);
  if (!allocated) return allocated;
  const std::lock_guard lock(mutex_);
  s.bytes = end;
  return {};
}

void log_engine::encode(const piece& p) {
  builder_.add_moved(p.group, p.runs.front().first, p.count, p.bytes);
  const std::lock_guard lock(mutex_);
  counters_.moved_bytes += p.bytes.size();
}

result<log_engine::outcome> log_engine::write(std::span<const storage::write> writes,
                                              std::vector<truncation>& truncations) {
  const std::optional<piece> moving = take_piece(!writes.empty());
  std::size_t bytes = moving ? heads_bytes_max + moving->bytes.size() : 0;
  for (const storage::write& w : writes) bytes += encoded_bytes_max(w);
  for (const truncation& t : truncations) bytes += encoded_bytes_max({.install = t.mark, .entries = {}});
  const bool must = must_roll(bytes);
  std::optional<roll> opening;
  if (must || wants_roll()) opening = begin_roll();
  if (must && !opening) return outcome::starved;
  result<void> room = make_room(opening, bytes + (opening ? openings_bytes_max() : 0));
  if (!room && room.error().code == error_code::no_space && !opening && (opening = begin_roll()))
    room = make_room(opening, bytes + openings_bytes_max()); // a short segment is left for a whole one
  if (!room) {
    if (room.error().code != error_code::no_space) return room.error();
    if (opening) pool_.give_back(std::move(opening->next));
    pool_.report_no_space(room.error(), batch_bytes(bytes));
    return outcome::no_room;
  }

  builder_.begin();
  if (opening) encode_openings();
  encode_truncations(truncations);
  if (moving) encode(*moving);
  for (const storage::write& w : writes) encode(w);
  if (builder_.empty() && !opening) return outcome::nothing;
  return commit(opening);
}

/// Writes and syncs what the builder holds; then it counts.
result<log_engine::outcome> log_engine::commit(std::optional<roll>& opening) {
  if (opening) {
    segment_id_ = opening->header.id;
    current_ = std::move(opening->next.file);
    const std::lock_guard lock(mutex_);
    segments_.push_back(std::make_shared<segment>(std::move(opening->next.where)));
    counters_.segments_opened += 1;
  }
  const std::span<const std::byte> batch = builder_.finish(
      {.segment_id = segment_id_, .number = next_number_, .durable = next_number_ - 1, .length = 0, .records = 0},
      opening ? &opening->header : nullptr);
  const std::uint64_t offset = opening ? 0 : end_;
  const result<void> written = put(batch, offset);
  if (!written) return written.error();

  end_ = offset + batch.size();
  if (opening) opening_end_ = end_;
  pool_.log_reached(end_);
  ++next_number_;
  const std::uint64_t batch_at = opening ? block_bytes : offset;
  const std::optional<contradiction> wrong = remember(batch_at + batch_builder::records_offset);
  if (wrong)
    return error(error_code::corrupt, current_->path(), "a write contradicts the log: " + wrong->what)
        .at(batch_at)
        .of(wrong->group, log_index());
  if (opening) free_below(opening->header.oldest);
  return outcome::written;
}

result<void> log_engine::put(std::span<const std::byte> bytes, std::uint64_t offset) {
  const coro::time_point begun = clock_ != nullptr ? clock_->now() : coro::time_point();
  const result<void> written = current_->write(offset, bytes);
  if (!written) return written;
  const coro::time_point between = clock_ != nullptr ? clock_->now() : coro::time_point();
  const result<void> synced = current_->sync();
  if (!synced) return synced;
  const coro::time_point ended = clock_ != nullptr ? clock_->now() : coro::time_point();

  const auto nanoseconds = [](coro::duration d) {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(d).count());
  };
  const std::lock_guard lock(mutex_);
  counters_.batches += 1;
  counters_.syncs += 1;
  counters_.bytes_written += bytes.size();
  counters_.write_nanoseconds += nanoseconds(between - begun);
  counters_.sync_nanoseconds += nanoseconds(ended - between);
  metrics_.write.record(between - begun);
  metrics_.sync.record(ended - between);
  metrics_.batch_bytes.record(bytes.size());
  return {};
}

std::optional<contradiction> log_engine::remember(std::uint64_t records_at) {
  const std::lock_guard lock(mutex_);
  segment& s = *segments_.back();
  s.bytes = std::max(s.bytes, end_);
  std::optional<contradiction> wrong = apply_batch(groups_, builder_.records(), s.sequence, records_at);
  freeable_ = static_cast<std::size_t>(groups_.uses.oldest().value_or(s.sequence) - segments_.front()->sequence);
  return wrong;
}

void log_engine::free_below(std::uint64_t oldest) {
  std::vector<std::shared_ptr<segment>> freed;
  {
    const std::lock_guard lock(mutex_);
    while (segments_.front()->sequence < oldest) {
      freed.push_back(std::move(segments_.front()));
      segments_.pop_front();
    }
    freeable_ -= std::min(freeable_, freed.size());
  }
  for (std::shared_ptr<segment>& s : freed) pool_.free(std::move(s));
}

bool log_engine::roll_would_free() const {
  std::size_t freeable;
  {
    const std::lock_guard lock(mutex_);
    freeable = freeable_;
  }
  return freeable >= 2 || (freeable == 1 && !pool_.accepting_puts());
}

bool log_engine::oldest_should_move() const {
  const std::optional<std::uint64_t> oldest = groups_.uses.oldest();
  if (!oldest) return false;
  const std::uint64_t segments = segments_.back()->sequence - *oldest + 1;
  return segments > 1 && segments * options_.segment_bytes >
                             2 * groups_.uses.live_bytes() + options_.slack_segments * options_.segment_bytes;
}

bool log_engine::wants_piece() const {
  const std::lock_guard lock(mutex_);
  return !piece_ && oldest_should_move();
}

result<void> log_engine::read_piece(file_system& fs) {
  piece p;
  std::shared_ptr<segment> from; // held, so that it is not recycled meanwhile
  {
    const std::lock_guard lock(mutex_);
    if (piece_ || !oldest_should_move()) return {};
    from = segments_[static_cast<std::size_t>(*groups_.uses.oldest() - segments_.front()->sequence)];
    p.group = groups_.uses.group_of_oldest();
    p.runs = groups_.by_id.at(p.group).runs_in(from->sequence, moved_bytes_max);
  }
  const std::uint64_t begin = p.runs.front().offset;
  // Entries that were moved before stand behind later ones.
  const auto stop = std::find_if(p.runs.begin() + 1, p.runs.end(), [&](const entry_run& run) {
    return run.offset < begin || run.offset + run.bytes > begin + piece_span_max;
  });
  p.runs.erase(stop, p.runs.end());
  const result<std::unique_ptr<file>> f = fs.open(from->path, file_system::mode::read);
  if (!f) return f.error();
  std::size_t span = 0;
  for (const entry_run& run : p.runs) span = std::max<std::size_t>(span, run.offset + run.bytes - begin);
  const chunk_ref chunk = chunk_ref::allocate(span);
  const std::span<std::byte> all(chunk.data(), span);
  const result<void> got = read_exactly(**f, begin, all);
  if (!got) return got.error();
  for (const entry_run& run : p.runs) {
    std::size_t at = run.offset - begin;
    for (std::uint32_t i = 0; i < run.count; ++i, ++p.count) {
      const entry::parsed e = entry::parse(chunk, all.subspan(at), p.group);
      if (!e.value || e.value->index() != run.first + i)
        return error(error_code::corrupt, from->path, e.value ? "another entry stands here" : describe(e.error))
            .at(begin + at)
            .of(p.group, run.first + i);
      const std::span<const std::byte> bytes = e.value->encoded();
      p.bytes.insert(p.bytes.end(), bytes.begin(), bytes.end());
      at += bytes.size();
    }
  }
  const std::lock_guard lock(mutex_);
  piece_ = std::move(p);
  return {};
}

/// What was read, if it still stands where it stood.
std::optional<log_engine::piece> log_engine::take_piece(bool writing) {
  const std::lock_guard lock(mutex_);
  // A log that does not grow needs no room.
  if (!piece_ || !writing) return std::nullopt;
  std::optional<piece> taken = std::exchange(piece_, std::nullopt);
  const group_log& log = groups_.by_id.at(taken->group);
  const bool stands =
      std::all_of(taken->runs.begin(), taken->runs.end(), [&](const entry_run& r) { return log.holds(r); });
  return stands ? std::move(taken) : std::nullopt;
}

log_engine::located log_engine::find(group_id group, log_index first, log_index last, std::size_t bytes_max) const {
  located found;
  const std::lock_guard lock(mutex_);
  const auto it = groups_.by_id.find(group);
  if (it == groups_.by_id.end()) return found;
  it->second.find(first, last, bytes_max, found.runs);
  for (const entry_run& run : found.runs)
    found.segments.push_back(segments_[static_cast<std::size_t>(run.segment - segments_.front()->sequence)]);
  return found;
}

std::uint64_t log_engine::logged_since(group_id group, log_index index) const {
  const std::lock_guard lock(mutex_);
  const auto it = groups_.by_id.find(group);
  return it == groups_.by_id.end() ? 0 : it->second.logged_since(index);
}

log_index log_engine::first_within(group_id group, std::uint64_t bytes) const {
  const std::lock_guard lock(mutex_);
  const auto it = groups_.by_id.find(group);
  return it == groups_.by_id.end() ? log_index(1) : it->second.first_within(bytes);
}

void log_engine::add_to(wal_stats& s) const {
  const std::lock_guard lock(mutex_);
  s.batches += counters_.batches;
  s.syncs += counters_.syncs;
  s.bytes_written += counters_.bytes_written;
  s.segments_opened += counters_.segments_opened;
  s.recovered_batches += counters_.recovered_batches;
  s.torn_batches += counters_.torn_batches;
  s.moved_bytes += counters_.moved_bytes;
  s.write_nanoseconds += counters_.write_nanoseconds;
  s.sync_nanoseconds += counters_.sync_nanoseconds;
  for (const auto& segment : segments_) s.disk_bytes += segment->bytes;
}

void log_engine::add_to(log_metrics& m) const {
  const std::lock_guard lock(mutex_);
  m.write.merge(metrics_.write);
  m.sync.merge(metrics_.sync);
  m.batch_bytes.merge(metrics_.batch_bytes);
}

} // namespace quorumd::storage
