#include "consensus/storage/wal_recovery_impl.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace quorumd::storage {

void recovery::collect_records(batch_builder& b) const {
  b.begin();
  for (const auto& [group, log] : groups_.by_id) {
    opening_record o = log.opening();
    if (options_.mutant == mutant::free_last_vote) o.hard = {};
    b.add_opening(group, o);
  }
  record_reader reader(pending_);
  while (const std::optional<record> r = reader.next())
    if (!std::holds_alternative<opening_record>(r->body) || !groups_.by_id.contains(r->group))
      b.add_encoded(r->encoded);
}

/// Brings each group to its newest snapshot: a crash between publishing a snapshot and writing the log's new beginning
/// leaves a log that knows nothing of it (raft case 62).
result<void> recovery::align(batch_builder& b, group_logs& groups, std::span<const group_snapshot> snapshots) {
  std::map<group_id, snapshot_mark> newest;
  for (const group_snapshot& s : snapshots) newest[s.group] = s.mark;
  for (const auto& [group, log] : groups.by_id) {
    const auto s = newest.find(group);
    if (log.start().index.value() == 0 || (s != newest.end() && s->second.index >= log.start().index)) continue;
    return error(error_code::corrupt, directory_,
                 "the log begins after entry " + std::to_string(log.start().index.value()) +
                     ", and there is no whole snapshot of what came before. Removing files does not help. If a sound "
                     "copy of the snapshot exists, put it back; else keep the directory for inspection and treat this "
                     "member as lost (docs/operations.md says how to go on)")
        .of(group, log.start().index);
  }
  for (const auto& [group, mark] : newest) {
    const group_log& log = groups.by_id[group];
    if (mark.index <= log.start().index) continue;
    if (log.term_at(mark.index) == std::optional(mark.term)) {
      b.add_commit(group, mark.index);
      continue;
    }
    // The crash came between the received snapshot and the log's record of it: the term that it is of was not
    // recorded either, so nobody was promised anything in it.
    if (log.hard().term < mark.term) b.add_hard_state(group, {mark.term, node_id()});
    b.add_install(group, mark);
  }
  return {};
}

result<void> recovery::drop_reserve() {
  const result<void> removed = fs_.remove(join(directory_, reserve_name));
  if (!removed && removed.error().code != error_code::not_found) return removed.error();
  return {};
}

result<void> recovery::fill_fresh(file& f) {
  static const std::vector<std::byte> zeros(std::size_t{1} << 20);
  const result<void> cleared = clear_beginning(f);
  if (!cleared) return cleared.error();
  const result<std::uint64_t> size = f.size();
  if (!size) return size.error();
  // Blocks that were written once sync much faster afterwards.
  for (std::uint64_t at = *size; at < options_.segment_bytes;) {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(zeros.size(), options_.segment_bytes - at));
    const result<void> filled = f.write(at, std::span(zeros).first(n));
    if (!filled) return filled.error();
    at += n;
    if (progress_) progress_(bytes_done_, bytes_total_);
  }
  return {};
}

result<void> recovery::write_fresh(file& f, std::span<const std::byte> bytes) {
  result<void> filled = fill_fresh(f);
  if (!filled && filled.error().code == error_code::no_space) {
    const result<void> dropped = drop_reserve();
    if (!dropped) return dropped.error();
    filled = fill_fresh(f);
  }
  if (!filled && filled.error().code == error_code::no_space) {
    // A member must start on a full volume, so that it can be emptied: its segment grows as far as there is room.
    filled = f.truncate(padded_to_block(bytes.size()));
  }
  if (!filled) return filled.error();
  const result<void> written = f.write(0, bytes);
  if (!written) return written.error();
  return f.sync();
}

result<std::unique_ptr<file>> recovery::fresh_file(const std::string& path) {
  for (const segment& s : unfinished_) {
    const result<void> removed = fs_.remove(s.path);
    if (!removed) return removed.error();
  }
  if (spares_.empty()) return fs_.open(path, file_system::mode::create);
  const segment spare = spares_.front();
  spares_.erase(spares_.begin());
  if (spare.path != path) {
    const result<void> renamed = fs_.rename(spare.path, path);
    if (!renamed) return renamed.error();
  }
  return fs_.open(path, file_system::mode::write);
}

