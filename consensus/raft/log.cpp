#include "consensus/raft/log.hpp"

#include "consensus/types/invariant.hpp"

#include <algorithm>
#include <utility>

namespace quorumd::raft {

entry_log::entry_log(log_index start, term start_term, std::vector<term_run> runs, log_index last)
    : start_(start)
    , start_term_(start_term)
    , runs_(std::move(runs))
    , last_(last) {}

// The run that holds a kept index: the last one that begins at or before it.
std::size_t entry_log::run_of(log_index index) const {
  const auto after = std::upper_bound(runs_.begin(), runs_.end(), index,
                                      [](log_index i, const term_run& run) { return i < run.first; });
  return static_cast<std::size_t>(after - runs_.begin()) - 1;
}

term entry_log::term_at(log_index index) const {
  if (index == start_) return start_term_;
  if (index < start_ || index > last_) return term();
  if (index >= runs_.back().first) return runs_.back().term; // nearly always
  return runs_[run_of(index)].term;
}

log_index entry_log::first_of_term_at(log_index index) const {
  if (index <= start_ || index > last_) return index;
  return runs_[run_of(index)].first;
}

log_index entry_log::last_of_term(term t) const {
  const auto after = std::upper_bound(runs_.begin(), runs_.end(), t,
                                      [](term wanted, const term_run& run) { return wanted < run.term; });
  if (after != runs_.begin() && std::prev(after)->term == t) return after == runs_.end() ? last_ : after->first.prev();
  return t == start_term_ ? start_ : log_index();
}

void entry_log::append(entry e) {
  QUORUMD_INVARIANT(e.index() == last_.next(), "entries are appended without gaps");
  QUORUMD_INVARIANT(e.term() >= last_term(), "terms never fall along the log");
  if (runs_.empty() || runs_.back().term != e.term()) runs_.push_back({e.index(), e.term()});
  last_ = e.index();
  cache_bytes_ += e.encoded().size();
  cache_.push_back(std::move(e));
}

void entry_log::truncate(log_index from) {
  QUORUMD_INVARIANT(from > start_, "a truncation leaves the log's start alone");
  while (last_ >= from && !cache_.empty()) {
    cache_bytes_ -= cache_.back().encoded().size();
    cache_.pop_back();
    last_ = last_.prev();
  }
  last_ = std::min(last_, from.prev());
  while (!runs_.empty() && runs_.back().first > last_) runs_.pop_back();
}

void entry_log::restart(log_index start, term start_term) {
  cache_.clear();
  cache_bytes_ = 0;
  runs_.clear();
  start_ = last_ = start;
  start_term_ = start_term;
}

void entry_log::compact(log_index start) {
  QUORUMD_INVARIANT(start >= start_ && start <= last_, "only kept entries are compacted");
  evict(start, 0);
  start_term_ = term_at(start);
  start_ = start;
  if (start_ == last_) {
    runs_.clear();
    return;
  }
  const std::size_t first = run_of(start_.next());
  runs_.erase(runs_.begin(), runs_.begin() + static_cast<std::ptrdiff_t>(first));
  runs_.front().first = std::max(runs_.front().first, start_.next());
}

const entry* entry_log::cached(log_index index) const {
  const log_index first = cache_first();
  if (index < first || index > last_) return nullptr;
  return &cache_[index - first];
}

void entry_log::evict(log_index upto, std::size_t bytes_max) {
  while (!cache_.empty() && cache_bytes_ > bytes_max && cache_.front().index() <= upto) {
    cache_bytes_ -= cache_.front().encoded().size();
    cache_.pop_front();
  }
}

} // namespace quorumd::raft
