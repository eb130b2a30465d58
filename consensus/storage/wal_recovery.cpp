#include "consensus/storage/wal_recovery.hpp"

#include "consensus/storage/log_extent.hpp"
#include "consensus/storage/segment_reader.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace quorumd::storage {
namespace {

constexpr const char* what_to_do = "this copy of the log cannot be trusted: keep the directory for inspection, and "
                                   "treat this member as lost (docs/operations.md says how to go on)";

error corrupt(const std::string& path, std::uint64_t offset, const std::string& what) {
  return error(error_code::corrupt, path, what + "; " + what_to_do).at(offset);
}

/// One run of recovery: the steps in order are scan(), replay(), open_fresh().
class recovery {
 public:
  recovery(file_system& fs, const std::string& directory, const wal_options& options, coro::entropy& random,
           const recovery_progress& progress)
      : fs_(fs)
      , directory_(directory)
      , options_(options)
      , random_(random)
      , progress_(progress)
      , extent_(fs, directory) {}

  result<void> scan();
  result<void> replay();
  result<opened_log> open_fresh(std::span<const group_snapshot> snapshots);

 private:
  struct found_segment {
    segment where;
    parsed_segment_header header;
    /// Whether the file says that it is the segment that its name says.
    [[nodiscard]] bool started() const {
      return header.state == header_state::good && header.header.sequence == where.sequence;
    }
  };
  using segments = std::map<std::uint64_t, found_segment>;

  [[nodiscard]] std::string path_of(std::uint64_t sequence) const { return join(directory_, segment_name(sequence)); }
  result<void> check_never_started();
  /// Every segment that was ever made ready is there.
  result<void> check_extent();
  /// Decides which started segment is the last: the opening of the newest may be torn.
  result<void> find_last();
  result<bool> opening_is_torn(const found_segment& s);
  result<void> check_chain();
  result<void> replay_segment(const found_segment& s, std::uint64_t end_at_least, bool is_last);
  result<void> check_tail(segment_reader& reader, const found_segment& s, std::uint64_t offset);
  result<void> take_batch(const found_segment& s, std::uint64_t offset, const segment_reader::batch& b);
  result<void> apply_pending();
  [[nodiscard]] error name_entry(segment_reader& reader, std::uint64_t offset, error e) const;

  // of open_fresh():
  void collect_records(batch_builder& b) const;
  result<void> align(batch_builder& b, group_logs& groups, std::span<const group_snapshot> snapshots);
  result<std::unique_ptr<file>> fresh_file(const std::string& path);
  result<void> fill_fresh(file& f);
  result<void> write_fresh(file& f, std::span<const std::byte> bytes);
  result<void> drop_reserve();
  result<void> renumber_spares(std::uint64_t next);

  file_system& fs_;
  const std::string& directory_;
  const wal_options& options_;
  coro::entropy& random_;
  const recovery_progress& progress_;
  log_extent extent_;

  segments all_;
  std::uint64_t reached_ = 0; ///< the log's extent
  std::uint64_t oldest_ = 0;
  std::uint64_t last_ = 0;     ///< sequence; 0: none was ever started
  bool newest_torn_ = false;   ///< a segment after the last one was begun, and its first batch is torn
  std::uint64_t tail_end_ = 0; ///< it says that the last one is whole up to here
  std::vector<segment> spares_;
  std::vector<segment> freed_;
  std::vector<segment> unfinished_; ///< never begun, and of another size than a segment

