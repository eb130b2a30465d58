#pragma once

#include "consensus/raft/log.hpp"
#include "consensus/raft/ready.hpp"
#include "consensus/types/entry.hpp"
#include "consensus/types/ids.hpp"

#include <cstdint>
#include <vector>

namespace quorumd::raft {

/// Entries that one consumer (the applier, or the appends to one follower) reads back from the durable log: at most
/// one request at a time.
class load_slot {
 public:
  [[nodiscard]] bool waiting() const { return ticket_ != 0; }
  [[nodiscard]] std::uint64_t ticket() const { return ticket_; }

  /// Asks for the entries under the ticket; not while waiting.
  [[nodiscard]] load_request request(std::uint64_t ticket, log_index first, log_index last, std::size_t bytes_max) {
    ticket_ = ticket;
    entries_.clear();
    first_ = first;
    return {.ticket = ticket, .first = first, .last = last, .bytes_max = bytes_max};
  }

  /// Takes the answer to the request: those of its leading entries that the log still holds so.
  void fill(std::vector<entry> entries, const entry_log& log) {
    ticket_ = 0;
    std::size_t good = 0;
    while (good < entries.size() && entries[good].index() == first_ + good &&
           log.term_at(entries[good].index()) == entries[good].term())
      ++good;
    entries.resize(good);
    entries_ = std::move(entries);
  }

  /// The entry, if it was loaded and not let go yet.
  [[nodiscard]] const entry* find(log_index index) const {
    if (index < first_ || index - first_ >= entries_.size()) return nullptr;
    return &entries_[index - first_];
  }

  /// Lets go of what was loaded if everything before `next` was used and that was all of it.
  void used(log_index next) {
    if (!entries_.empty() && next >= first_ + entries_.size()) entries_.clear();
  }

  /// Forgets the request too: its answer will be ignored.
  void reset() {
    ticket_ = 0;
    entries_.clear();
  }

 private:
  std::uint64_t ticket_ = 0;
  log_index first_;
  std::vector<entry> entries_;
};

} // namespace quorumd::raft
