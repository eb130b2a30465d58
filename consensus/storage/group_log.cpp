#include "consensus/storage/group_log.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace quorumd::storage {
namespace {

std::string text(log_index i) {
  return std::to_string(i.value());
}

template <class... F>
struct overloaded : F... {
  using F::operator()...;
};
template <class... F>
overloaded(F...) -> overloaded<F...>;

/// The entries' bytes from the record's encoded beginning.
std::uint64_t distance(const record& r, const entries_record& e) {
  return static_cast<std::uint64_t>(e.bytes.data() - r.encoded.data());
}

struct seen_entry {
  log_index index;
  quorumd::term term;
  std::uint64_t offset = 0; ///< from the first entry's beginning
  std::uint32_t bytes = 0;
  entry_kind kind = entry_kind::command;
  std::span<const std::byte> payload;
};

/// Calls f(seen_entry) for each entry, by its header; f says what is wrong with it, or nothing. What is wrong, in
/// words.
template <class F>
std::optional<std::string> walk(group_id group, const entries_record& r, F f) {
  if (r.count == 0) return "a stretch of entries is empty";
  std::span<const std::byte> rest = r.bytes;
  for (std::uint32_t i = 0; i < r.count; ++i) {
    const log_index index = r.first + i;
    const std::optional<entry_header> h = read_entry_header(rest);
    if (!h || h->index != index || h->group != group || h->payload_bytes > entry_payload_max)
      return "entry " + text(index) + " has a damaged header";
    const std::size_t bytes = entry_encoded_bytes(h->payload_bytes);
    if (bytes > rest.size()) return "entry " + text(index) + " is cut short";
    const seen_entry seen{.index = index,
                          .term = h->term,
                          .offset = r.bytes.size() - rest.size(),
                          .bytes = static_cast<std::uint32_t>(bytes),
                          .kind = h->kind,
                          .payload = rest.subspan(entry_header_bytes, h->payload_bytes)};
    if (auto wrong = f(seen)) return wrong;
    rest = rest.subspan(bytes);
  }
  if (!rest.empty()) return "the stretch of entries from " + text(r.first) + " is longer than its entries";
  return std::nullopt;
}

/// Puts entries that stand one after the other together into runs; `add` takes each run that is whole.
template <class Add>
class run_maker {
 public:
  /// Of a stretch of that many bytes, whose record stands and takes what `at` says; the group had taken `logged`
  /// before.
  run_maker(const record_place& at, std::size_t stretch_bytes, std::uint64_t logged, Add add)
      : at_(at)
      , stretch_bytes_(stretch_bytes)
      , logged_(logged)
      , add_(std::move(add)) {}

  void take(const seen_entry& e) {
    if (run_.count > 0 && run_.bytes + e.bytes > run_bytes_max) finish();
    if (run_.count == 0) {
      run_.first = e.index;
      run_.segment = at_.segment;
      run_.offset = at_.offset + e.offset;
      run_.bytes = 0;
      run_.logged = logged_ + share(e.offset);
    }
    run_.bytes += e.bytes;
    ++run_.count;
  }
  void finish() {
    if (run_.count == 0) return;
    run_.on_disk = share(run_.bytes);
    add_(run_);
    run_.count = 0;
  }

 private:
  [[nodiscard]] std::uint64_t share(std::uint64_t bytes) const { return at_.bytes * bytes / stretch_bytes_; }

  const record_place at_;
  const std::size_t stretch_bytes_;
  const std::uint64_t logged_;
  Add add_;
  entry_run run_;
};

} // namespace

std::optional<std::string> group_log::apply(const record& r, const record_place& at, segment_uses& uses) {
  const bool known = std::exchange(known_, true);
  const auto entries_at = [&](const entries_record& e) {
    return record_place{at.segment, at.offset + distance(r, e), at.bytes};
  };
  std::optional<std::string> wrong = std::visit(
      overloaded{
          [&](const opening_record& o) { return apply_opening(o, known); },
          [&](const hard_record& h) -> std::optional<std::string> {
            if (h.hard.term < hard_.term) return "its term goes back";
            hard_ = h.hard;
            return std::nullopt;
          },
          [&](const install_record& i) -> std::optional<std::string> {
            start_anew(r.group, i.mark, uses);
            return std::nullopt;
          },
          [&](const entries_record& e) { return apply_entries(r.group, e, entries_at(e), uses); },
          [&](const moved_record& m) { return apply_moved(r.group, m.entries, entries_at(m.entries), uses); },
          [&](const commit_record& c) -> std::optional<std::string> {
            commit_ = std::max(commit_, c.index);
            return std::nullopt;
          },
          [&](const prefix_record& p) { return apply_prefix(r.group, p, uses); },
      },
      r.body);
  logged_ += at.bytes;
  return wrong;
}

/// An opening of a later segment repeats what is known.
std::optional<std::string> group_log::apply_opening(const opening_record& o, bool known) {
  if (known) return std::nullopt;
  hard_ = o.hard;
  start_ = o.start;
  snapshot_ = o.snapshot;
  commit_ = o.commit;
  return std::nullopt;
}