  group_logs groups_;              ///< before the pending batch
  std::vector<std::byte> pending_; ///< the records of the last good batch
  std::uint64_t pending_number_ = 0;
  std::uint64_t pending_segment_ = 0;
  std::uint64_t pending_offset_ = 0; ///< of the batch
  std::uint64_t next_number_ = 1;
  std::uint64_t bytes_done_ = 0;
  std::uint64_t bytes_total_ = 0;
  std::uint64_t batches_ = 0;
  std::uint64_t torn_ = 0;
};

result<void> recovery::scan() {
  const result<void> made = fs_.make_directory(directory_);
  if (!made) return made.error();
  const result<std::vector<std::string>> names = fs_.list(directory_);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    const std::optional<std::uint64_t> sequence = parse_segment_name(name);
    if (!sequence) continue;
    const result<std::unique_ptr<segment_reader>> reader = segment_reader::open(fs_, path_of(*sequence));
    if (!reader) return reader.error();
    const parsed_segment_header header = (*reader)->header();
    if (header.state == header_state::other_version)
      return error(error_code::foreign, path_of(*sequence),
                   "the segment has format version " + std::to_string(header.version) +
                       ", and this quorumd reads versions up to " + std::to_string(wal_format_version) +
                       ": start the version that wrote it");
    all_[*sequence] = {{*sequence, path_of(*sequence), (*reader)->bytes()}, header};
  }
  const result<void> found = find_last();
  if (!found) return found.error();
  const result<void> whole = check_extent();
  if (!whole) return whole.error();
  return check_chain();
}

result<void> recovery::check_extent() {
  const result<std::optional<std::uint64_t>> reached = extent_.read();
  if (!reached) return reached.error();
  reached_ = reached->value_or(0);
  for (std::uint64_t sequence = last_ + 1; sequence <= reached_; ++sequence)
    if (!all_.contains(sequence))
      return corrupt(path_of(sequence), 0,
                     last_ == 0 ? "the segment is missing, and so is every other that this member's log began with"
                                : "the segment is missing, and it may have held acknowledged entries and votes");
  return {};
}

result<bool> recovery::opening_is_torn(const found_segment& s) {
  const result<std::unique_ptr<segment_reader>> reader = segment_reader::open(fs_, s.where.path);
  if (!reader) return reader.error();
  const segment_header& h = s.header.header;
  const result<segment_reader::batch> b = (*reader)->read(block_bytes, {h.id, h.first_number});
  if (!b) return b.error();
  if (b->state == segment_reader::found::good) return false;
  const result<std::optional<std::uint64_t>> proof = (*reader)->find_proof(block_bytes, h.id, h.first_number);
  if (!proof) return proof.error();
  if (*proof)
    return corrupt(s.where.path, block_bytes,
                   b->why + ", though the batch at offset " + std::to_string(**proof) + " says that batch " +
                       std::to_string(h.first_number) + " was durable");
  return true;
}

result<void> recovery::find_last() {
  for (auto it = all_.rbegin(); it != all_.rend(); ++it) {
    if (!it->second.started()) continue;
    const result<bool> torn = opening_is_torn(it->second);
    if (!torn) return torn.error();
    if (*torn) {
      if (newest_torn_)
        return corrupt(it->second.where.path, block_bytes, "the first batch is damaged, and a later segment exists");
      torn_ += 1;
      newest_torn_ = true;
      tail_end_ = it->second.header.header.previous_end;
      continue;
    }
    last_ = it->first;
    oldest_ = it->second.header.header.oldest;
    break;
  }
  if (last_ == 0 && tail_end_ == 0) return check_never_started();
  if (last_ == 0) return corrupt(directory_, 0, "the segments before the newest one are missing");
  if (newest_torn_) {
    const auto next = all_.find(last_ + 1);
    if (next == all_.end() || !next->second.started() ||
        next->second.header.header.previous_id != all_.at(last_).header.header.id)
      return corrupt(path_of(last_ + 1), 0, "a segment of the log is missing or its header is damaged");
  }
  return {};
}

result<void> recovery::check_never_started() {
  for (const auto& [sequence, s] : all_) {
    const result<std::unique_ptr<segment_reader>> reader = segment_reader::open(fs_, s.where.path);
    if (!reader) return reader.error();
    const result<std::optional<std::uint64_t>> proof = (*reader)->find_proof_without_header(std::nullopt);
    if (!proof) return proof.error();
    if (*proof) return corrupt(s.where.path, 0, "the header of the segment is damaged, and batches follow it");
  }
  return {};
}