/// The sequences of prepared segments follow the fresh one's; their names are durable before one is used.
result<void> recovery::renumber_spares(std::uint64_t next) {
  bool renamed_any = false;
  for (segment& s : spares_) {
    if (s.sequence != next) {
      const result<void> renamed = fs_.rename(s.path, path_of(next));
      if (!renamed) return renamed.error();
      renamed_any = true;
      s = {next, path_of(next), s.bytes};
    }
    ++next;
  }
  if (!renamed_any) return {};
  return fs_.sync_directory(directory_);
}

/// What the fresh segment's batch holds, and the log with it; the last batch of before is still pending.
result<group_logs> recovery::next_groups(batch_builder& b, std::span<const group_snapshot> snapshots) {
  collect_records(b);
  const std::uint64_t records_at = block_bytes + batch_builder::records_offset;
  group_logs groups = groups_;
  const std::optional<contradiction> wrong = apply_batch(groups, b.records(), fresh_sequence(), records_at);
  if (wrong)
    return corrupt_log(path_of(pending_segment_), pending_offset_, wrong->what)
        .of(wrong->group, groups.by_id[wrong->group].last().next());
  for (const auto& [group, log] : groups.by_id) {
    const std::optional<std::string> missing = log.check();
    if (missing) return corrupt_log(directory_, 0, *missing).of(group, log.last());
  }
  const std::size_t aligned_from = b.records_bytes();
  const result<void> aligned = align(b, groups, snapshots);
  if (!aligned) return aligned.error();
  const std::optional<contradiction> misaligned =
      apply_batch(groups, b.records().subspan(aligned_from), fresh_sequence(), records_at + aligned_from);
  if (misaligned) return corrupt_log(directory_, 0, misaligned->what).of(misaligned->group, log_index());
  return groups;
}

std::vector<recovered_group> recovery::recovered(const group_logs& groups) {
  std::vector<recovered_group> all;
  for (const auto& [group, log] : groups.by_id) all.push_back(log.recovered(group));
  return all;
}

/// What open_fresh() would recover, or find wrong; nothing is written.
result<std::vector<recovered_group>> recovery::check(std::span<const group_snapshot> snapshots) {
  batch_builder builder;
  const result<group_logs> groups = next_groups(builder, snapshots);
  if (!groups) return groups.error();
  return recovered(*groups);
}

segment_header recovery::fresh_header(const group_logs& groups) {
  segment_header h{.id = random_.next(),
                   .sequence = fresh_sequence(),
                   .oldest = std::min(fresh_sequence(), groups.uses.oldest().value_or(fresh_sequence())),
                   .first_number = pending_number_ != 0 ? pending_number_ : 1,
                   .previous_id = 0,
                   .previous_end = 0};
  if (replaces_last()) {
    h.previous_id = all_.at(last_).header.header.previous_id;
    h.previous_end = all_.at(last_).header.header.previous_end;
  } else if (last_ != 0) {
    h.previous_id = all_.at(last_).header.header.id;
    h.previous_end = pending_offset_;
  }
  return h;
}

/// Writes the fresh segment under the next free name, and renames it over the last one if it replaces that; durable.
result<std::unique_ptr<file>> recovery::put_fresh(std::span<const std::byte> bytes) {
  // What is prepared moves now, so that less than before may be missing should this start be interrupted.
  if (reached_ > last_) {
    const result<void> lowered = extent_.set(last_);
    if (!lowered) return lowered.error();
  }
  const std::string path = path_of(last_ + 1);
  result<std::unique_ptr<file>> f = fresh_file(path);
  if (!f) return f;
  const result<void> written = write_fresh(**f, bytes);
  if (!written) return written.error();
  if (replaces_last()) {
    const result<void> renamed = fs_.rename(path, path_of(last_));
    if (!renamed) return renamed.error();
    f = fs_.open(path_of(last_), file_system::mode::write);
    if (!f) return f;
  }
  const result<void> synced = fs_.sync_directory(directory_);
  if (!synced) return synced.error();
  const result<void> extended = extent_.set(fresh_sequence());
  if (!extended) return extended.error();
  const result<void> renumbered = renumber_spares(fresh_sequence() + 1);
  if (!renumbered) return renumbered.error();
  return f;
}