std::optional<std::string> group_log::apply_prefix(group_id group, const prefix_record& p, segment_uses& uses) {
  if (p.mark.index > snapshot_.index) snapshot_ = p.mark;
  if (p.start <= start_.index) return std::nullopt;
  start_ = {p.start, p.start_term, p.mark.members};
  commit_ = std::max(commit_, start_.index);
  drop_before_start(group, uses);
  return std::nullopt;
}

void group_log::start_anew(group_id group, const snapshot_mark& mark, segment_uses& uses) {
  for (const entry_run& run : runs_) uses.remove(run.segment, group, run.on_disk);
  runs_.clear();
  terms_.clear();
  configurations_.clear();
  start_ = snapshot_ = mark;
  commit_ = mark.index;
}

void group_log::cut_from(group_id group, log_index index, segment_uses& uses) {
  while (!runs_.empty() && runs_.back().first >= index) {
    uses.remove(runs_.back().segment, group, runs_.back().on_disk);
    runs_.pop_back();
  }
  if (!runs_.empty() && runs_.back().last() >= index)
    runs_.back().count = static_cast<std::uint32_t>(index - runs_.back().first);
  while (!terms_.empty() && terms_.back().first >= index) terms_.pop_back();
  configurations_.erase(configurations_.lower_bound(index), configurations_.end());
  drop_before_start(group, uses);
}

/// Runs and terms without a kept entry are forgotten; those that reach beyond the start may begin before it.
void group_log::drop_before_start(group_id group, segment_uses& uses) {
  while (!runs_.empty() && runs_.front().last() <= start_.index) {
    uses.remove(runs_.front().segment, group, runs_.front().on_disk);
    runs_.pop_front();
  }
  while (terms_.size() > 1 && terms_[1].first <= start_.index.next()) terms_.pop_front();
  if (runs_.empty()) terms_.clear();
  configurations_.erase(configurations_.begin(), configurations_.upper_bound(start_.index));
}

std::optional<std::string> group_log::apply_entries(group_id group, const entries_record& r, const record_place& at,
                                                    segment_uses& uses) {
  if (r.first <= start_.index) return "entry " + text(r.first) + " stands before the log's beginning";
  if (r.first <= commit_) return "entry " + text(r.first) + " overwrites one that was committed";
  cut_from(group, r.first, uses);
  run_maker runs(at, r.bytes.size(), logged_, [&](const entry_run& run) {
    uses.add(run.segment, group, run.on_disk);
    runs_.push_back(run);
  });
  const auto take = [&](const seen_entry& e) -> std::optional<std::string> {
    const term before = terms_.empty() ? start_.term : terms_.back().term;
    if (e.term < before) return "entry " + text(e.index) + " is of an earlier term than the one before it";
    if (terms_.empty() || e.term != terms_.back().term) terms_.push_back({e.index, e.term});
    if (e.kind == entry_kind::members)
      configurations_[e.index] = entry::make(group, e.term, e.index, e.kind, e.payload);
    runs.take(e);
    return std::nullopt;
  };
  std::optional<std::string> wrong = walk(group, r, take);
  runs.finish();
  return wrong;
}

/// The entries stand in the log, or they fill a gap that the segment where they stood has left by being freed. Those
/// that a snapshot covers by now are passed over.
std::optional<std::string> group_log::apply_moved(group_id group, const entries_record& r, const record_place& at,
                                                  segment_uses& uses) {
  std::vector<entry_run> fresh;
  std::vector<term_run> terms;
  run_maker runs(at, r.bytes.size(), logged_, [&](const entry_run& run) { fresh.push_back(run); });
  const auto take = [&](const seen_entry& e) -> std::optional<std::string> {
    if (e.index <= start_.index) return std::nullopt;
    if (const auto known = term_at(e.index); known && !is_missing(e.index) && *known != e.term)
      return "entry " + text(e.index) + " was moved with another term";
    if (terms.empty() || e.term != terms.back().term) terms.push_back({e.index, e.term});
    if (e.kind == entry_kind::members)
      configurations_[e.index] = entry::make(group, e.term, e.index, e.kind, e.payload);
    runs.take(e);
    return std::nullopt;
  };
  if (auto wrong = walk(group, r, take)) return wrong;
  runs.finish();
  if (fresh.empty()) return std::nullopt;

  const log_index first = fresh.front().first;
  const log_index last = fresh.back().last();
  const auto from =
      std::partition_point(runs_.begin(), runs_.end(), [&](const entry_run& run) { return run.last() < first; });
  auto to = from;
  while (to != runs_.end() && to->first <= last) ++to;
  // What stood together is moved together; only what a snapshot covers may stick out in front.
  if (from != to && (std::prev(to)->last() != last || std::max(from->first, start_.index.next()) != first))
    return "the moved entries from " + text(first) + " to " + text(last) + " do not stand together in the log";
  const std::uint64_t logged = from != runs_.end() ? from->logged : logged_;
  for (auto it = from; it != to; ++it) uses.remove(it->segment, group, it->on_disk);
  for (entry_run& run : fresh) {
    run.logged = logged;
    uses.add(run.segment, group, run.on_disk);
  }
  runs_.insert(runs_.erase(from, to), fresh.begin(), fresh.end());
  learn_terms(terms, last);
  drop_before_start(group, uses);
  return std::nullopt;
}