result<void> recovery::check_chain() {
  for (std::uint64_t sequence = oldest_; last_ != 0 && sequence <= last_; ++sequence) {
    const auto it = all_.find(sequence);
    if (it == all_.end())
      return corrupt(path_of(sequence), 0, "the segment is missing, and segment " + segment_name(last_) + " needs it");
    const segment_header& h = it->second.header.header;
    if (!it->second.started())
      return corrupt(path_of(sequence), 0, "the header of the segment is damaged, and later segments exist");
    if (sequence > oldest_ && h.previous_id != all_.at(sequence - 1).header.header.id)
      return corrupt(path_of(sequence), 0, "the segment does not follow the one before it");
    bytes_total_ += it->second.where.bytes;
  }
  for (const auto& [sequence, s] : all_) {
    if (last_ != 0 && sequence >= oldest_ && sequence <= last_) continue;
    if (sequence <= last_)
      freed_.push_back(s.where);
    else if (s.where.bytes == options_.segment_bytes)
      spares_.push_back(s.where);
    else
      unfinished_.push_back(s.where);
  }
  return {};
}

result<void> recovery::replay() {
  if (last_ == 0) return {};
  next_number_ = all_.at(oldest_).header.header.first_number;
  for (std::uint64_t sequence = oldest_; sequence <= last_; ++sequence) {
    const bool is_last = sequence == last_;
    const std::uint64_t end = is_last ? tail_end_ : all_.at(sequence + 1).header.header.previous_end;
    const result<void> done = replay_segment(all_.at(sequence), end, is_last);
    if (!done) return done.error();
  }
  return {};
}

result<void> recovery::replay_segment(const found_segment& s, std::uint64_t end_at_least, bool is_last) {
  const result<std::unique_ptr<segment_reader>> reader = segment_reader::open(fs_, s.where.path);
  if (!reader) return reader.error();
  const segment_header& h = s.header.header;
  const bool anything_goes = options_.mutant == mutant::accept_stale_batch;
  if (h.first_number != next_number_ && !anything_goes)
    return corrupt(s.where.path, 0,
                   "the segment begins with batch " + std::to_string(h.first_number) + " and not " +
                       std::to_string(next_number_));
  std::uint64_t offset = block_bytes;
  while (is_last || offset < end_at_least) {
    const segment_reader::expected e =
        anything_goes ? segment_reader::expected{} : segment_reader::expected{h.id, next_number_};
    const result<segment_reader::batch> b = (*reader)->read(offset, e);
    if (!b) return b.error();
    if (b->state != segment_reader::found::good) {
      if (offset < end_at_least)
        return name_entry(**reader, offset,
                          corrupt(s.where.path, offset,
                                  b->why + ", though the next segment says that batch " + std::to_string(next_number_) +
                                      " was durable"));
      if (b->state == segment_reader::found::damaged) torn_ += 1;
      return check_tail(**reader, s, offset);
    }
    const result<void> taken = take_batch(s, offset, *b);
    if (!taken) return taken.error();
    offset += b->padded;
    bytes_done_ += b->padded;
    if (progress_) progress_(bytes_done_, bytes_total_);
  }
  if (offset != end_at_least)
    return corrupt(s.where.path, end_at_least, "the segment's recorded end is inside a batch");
  bytes_done_ += s.where.bytes - std::min(s.where.bytes, offset);
  return {};
}