/// The segments before the fresh one, whose header this is: needed ones and free ones.
result<void> recovery::sort_segments(const segment_header& h, opened_log& o) {
  for (std::uint64_t i = oldest_; last_ != 0 && i < h.sequence; ++i) {
    segment s = all_.at(i).where;
    if (i < h.oldest) {
      o.freed.push_back(s);
      continue;
    }
    // What was prepared behind the old end is given back.
    if (!replaces_last() && i == last_ && s.bytes > h.previous_end) {
      const result<std::unique_ptr<file>> ended = fs_.open(s.path, file_system::mode::write);
      if (!ended) return ended.error();
      const result<void> cut = (*ended)->truncate(h.previous_end);
      if (!cut) return cut;
      // Should the last batch come back, the fresh segment's would not be the one that follows (check_tail()).
      const result<void> synced = options_.mutant == mutant::cut_without_sync ? result<void>() : (*ended)->sync();
      if (!synced) return synced;
      s.bytes = h.previous_end;
    }
    o.segments.push_back(std::move(s));
  }
  o.freed.insert(o.freed.end(), freed_.begin(), freed_.end());
  o.spares = spares_;
  return {};
}

result<opened_log> recovery::open_fresh(std::span<const group_snapshot> snapshots) {
  batch_builder builder;
  result<group_logs> groups = next_groups(builder, snapshots);
  if (!groups) return groups.error();
  const segment_header h = fresh_header(*groups);
  const std::span<const std::byte> bytes = builder.finish(
      {.segment_id = h.id, .number = h.first_number, .durable = h.first_number - 1, .length = 0, .records = 0}, &h);
  result<std::unique_ptr<file>> f = put_fresh(bytes);
  if (!f) return f.error();
  const result<std::uint64_t> fresh_bytes = (*f)->size();
  if (!fresh_bytes) return fresh_bytes.error();

  opened_log o;
  const result<void> sorted = sort_segments(h, o);
  if (!sorted) return sorted.error();
  o.segments.push_back({h.sequence, path_of(h.sequence), *fresh_bytes});
  o.current = std::move(*f);
  o.segment_id = h.id;
  o.end = bytes.size();
  o.next_number = h.first_number + 1;
  o.recovered_batches = batches_;
  o.torn_batches = torn_;
  o.recovered = recovered(*groups);
  o.groups = std::move(*groups);
  return o;
}

result<void> clear_beginning(file& f) {
  static const std::vector<std::byte> zeros(2 * block_bytes);
  const result<void> written = f.write(0, zeros);
  if (!written) return written;
  return f.sync();
}

result<opened_log> recover_log(file_system& fs, const std::string& directory, const wal_options& options,
                               coro::entropy& random, std::span<const group_snapshot> snapshots,
                               const recovery_progress& progress) {
  const result<void> made = fs.make_directory(directory);
  if (!made) return made.error();
  recovery r(fs, directory, options, random, progress);
  const result<void> scanned = r.scan();
  if (!scanned) return scanned.error();
  const result<void> replayed = r.replay();
  if (!replayed) return replayed.error();
  return r.open_fresh(snapshots);
}

result<std::vector<recovered_group>> read_log(file_system& fs, const std::string& directory,
                                              std::span<const group_snapshot> snapshots) {
  const wal_options options;
  coro::system_entropy random;
  const recovery_progress progress;
  recovery r(fs, directory, options, random, progress);
  const result<void> scanned = r.scan();
  if (!scanned) return scanned.error();
  const result<void> replayed = r.replay();
  if (!replayed) return replayed.error();
  return r.check(snapshots);
}

} // namespace quorumd::storage