/// Terms never fall, so that those of a stretch which ends at `last` tell those of a gap beside it too, where the same
/// term stands on its other side.
void group_log::learn_terms(const std::vector<term_run>& terms, log_index last) {
  for (const term_run& t : terms) {
    const auto next =
        std::partition_point(terms_.begin(), terms_.end(), [&](const term_run& run) { return run.first <= t.first; });
    if (next != terms_.begin() && std::prev(next)->term == t.term) continue;
    if (next != terms_.end() && next->first > last && next->term == t.term)
      next->first = t.first;
    else
      terms_.insert(next, t);
  }
}

/// Whether no run holds the entry, though it stands between the log's start and its end.
bool group_log::is_missing(log_index index) const {
  const auto it =
      std::partition_point(runs_.begin(), runs_.end(), [&](const entry_run& run) { return run.last() < index; });
  return it == runs_.end() || it->first > index;
}

std::optional<std::string> group_log::check() const {
  log_index next = start_.index.next();
  for (const entry_run& run : runs_) {
    if (run.first > next) return "entries from " + text(next) + " to " + text(run.first.prev()) + " are missing";
    next = run.last().next();
  }
  if (commit_ > last()) return "the log ends at " + text(last()) + ", and " + text(commit_) + " was known committed";
  return std::nullopt;
}

std::optional<term> group_log::term_at(log_index index) const {
  if (index == start_.index) return start_.term;
  if (index < start_.index || index > last()) return std::nullopt;
  auto it = std::upper_bound(terms_.begin(), terms_.end(), index,
                             [](log_index i, const term_run& run) { return i < run.first; });
  if (it == terms_.begin()) return std::nullopt;
  return std::prev(it)->term;
}

recovered_group group_log::recovered(group_id group) const {
  recovered_group r{.group = group,
                    .hard = hard_,
                    .start = start_,
                    .snapshot = snapshot_,
                    .runs = {},
                    .configurations = {},
                    .last = last(),
                    .commit = std::max(commit_, start_.index)};
  for (const term_run& run : terms_) r.runs.push_back({std::max(run.first, start_.index.next()), run.term});
  for (const auto& [index, e] : configurations_) r.configurations.push_back(e);
  return r;
}

std::uint64_t group_log::logged_since(log_index index) const {
  const auto it =
      std::partition_point(runs_.begin(), runs_.end(), [&](const entry_run& run) { return run.last() <= index; });
  return it == runs_.end() ? 0 : logged_ - it->logged;
}

log_index group_log::first_within(std::uint64_t bytes) const {
  const auto it = std::partition_point(runs_.begin(), runs_.end(),
                                       [&](const entry_run& run) { return logged_ - run.logged > bytes; });
  return it == runs_.end() ? last().next() : std::max(it->first, start_.index.next());
}

std::vector<entry_run> group_log::runs_in(std::uint64_t segment, std::size_t bytes_max) const {
  std::vector<entry_run> found;
  auto it = std::find_if(runs_.begin(), runs_.end(), [&](const entry_run& run) { return run.segment == segment; });
  for (std::size_t bytes = 0; it != runs_.end() && it->segment == segment; ++it) {
    bytes += it->bytes;
    if (!found.empty() && bytes > bytes_max) break;
    found.push_back(*it);
  }
  return found;
}

bool group_log::holds(const entry_run& run) const {
  const auto it =
      std::partition_point(runs_.begin(), runs_.end(), [&](const entry_run& r) { return r.first < run.first; });
  return it != runs_.end() && it->first == run.first && it->count == run.count && it->segment == run.segment &&
         it->offset == run.offset;
}

void group_log::find(log_index first, log_index last_wanted, std::size_t bytes_max, std::vector<entry_run>& out) const {
  if (first <= start_.index || first > last()) return;
  auto it = std::upper_bound(runs_.begin(), runs_.end(), first,
                             [](log_index i, const entry_run& run) { return i < run.first; });
  std::size_t bytes = 0;
  for (--it; it != runs_.end() && it->first <= last_wanted; ++it) {
    if (!out.empty() && bytes >= bytes_max) return;
    out.push_back(*it);
    bytes += it->first < first ? 0 : it->bytes;
  }
}

std::optional<contradiction> apply_batch(group_logs& groups, std::span<const std::byte> records, std::uint64_t segment,
                                         std::uint64_t records_offset) {
  const std::uint64_t on_disk = batch_bytes(records.size());
  record_reader reader(records);
  while (std::optional<record> r = reader.next()) {
    const auto at = static_cast<std::uint64_t>(r->encoded.data() - records.data());
    const record_place place{segment, records_offset + at, on_disk * r->encoded.size() / records.size()};
    std::optional<std::string> wrong = groups.by_id[r->group].apply(*r, place, groups.uses);
    if (wrong) return contradiction{r->group, std::move(*wrong)};
  }
  if (!reader.problem().empty()) return contradiction{group_id(), reader.problem()};
  return std::nullopt;
}

} // namespace quorumd::storage
