#include "consensus/raft/core.hpp"
#include "consensus/raft/quorum.hpp"

#include <algorithm>

namespace quorumd::raft {
namespace {

std::string number(log_index i) {
  return std::to_string(i.value());
}
std::string number(term t) {
  return std::to_string(t.value());
}

std::optional<std::string> validate_configurations(const initial_state& s) {
  log_index before = s.start.index;
  for (const entry& e : s.configurations) {
    if (e.index() <= before || e.index() > s.last)
      return "the change of members at index " + number(e.index()) + " is not one of the log's";
    if (e.kind() != entry_kind::members || !decode_configuration(e.payload()))
      return "the change of members at index " + number(e.index()) + " cannot be read";
    before = e.index();
  }
  return std::nullopt;
}

std::optional<std::string> validate_runs(const initial_state& s) {
  if (s.runs.empty()) {
    if (s.last != s.start.index) return "the log ends at index " + number(s.last) + ", but no terms are known for it";
    return std::nullopt;
  }
  if (s.runs.front().first != s.start.index.next())
    return "the log's first entry is index " + number(s.runs.front().first) + ", but its start is index " +
           number(s.start.index);
  term before = s.start.term;
  log_index first_before;
  for (const term_run& run : s.runs) {
    const bool first = !first_before;
    if (run.term < before || (!first && run.term == before))
      return "the log's term falls from " + number(before) + " to " + number(run.term) + " at index " +
             number(run.first);
    if (run.first <= first_before) return "the log's terms are out of order at index " + number(run.first);
    before = run.term;
    first_before = run.first;
  }
  if (first_before > s.last)
    return "the log ends at index " + number(s.last) + ", before its last term begins at " + number(first_before);
  return std::nullopt;
}

} // namespace

std::optional<std::string> validate(const initial_state& s) {
  if (auto error = validate(s.start.members)) return error;
  if (s.last < s.start.index)
    return "the log ends at index " + number(s.last) + ", before its start at index " + number(s.start.index);
  if (auto error = validate_runs(s)) return error;
  if (auto error = validate_configurations(s)) return error;
  const term last_term = s.runs.empty() ? s.start.term : s.runs.back().term;
  if (s.hard.term < last_term)
    return "the stored term is " + number(s.hard.term) + ", but the log holds an entry of term " + number(last_term);
  if (s.commit > s.last)
    return "index " + number(s.commit) + " is known to be committed, but the log ends at index " + number(s.last) +
           ": acknowledged entries are missing from this log";
  if (s.applied > s.last)
    return "the state machine holds index " + number(s.applied) + ", but the log ends at index " + number(s.last) +
           ": acknowledged entries are missing from this log";
  if (s.commit < s.start.index || s.applied < s.start.index)
    return "the log starts after index " + number(s.start.index) + ", but only index " +
           number(std::min(s.commit, s.applied)) + " is committed and applied";
  return std::nullopt;
}

} // namespace quorumd::raft
