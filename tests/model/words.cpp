#include "tests/model/words.hpp"

#include <array>
#include <utility>

namespace quorumd::raft::test {
namespace {

constexpr std::array<std::pair<std::string_view, mutant>, 22> mutants{{
    {"none", mutant::none},
    {"ack-before-sync", mutant::ack_before_sync},
    {"vote-request-before-sync", mutant::vote_request_before_sync},
    {"two-votes-a-term", mutant::two_votes_a_term},
    {"commit-old-term", mutant::commit_old_term},
    {"skip-conflict-check", mutant::skip_conflict_check},
    {"read-without-round", mutant::read_without_round},
    {"echo-old-round", mutant::echo_old_round},
    {"change-in-one-step", mutant::change_in_one_step},
    {"change-while-pending", mutant::change_while_pending},
    {"keep-truncated-members", mutant::keep_truncated_members},
    {"keep-replaced-progress", mutant::keep_replaced_progress},
    {"no-check-quorum", mutant::no_check_quorum},
    {"count-older-answers", mutant::count_older_answers},
    {"vote-without-log", mutant::vote_without_log},
    {"commit-beyond-match", mutant::commit_beyond_match},
    {"truncate-always", mutant::truncate_always},
    {"install-over-conflict", mutant::install_over_conflict},
    {"count-learners", mutant::count_learners},
    {"new-majority-alone", mutant::new_majority_alone},
    {"vote-before-joined", mutant::vote_before_joined},
    {"read-before-commit", mutant::read_before_commit},
}};

template <class Tag>
std::string number(strong_u64<Tag> n) {
  return std::to_string(n.value());
}

std::string place(log_index i, term t) {
  return number(i) + " (term " + number(t) + ")";
}

struct words {
  std::string operator()(const vote_request& m) const {
    return std::string(m.pre_vote ? "pre-vote request" : "vote request") + ", term " + number(m.term) + ", log up to " +
           place(m.last_index, m.last_term);
  }
  std::string operator()(const vote_response& m) const {
    return std::string(m.pre_vote ? "pre-vote " : "vote ") + (m.granted ? "granted" : "refused") + ", term " +
           number(m.term);
  }
  std::string operator()(const append_request& m) const {
    std::string s = "append of";
    for (const entry& e : m.entries) s += " " + number(e.term()) + (e.kind() == entry_kind::members ? "*" : "");
    if (m.entries.empty()) s += " nothing";
    return s + " after " + place(m.prev_index, m.prev_term) + ", term " + number(m.term) + ", commit " +
           number(m.commit);
  }
  std::string operator()(const append_response& m) const {
    const std::string what = m.accepted ? "append accepted up to " + number(m.match)
                                        : "append refused after " + number(m.rejected) + ", hint " +
                                              place(m.conflict_index, m.conflict_term);
    return what + ", term " + number(m.term);
  }
  std::string operator()(const heartbeat& m) const {
    return "heartbeat, term " + number(m.term) + ", commit " + number(m.commit);
  }
  std::string operator()(const heartbeat_response& m) const { return "heartbeat answer, term " + number(m.term); }
  std::string operator()(const install_snapshot& m) const {
    return "snapshot up to " + place(m.mark.index, m.mark.term) + ", term " + number(m.term);
  }
  std::string operator()(const timeout_now& m) const { return "call to campaign, term " + number(m.term); }
  std::string operator()(const read_index_request& m) const { return "read request, term " + number(m.term); }
  std::string operator()(const read_index_response& m) const { return "read answer, term " + number(m.term); }
};

} // namespace

std::string text_of(const message& m) {
  return std::visit(words{}, m);
}

std::string text_of(const envelope& e) {
  return text_of(e.message) + ", from node " + number(e.from) + " to node " + number(e.to);
}

std::optional<mutant> mutant_named(std::string_view name) {
  for (const auto& [known, m] : mutants)
    if (known == name) return m;
  return std::nullopt;
}

std::string_view name_of(mutant m) {
  for (const auto& [name, known] : mutants)
    if (known == m) return name;
  return "unknown";
}

} // namespace quorumd::raft::test