result<void> recovery::check_tail(segment_reader& reader, const found_segment& s, std::uint64_t offset) {
  const auto refuse = [&](const std::string& path, std::uint64_t proof) {
    return name_entry(reader, offset,
                      corrupt(s.where.path, offset,
                              "batch " + std::to_string(next_number_) + " is damaged, though the batch at offset " +
                                  std::to_string(proof) + " of " + path + " says that it was durable"));
  };
  const result<std::optional<std::uint64_t>> here = reader.find_proof(offset, s.header.header.id, next_number_);
  if (!here) return here.error();
  if (*here) return refuse(s.where.path, **here);
  // A segment whose header is damaged looks like one that was never begun; one that has the header of its earlier life
  // was not.
  const auto next = all_.find(s.where.sequence + 1);
  if (next == all_.end() || next->second.header.state == header_state::good) return {};
  const result<std::unique_ptr<segment_reader>> beyond = segment_reader::open(fs_, next->second.where.path);
  if (!beyond) return beyond.error();
  const result<std::optional<std::uint64_t>> there = (*beyond)->find_proof_without_header(next_number_);
  if (!there) return there.error();
  if (*there) return refuse(next->second.where.path, **there);
  return {};
}

/// Names the group and entry that a lost batch concerns: by an entry in it that is still whole, else by where the log
/// breaks off.
error recovery::name_entry(segment_reader& reader, std::uint64_t offset, error e) const {
  constexpr std::uint64_t look_at = std::uint64_t{1} << 20;
  const result<std::optional<entry_header>> entry = reader.find_entry(offset, offset + look_at);
  if (entry && *entry) return std::move(e).of((*entry)->group, (*entry)->index);
  group_logs groups = groups_;
  if (apply_batch(groups, pending_, 0, 0) || groups.by_id.empty()) return e;
  const auto& [group, log] = *groups.by_id.begin();
  return std::move(e).of(group, log.last().next());
}

result<void> recovery::take_batch(const found_segment& s, std::uint64_t offset, const segment_reader::batch& b) {
  const result<void> applied = apply_pending();
  if (!applied) return applied.error();
  pending_.assign(b.records.begin(), b.records.end());
  pending_number_ = next_number_++;
  pending_segment_ = s.where.sequence;
  pending_offset_ = offset;
  batches_ += 1;
  return {};
}

result<void> recovery::apply_pending() {
  if (pending_number_ == 0) return {};
  const std::optional<contradiction> wrong =
      apply_batch(groups_, pending_, pending_segment_, pending_offset_ + batch_header_bytes);
  if (!wrong) return {};
  return corrupt(path_of(pending_segment_), pending_offset_,
                 "batch " + std::to_string(pending_number_) + ": " + wrong->what)
      .of(wrong->group, groups_.by_id[wrong->group].last().next());
}

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
                     ", and there is no whole snapshot of what came before; " + what_to_do)
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

