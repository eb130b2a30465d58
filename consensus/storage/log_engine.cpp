#include "consensus/storage/log_engine.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <utility>

namespace quorumd::storage {

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
}

std::size_t log_engine::encoded_bytes_max(const storage::write& w) {
  constexpr std::size_t heads = 128; // of the records, and their fixed bodies
  const auto members = [](const snapshot_mark& m) {
    return m.members.voters.size() + m.members.outgoing.size() + m.members.learners.size();
  };
  return heads + entries_bytes(w.entries) + (w.install ? 8 * members(*w.install) : 0);
}

bool log_engine::must_roll(std::size_t records_bytes) const {
  // A batch that would not fit into an empty segment either makes its segment longer.
  return end_ + batch_bytes(records_bytes) > options_.segment_bytes && end_ > opening_end_;
}

std::uint64_t log_engine::oldest_needed(std::uint64_t newest) const {
  std::uint64_t oldest = newest; // which repeats every group's state
  for (const auto& [group, log] : groups_) oldest = std::min(oldest, log.oldest_segment().value_or(oldest));
  return oldest;
}

segment_header log_engine::next_header(std::uint64_t sequence) {
  return {.id = random_.next(),
          .sequence = sequence,
          .oldest = oldest_needed(sequence),
          .first_number = next_number_,
          .previous_id = segment_id_,
          .previous_end = end_};
}

void log_engine::encode_openings() {
  for (const auto& [group, log] : groups_) {
    opening_record o = log.opening();
    if (options_.mutant == mutant::free_last_vote) o.hard = {};
    builder_.add_opening(group, o);
  }
}

void log_engine::encode_truncations(std::vector<truncation>& truncations) {
  std::erase_if(truncations, [&](const truncation& t) {
    const auto it = groups_.find(t.group);
    if (it == groups_.end()) return false;
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

result<log_engine::outcome> log_engine::write(std::span<const storage::write> writes,
                                              std::vector<truncation>& truncations) {
  std::size_t bytes = 0;
  for (const storage::write& w : writes) bytes += encoded_bytes_max(w);
  for (const truncation& t : truncations) bytes += encoded_bytes_max({.install = t.mark, .entries = {}});
  const bool must = must_roll(bytes);
  const bool rolling = must || wants_roll();
  std::optional<roll> opening;
  if (rolling) {
    std::optional<segment_pool::prepared> next = pool_.take();
    if (!next && must) return outcome::starved;
    if (next) {
      const std::uint64_t sequence = next->where.sequence;
      opening.emplace(roll{std::move(*next), next_header(sequence)});
    }
  }

  builder_.begin();
  if (opening) encode_openings();
  encode_truncations(truncations);
  for (const storage::write& w : writes) encode(w);
  if (builder_.empty() && !opening) return outcome::nothing;

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
  const auto bucket = static_cast<std::size_t>(std::bit_width(nanoseconds(ended - begun) / 1000));
  counters_.latency_buckets[std::min(bucket, counters_.latency_buckets.size() - 1)] += 1;
  return {};
}

std::optional<contradiction> log_engine::remember(std::uint64_t records_at) {
  const std::lock_guard lock(mutex_);
  segment& s = *segments_.back();
  s.bytes = std::max(s.bytes, end_);
  std::optional<contradiction> wrong = apply_batch(groups_, builder_.records(), s.sequence, records_at);
  const std::uint64_t oldest = oldest_needed(s.sequence);
  freeable_ = static_cast<std::size_t>(
      std::count_if(segments_.begin(), segments_.end(), [&](const auto& i) { return i->sequence < oldest; }));
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

bool log_engine::wants_roll() const {
  std::size_t freeable;
  {
    const std::lock_guard lock(mutex_);
    freeable = freeable_;
  }
  return (freeable >= 2 || (freeable == 1 && !pool_.accepting_puts())) && pool_.has_ready();
}

log_engine::located log_engine::find(group_id group, log_index first, log_index last, std::size_t bytes_max) const {
  located found;
  const std::lock_guard lock(mutex_);
  const auto it = groups_.find(group);
  if (it == groups_.end()) return found;
  it->second.find(first, last, bytes_max, found.runs);
  for (const entry_run& run : found.runs)
    found.segments.push_back(segments_[static_cast<std::size_t>(run.segment - segments_.front()->sequence)]);
  return found;
}

void log_engine::add_to(wal_stats& s) const {
  const std::lock_guard lock(mutex_);
  s.batches += counters_.batches;
  s.syncs += counters_.syncs;
  s.bytes_written += counters_.bytes_written;
  s.segments_opened += counters_.segments_opened;
  s.recovered_batches += counters_.recovered_batches;
  s.torn_batches += counters_.torn_batches;
  s.write_nanoseconds += counters_.write_nanoseconds;
  s.sync_nanoseconds += counters_.sync_nanoseconds;
  for (std::size_t i = 0; i < s.latency_buckets.size(); ++i) s.latency_buckets[i] += counters_.latency_buckets[i];
  for (const auto& segment : segments_) s.disk_bytes += segment->bytes;
}

} // namespace quorumd::storage
