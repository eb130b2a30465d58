#pragma once

#include "consensus/types/ids.hpp"

#include <array>
#include <bit>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

/// Raft as figure 2 of the paper says it, with the thesis' joint consensus (§4.3) and snapshots (§5), and nothing of
/// how the core does it: no messages, timers, windows or pre-votes. What a server may do is decided by what the servers
/// hold and have held.
namespace quorumd::model {

/// Bit n is node n.
using node_set = std::uint64_t;

/// Who the members are: a joint configuration has `outgoing` voters.
struct members {
  node_set voters = 0;
  node_set outgoing = 0;
  node_set learners = 0;

  /// Whether these are a majority of the voters, and of the outgoing ones too if there are any.
  [[nodiscard]] bool quorum(node_set of) const;
  friend bool operator==(const members&, const members&) = default;
};

/// What an entry is to Raft: the term that made it, and who the members are from it on.
struct slot {
  quorumd::term term;
  members who;

  friend bool operator==(const slot&, const slot&) = default;
};

/// A log whose beginning may be gone: `base` stands for everything up to `start`.
struct log {
  log_index start;
  slot base;
  std::vector<slot> kept;

  [[nodiscard]] log_index last() const { return start + kept.size(); }
  /// From the start to the last.
  [[nodiscard]] const slot& at(log_index i) const { return i == start ? base : kept[i - start - 1]; }
  [[nodiscard]] const slot& newest() const { return kept.empty() ? base : kept.back(); }
  /// The index of the entry since which the newest members are in force.
  [[nodiscard]] log_index newest_members_at() const;
  void cut(log_index from) { kept.resize(from - start - 1); }
  void forget(log_index upto);

  friend bool operator==(const log&, const log&) = default;
};

/// Up to where both logs hold the same, as far back as both are kept; 0 if they do not meet.
[[nodiscard]] log_index agreement(const log& a, const log& b);

enum class part : std::uint8_t { follower, candidate, leader };

/// What figure 2 calls persistent.
struct persistent {
  quorumd::term term;
  node_id vote;
  model::log log;
};

struct server : persistent {
  model::part part = model::part::follower;
  log_index commit;
  std::deque<persistent> writes; ///< handed to the disk, which may lose them
  persistent disk;
};

/// Why something may not be: the rule in words, or empty.
using refusal = std::string;

/// All servers, and what is remembered of each term. Each transition is carried out if its rule allows it, and else
/// leaves all as it was.
class cluster {
 public:
  cluster(std::size_t nodes, const members& first);

  [[nodiscard]] const server& at(node_id s) const { return servers_[s.value()]; }
  [[nodiscard]] std::size_t size() const { return servers_.size() - 1; }

  // --- rules for all servers
  /// It hears of a term that somebody has reached.
  [[nodiscard]] refusal learn_term(node_id s, term t);
  /// Gives up standing or leading.
  [[nodiscard]] refusal step_down(node_id s);
  /// Forgets committed entries, which a snapshot holds.
  [[nodiscard]] refusal compact(node_id s, log_index upto);

  // --- elections
  [[nodiscard]] refusal time_out(node_id s);
  [[nodiscard]] refusal grant(node_id s, node_id candidate);
  [[nodiscard]] refusal win(node_id s);

  // --- a leader's log and the followers'
  [[nodiscard]] refusal append(node_id s, const slot& entry);
  /// The follower's whole log becomes `next`.
  [[nodiscard]] refusal accept(node_id s, const log& next);
  [[nodiscard]] refusal install(node_id s, log_index start, const slot& base);
  /// Commits as much as is allowed up to `wanted`; refused if that is nothing.
  [[nodiscard]] refusal commit(node_id s, log_index wanted);

  // --- the disk
  void hand_to_disk(node_id s);
  /// The oldest write is durable.
  [[nodiscard]] refusal flush(node_id s);
  /// Loses what was not; knows as committed what it says, which is no more than it knew.
  [[nodiscard]] refusal restart(node_id s, log_index known);

  // --- what a server says is true: the rules for messages that leave it
  [[nodiscard]] refusal says_candidate(node_id s, term t, log_index last, term last_term) const;
  [[nodiscard]] refusal says_granted(node_id s, term t, node_id to) const;
  [[nodiscard]] refusal says_match(node_id s, term t, log_index match);
  /// Entries of these terms follow (prev, prev_term); 0 of them is a probe.
  [[nodiscard]] refusal says_entries(node_id s, term t, std::pair<log_index, term> prev, const std::vector<term>& terms,
                                     log_index commit) const;
  /// A heartbeat: `to` has matched what it is told to be committed.
  [[nodiscard]] refusal says_committed(node_id s, term t, node_id to, log_index commit);

 private:
  struct candidacy {
    log_index last;
    quorumd::term last_term;
  };
  /// A term's leader. Its log only grows, also in the eyes of those to whom it has fallen since.
  struct reign {
    node_id leader;
    model::log log;
    log_index first; ///< its first own entry
    log_index commit;
  };
  struct era {
    std::map<node_id, candidacy> candidates;
    std::map<node_id, node_id> votes;          ///< that are durable, by voter
    std::map<node_id, log_index> acknowledged; ///< durable and as the leader's, while the server was in the term
    reign led;                                 ///< by 0: nobody yet
  };

  [[nodiscard]] server& mut(node_id s) { return servers_[s.value()]; }
  [[nodiscard]] const era* known(term t) const;
  [[nodiscard]] log_index acknowledged(node_id s, term t);
  void note_acknowledged(node_id s);
  [[nodiscard]] std::vector<log_index> acknowledged_by_all(term t);
  [[nodiscard]] refusal members_rule(const server& leader, const era& e, const members& next) const;
  [[nodiscard]] refusal commit_as_leader(server& leader, log_index wanted);
  [[nodiscard]] refusal commit_as_follower(server& follower, log_index wanted);

  std::vector<server> servers_; ///< by id; the first is nobody
  std::map<term, era> eras_;
  term highest_;
};

} // namespace quorumd::model