result<opened_log> recovery::open_fresh(std::span<const group_snapshot> snapshots) {
  // A restart that follows another without a batch between them replaces its segment, else restarts would add up.
  const bool replace = pending_number_ != 0 && pending_offset_ == block_bytes;
  const std::uint64_t sequence = replace ? last_ : last_ + 1;
  batch_builder builder;
  collect_records(builder);
  const std::uint64_t records_at = block_bytes + batch_builder::records_offset;
  group_logs groups = groups_;
  const std::optional<contradiction> wrong = apply_batch(groups, builder.records(), sequence, records_at);
  if (wrong)
    return corrupt(path_of(pending_segment_), pending_offset_, wrong->what)
        .of(wrong->group, groups.by_id[wrong->group].last().next());
  for (const auto& [group, log] : groups.by_id) {
    const std::optional<std::string> missing = log.check();
    if (missing) return corrupt(directory_, 0, *missing).of(group, log.last());
  }
  const std::size_t aligned_from = builder.records_bytes();
  const result<void> aligned = align(builder, groups, snapshots);
  if (!aligned) return aligned.error();
  const std::optional<contradiction> misaligned =
      apply_batch(groups, builder.records().subspan(aligned_from), sequence, records_at + aligned_from);
  if (misaligned) return corrupt(directory_, 0, misaligned->what).of(misaligned->group, log_index());

  segment_header h{.id = random_.next(),
                   .sequence = sequence,
                   .oldest = sequence,
                   .first_number = pending_number_ != 0 ? pending_number_ : 1,
                   .previous_id = 0,
                   .previous_end = 0};
  h.oldest = std::min(h.oldest, groups.uses.oldest().value_or(sequence));
  if (replace) {
    h.previous_id = all_.at(last_).header.header.previous_id;
    h.previous_end = all_.at(last_).header.header.previous_end;
  } else if (last_ != 0) {
    h.previous_id = all_.at(last_).header.header.id;
    h.previous_end = pending_offset_;
  }
  const std::span<const std::byte> bytes = builder.finish(
      {.segment_id = h.id, .number = h.first_number, .durable = h.first_number - 1, .length = 0, .records = 0}, &h);

  // What is prepared moves now, so that less than before may be missing should this start be interrupted.
  if (reached_ > last_) {
    const result<void> lowered = extent_.set(last_);
    if (!lowered) return lowered.error();
  }
  // The fresh segment is written under the next free name; one that replaces is then renamed over the old.
  const std::string path = path_of(last_ + 1);
  result<std::unique_ptr<file>> f = fresh_file(path);
  if (!f) return f.error();
  const result<void> written = write_fresh(**f, bytes);
  if (!written) return written.error();
  const result<std::uint64_t> fresh_bytes = (*f)->size();
  if (!fresh_bytes) return fresh_bytes.error();
  if (replace) {
    const result<void> renamed = fs_.rename(path, path_of(sequence));
    if (!renamed) return renamed.error();
    f = fs_.open(path_of(sequence), file_system::mode::write);
    if (!f) return f.error();
  }
  const result<void> synced = fs_.sync_directory(directory_);
  if (!synced) return synced.error();
  const result<void> extended = extent_.set(sequence);
  if (!extended) return extended.error();

  const result<void> renumbered = renumber_spares(sequence + 1);
  if (!renumbered) return renumbered.error();
  opened_log o;
  o.end = bytes.size();
  o.segment_id = h.id;
  o.next_number = h.first_number + 1;
  o.recovered_batches = batches_;
  o.torn_batches = torn_;
  for (std::uint64_t i = oldest_; last_ != 0 && i < sequence; ++i) {
    segment s = all_.at(i).where;
    if (i < h.oldest) {
      o.freed.push_back(s);
      continue;
    }
    // What was prepared behind the old end is given back.
    if (!replace && i == last_ && s.bytes > h.previous_end) {
      const result<std::unique_ptr<file>> ended = fs_.open(s.path, file_system::mode::write);
      if (!ended) return ended.error();
      const result<void> cut = (*ended)->truncate(h.previous_end);
      if (!cut) return cut.error();
      s.bytes = h.previous_end;
    }
    o.segments.push_back(std::move(s));
  }
  o.segments.push_back({sequence, path_of(sequence), *fresh_bytes});
  o.current = std::move(*f);
  o.spares = spares_;
  o.freed.insert(o.freed.end(), freed_.begin(), freed_.end());
  for (const auto& [group, log] : groups.by_id) o.recovered.push_back(log.recovered(group));
  o.groups = std::move(groups);
  return o;
}

} // namespace

result<void> clear_beginning(file& f) {
  static const std::vector<std::byte> zeros(2 * block_bytes);
  const result<void> written = f.write(0, zeros);
  if (!written) return written;
  return f.sync();
}

result<opened_log> recover_log(file_system& fs, const std::string& directory, const wal_options& options,
                               coro::entropy& random, std::span<const group_snapshot> snapshots,
                               const recovery_progress& progress) {
  recovery r(fs, directory, options, random, progress);
  const result<void> scanned = r.scan();
  if (!scanned) return scanned.error();
  const result<void> replayed = r.replay();
  if (!replayed) return replayed.error();
  return r.open_fresh(snapshots);
}

} // namespace quorumd::storage
