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
std::uint64_t distance(const record& r, const std::byte* to) {
  return static_cast<std::uint64_t>(to - r.encoded.data());
}

} // namespace

std::optional<std::string> group_log::apply(const record& r, std::uint64_t segment, std::uint64_t offset) {
  const bool known = std::exchange(known_, true);
  return std::visit(overloaded{
                        [&](const opening_record& o) -> std::optional<std::string> {
                          if (known) return std::nullopt;
                          hard_ = o.hard;
                          start_ = o.start;
                          snapshot_ = o.snapshot;
                          commit_ = o.commit;
                          return std::nullopt;
                        },
                        [&](const hard_record& h) -> std::optional<std::string> {
                          if (h.hard.term < hard_.term) return "its term goes back";
                          hard_ = h.hard;
                          return std::nullopt;
                        },
                        [&](const install_record& i) -> std::optional<std::string> {
                          start_anew(i.mark);
                          return std::nullopt;
                        },
                        [&](const entries_record& e) {
                          return apply_entries(r.group, e, segment, offset + distance(r, e.bytes.data()));
                        },
                        [&](const commit_record& c) -> std::optional<std::string> {
                          commit_ = std::max(commit_, c.index);
                          return std::nullopt;
                        },
                        [&](const prefix_record& p) -> std::optional<std::string> {
                          if (p.mark.index > snapshot_.index) snapshot_ = p.mark;
                          if (p.start <= start_.index) return std::nullopt;
                          start_ = {p.start, p.start_term, p.mark.members};
                          commit_ = std::max(commit_, start_.index);
                          drop_before_start();
                          return std::nullopt;
                        },
                    },
                    r.body);
}

void group_log::start_anew(const snapshot_mark& mark) {
  runs_.clear();
  terms_.clear();
  start_ = snapshot_ = mark;
  commit_ = mark.index;
}

void group_log::cut_from(log_index index) {
  while (!runs_.empty() && runs_.back().first >= index) runs_.pop_back();
  if (!runs_.empty() && runs_.back().last() >= index)
    runs_.back().count = static_cast<std::uint32_t>(index - runs_.back().first);
  while (!terms_.empty() && terms_.back().first >= index) terms_.pop_back();
  drop_before_start();
}

/// Runs and terms without a kept entry are forgotten; those that reach beyond the start may begin before it.
void group_log::drop_before_start() {
  while (!runs_.empty() && runs_.front().last() <= start_.index) runs_.pop_front();
  while (terms_.size() > 1 && terms_[1].first <= start_.index.next()) terms_.pop_front();
  if (runs_.empty()) terms_.clear();
}

std::optional<std::string> group_log::apply_entries(group_id group, const entries_record& r, std::uint64_t segment,
                                                    std::uint64_t offset) {
  if (r.count == 0) return "a stretch of entries is empty";
  if (r.first <= start_.index) return "entry " + text(r.first) + " stands before the log's beginning";
  if (r.first <= commit_) return "entry " + text(r.first) + " overwrites one that was committed";
  cut_from(r.first);

  std::span<const std::byte> rest = r.bytes;
  entry_run run{.first = r.first, .segment = segment, .offset = offset, .bytes = 0, .count = 0};
  for (std::uint32_t i = 0; i < r.count; ++i) {
    const log_index index = r.first + i;
    const std::optional<entry_header> h = read_entry_header(rest);
    if (!h || h->index != index || h->group != group || h->payload_bytes > entry_payload_max)
      return "entry " + text(index) + " has a damaged header";
    const std::size_t bytes = entry_encoded_bytes(h->payload_bytes);
    if (bytes > rest.size()) return "entry " + text(index) + " is cut short";
    const term before = terms_.empty() ? start_.term : terms_.back().term;
    if (h->term < before) return "entry " + text(index) + " is of an earlier term than the one before it";
    if (terms_.empty() || h->term != terms_.back().term) terms_.push_back({index, h->term});

    if (run.count > 0 && run.bytes + bytes > run_bytes_max) {
      runs_.push_back(run);
      run = {.first = index, .segment = segment, .offset = run.offset + run.bytes, .bytes = 0, .count = 0};
    }
    run.bytes += static_cast<std::uint32_t>(bytes);
    ++run.count;
    rest = rest.subspan(bytes);
  }
  runs_.push_back(run);
  if (!rest.empty()) return "the stretch of entries from " + text(r.first) + " is longer than its entries";
  return std::nullopt;
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
                    .last = last(),
                    .commit = std::max(commit_, start_.index)};
  for (const term_run& run : terms_) r.runs.push_back({std::max(run.first, start_.index.next()), run.term});
  return r;
}

std::optional<std::uint64_t> group_log::oldest_segment() const {
  if (runs_.empty()) return std::nullopt;
  return runs_.front().segment;
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
  record_reader reader(records);
  while (std::optional<record> r = reader.next()) {
    const auto at = static_cast<std::uint64_t>(r->encoded.data() - records.data());
    std::optional<std::string> wrong = groups[r->group].apply(*r, segment, records_offset + at);
    if (wrong) return contradiction{r->group, std::move(*wrong)};
  }
  if (!reader.problem().empty()) return contradiction{group_id(), reader.problem()};
  return std::nullopt;
}

} // namespace quorumd::storage
