#include "consensus/storage/wal_recovery_impl.hpp"

#include <algorithm>
#include <utility>

namespace quorumd::storage {

error corrupt_log(const std::string& path, std::uint64_t offset, const std::string& what) {
  return error(error_code::corrupt, path, what + "; " + corrupt_log_advice).at(offset);
}

result<void> recovery::scan() {
  const result<std::vector<std::string>> names = fs_.list(directory_);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    const std::optional<std::uint64_t> sequence = parse_segment_name(name);
    if (!sequence) continue;
    const result<std::unique_ptr<segment_reader>> reader = segment_reader::open(fs_, path_of(*sequence));
    if (!reader) return reader.error();
    const parsed_segment_header header = (*reader)->header();
    if (header.state == header_state::other_version)
      return error(error_code::version, path_of(*sequence),
                   "the segment has format version " + std::to_string(header.version) + ", and this quorumd reads " +
                       std::to_string(wal_format_version) + ": start the version that wrote it");
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
  if (last_ == 0 && reached_ != 0)
    return corrupt_log(directory_, 0,
                       "the log is missing, which had reached segment " + segment_name(reached_) +
                           ": bring it back if it was moved away");
  for (std::uint64_t sequence = last_ + 1; sequence <= reached_; ++sequence)
    if (!all_.contains(sequence))
      return corrupt_log(path_of(sequence), 0,
                         "the segment is missing, and it may have held acknowledged entries and votes");
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
    return corrupt_log(s.where.path, block_bytes,
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
        return corrupt_log(it->second.where.path, block_bytes,
                           "the first batch is damaged, and a later segment exists");
      torn_ += 1;
      newest_torn_ = true;
      tail_end_ = it->second.header.header.previous_end;
      continue;
    }
    last_ = it->first;
    oldest_ = it->second.header.header.oldest;
    if (oldest_ > last_)
      return corrupt_log(it->second.where.path, 0,
                         "the header of the segment says that the log begins at segment " + segment_name(oldest_) +
                             ", which is later");
    break;
  }
  if (last_ == 0 && tail_end_ == 0) return check_never_started();
  if (last_ == 0) return corrupt_log(directory_, 0, "the segments before the newest one are missing");
  if (newest_torn_) {
    const auto next = all_.find(last_ + 1);
    if (next == all_.end() || !next->second.started() ||
        next->second.header.header.previous_id != all_.at(last_).header.header.id)
      return corrupt_log(path_of(last_ + 1), 0, "a segment of the log is missing or its header is damaged");
  }
  return {};
}

result<void> recovery::check_never_started() {
  for (const auto& [sequence, s] : all_) {
    const result<std::unique_ptr<segment_reader>> reader = segment_reader::open(fs_, s.where.path);
    if (!reader) return reader.error();
    const result<std::optional<std::uint64_t>> proof = (*reader)->find_proof_without_header(std::nullopt);
    if (!proof) return proof.error();
    if (*proof) return corrupt_log(s.where.path, 0, "the header of the segment is damaged, and batches follow it");
  }
  return {};
}

result<void> recovery::check_chain() {
  for (std::uint64_t sequence = oldest_; last_ != 0 && sequence <= last_; ++sequence) {
    const auto it = all_.find(sequence);
    if (it == all_.end())
      return corrupt_log(path_of(sequence), 0,
                         "the segment is missing, and segment " + segment_name(last_) + " needs it");
    const segment_header& h = it->second.header.header;
    if (!it->second.started())
      return corrupt_log(path_of(sequence), 0, "the header of the segment is damaged, and later segments exist");
    if (sequence > oldest_ && h.previous_id != all_.at(sequence - 1).header.header.id)
      return corrupt_log(path_of(sequence), 0, "the segment does not follow the one before it");
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
    return corrupt_log(s.where.path, 0,
                       "the segment begins with batch " + std::to_string(h.first_number) + " and not " +
                           std::to_string(next_number_));
  std::uint64_t offset = block_bytes;
  while (is_last || offset < end_at_least) {
    const segment_reader::expected e =
        anything_goes ? segment_reader::expected{}
                      : segment_reader::expected{h.id, next_number_, options_.mutant != mutant::skip_checksum};
    const result<segment_reader::batch> b = (*reader)->read(offset, e);
    if (!b) return b.error();
    if (b->state != segment_reader::found::good) {
      if (offset < end_at_least)
        return name_entry(**reader, offset,
                          corrupt_log(s.where.path, offset,
                                      b->why + ", though the next segment says that batch " +
                                          std::to_string(next_number_) + " was durable"));
      if (b->state == segment_reader::found::damaged) torn_ += 1;
      if (options_.mutant == mutant::torn_anywhere) return {};
      return check_tail(**reader, s, offset);
    }
    const result<void> taken = take_batch(s, offset, *b);
    if (!taken) return taken.error();
    offset += b->padded;
    bytes_done_ += b->padded;
    if (progress_) progress_(bytes_done_, bytes_total_);
  }
  if (offset != end_at_least)
    return corrupt_log(s.where.path, end_at_least, "the segment's recorded end is inside a batch");
  bytes_done_ += s.where.bytes - std::min(s.where.bytes, offset);
  return {};
}

result<void> recovery::check_tail(segment_reader& reader, const found_segment& s, std::uint64_t offset) {
  const auto refuse = [&](const std::string& path, std::uint64_t proof) {
    return name_entry(reader, offset,
                      corrupt_log(s.where.path, offset,
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
  // It begins with the number that follows or, had this segment's end not been cut off durably, with the last one.
  for (const std::uint64_t first : {next_number_, next_number_ - 1}) {
    if (first != next_number_ && options_.mutant == mutant::cut_without_sync) break;
    const result<std::optional<std::uint64_t>> there = (*beyond)->find_proof_without_header(first);
    if (!there) return there.error();
    if (*there) return refuse(next->second.where.path, **there);
  }
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
  return corrupt_log(path_of(pending_segment_), pending_offset_,
                     "batch " + std::to_string(pending_number_) + ": " + wrong->what)
      .of(wrong->group, groups_.by_id[wrong->group].last().next());
}

} // namespace quorumd::storage
