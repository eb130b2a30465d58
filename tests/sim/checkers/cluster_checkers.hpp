#pragma once

#include "consensus/types/ids.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace quorumd::sim {

/// What went wrong, in a sentence; empty: nothing.
using complaint = std::string;

/// One start of one node: what must hold for a process, not for its disk.
struct process_name {
  node_id node;
  std::uint64_t start = 0;

  friend auto operator<=>(const process_name&, const process_name&) = default;
};

/// Election safety (paper §5.2): at most one leader in a term. A node that leads a term, forgets it in a crash and
/// leads it again counts as two.
class election_checker {
 public:
  [[nodiscard]] complaint leads(process_name who, term t);
  [[nodiscard]] std::uint64_t terms() const { return leaders_.size(); }

 private:
  std::map<term, process_name> leaders_;
};

/// What one node says of its log.
struct log_view {
  log_index first; ///< of the kept entries
  log_index last;
  std::function<term(log_index)> term_at; ///< from the entry before the first on
};

/// Log matching (paper §5.3): two logs that agree in an entry's index and term agree in all before it. Leader
/// completeness (§5.4): a leader has every entry that was committed in an earlier term.
class log_checker {
 public:
  /// Looks at what changed at the log's end, and at all of it every so many times.
  [[nodiscard]] complaint has(process_name who, const log_view& log);
  void forget(process_name who) { known_.erase(who); }
  /// Entries that a node had and then had no longer, though not by a snapshot.
  [[nodiscard]] std::uint64_t suffixes_truncated() const { return truncated_; }

  static constexpr std::uint64_t whole_every = 32;

 private:
  struct known {
    log_index first;
    std::vector<term> terms; // of first, first+1, ...
    std::uint64_t looks = 0;
  };
  std::map<process_name, known> known_;
  std::map<std::pair<log_index, term>, term> term_before_;
  std::uint64_t truncated_ = 0;
};

/// The one committed log, gathered from what every node applied: entries never change, and every node applies them
/// in order.
class committed_log {
 public:
  struct committed {
    quorumd::term term;
    std::uint64_t payload = 0; ///< a hash; 0: withheld from whoever applied it
    quorumd::term known_in;    ///< the term of whoever applied it first: it was committed in that one or before
  };
  /// The process applied the entry after its last one (or after its snapshot).
  [[nodiscard]] complaint applied(process_name who, log_index index, committed what);
  /// The process starts or goes on after the index, from a snapshot.
  void starts_after(process_name who, log_index index) { applied_[who] = index; }
  /// A new leader of the term must have every entry that was committed in earlier terms (of whatever term the entry
  /// itself is: a leader that is told late that it won an old term need not have what was committed since).
  [[nodiscard]] complaint leader_has_all(process_name who, term t, const log_view& log) const;
  [[nodiscard]] const std::map<log_index, committed>& entries() const { return entries_; }
  [[nodiscard]] log_index last() const { return entries_.empty() ? log_index{} : entries_.rbegin()->first; }

 private:
  std::map<log_index, committed> entries_;
  std::map<process_name, log_index> applied_;
};

/// State machine safety: equal state at equal applied index.
class state_checker {
 public:
  [[nodiscard]] complaint holds(process_name who, log_index applied, std::uint64_t content_hash);
  [[nodiscard]] std::uint64_t compared() const { return compared_; }

 private:
  struct holder {
    process_name who;
    std::uint64_t hash;
  };
  std::map<log_index, holder> states_;
  std::uint64_t compared_ = 0;
};

/// Terms, commit and applied indexes never go back while a process lives; a restarted node is not behind the term
/// that it had made durable.
class progress_checker {
 public:
  struct progress {
    quorumd::term term;
    log_index commit;
    log_index applied;
  };
  [[nodiscard]] complaint at(process_name who, progress now);

 private:
  std::map<process_name, progress> last_;
};

/// A write that was acknowledged is in the committed log, as the revision that its answer named.
class acknowledgement_checker {
 public:
  /// The committed log made that revision by the command with that hash.
  [[nodiscard]] complaint committed(std::uint64_t revision, std::uint64_t command);
  /// A client was told that its command made that revision.
  [[nodiscard]] complaint acknowledged(std::uint64_t revision, std::uint64_t command) const;
  /// By revision.
  [[nodiscard]] const std::map<std::uint64_t, std::uint64_t>& commands() const { return commands_; }

 private:
  std::map<std::uint64_t, std::uint64_t> commands_;
};

} // namespace quorumd::sim
