#pragma once

#include "consensus/raft/ring.hpp"
#include "consensus/types/configuration.hpp"
#include "consensus/types/entry.hpp"
#include "consensus/types/ids.hpp"

#include <cstddef>
#include <vector>

namespace quorumd::raft {

/// The log as the core knows it: the term of every kept index as runs, and the entries themselves only for a suffix
/// of it, the cache. Says nothing about what is durable (write_tracker) or committed (the core).
class entry_log {
 public:
  /// A log that follows (start, start_term) and ends with `last`; the cache is empty.
  entry_log(log_index start, term start_term, std::vector<term_run> runs, log_index last);

  /// What the first kept entry follows.
  [[nodiscard]] log_index start_index() const { return start_; }
  [[nodiscard]] term start_term() const { return start_term_; }
  [[nodiscard]] log_index first_index() const { return start_.next(); }
  [[nodiscard]] log_index last_index() const { return last_; }
  [[nodiscard]] term last_term() const { return runs_.empty() ? start_term_ : runs_.back().term; }
  /// The term of an index from start_index() to last_index(); 0 outside.
  [[nodiscard]] term term_at(log_index index) const;
  /// The first kept index that has the term of the given kept index.
  [[nodiscard]] log_index first_of_term_at(log_index index) const;
  /// The last index from start_index() on that has the term; 0 for none.
  [[nodiscard]] log_index last_of_term(term t) const;

  /// Adds the entry that follows the last one; its term is not below the last one's.
  void append(entry e);
  /// Removes the entries from `from` on.
  void truncate(log_index from);
  /// Removes everything: the log starts anew after the mark.
  void restart(log_index start, term start_term);
  /// Forgets the entries up to `start`, which is kept or the start; it becomes the start.
  void compact(log_index start);

  /// The entry, if it is in the cache.
  [[nodiscard]] const entry* cached(log_index index) const;
  /// The first index from which on everything is in the cache; last_index() + 1 if nothing is.
  [[nodiscard]] log_index cache_first() const { return last_.next() - cache_.size(); }
  [[nodiscard]] std::size_t cache_bytes() const { return cache_bytes_; }
  /// Drops the oldest entries up to `upto` from the cache until it holds at most that many bytes.
  void evict(log_index upto, std::size_t bytes_max);

 private:
  [[nodiscard]] std::size_t run_of(log_index index) const;

  log_index start_;
  term start_term_;
  std::vector<term_run> runs_; // of first_index() to last_index()
  log_index last_;
  ring<entry> cache_; // of cache_first() to last_index()
  std::size_t cache_bytes_ = 0;
};

} // namespace quorumd::raft
