#include "tests/sim/checkers/cluster_checkers.hpp"

#include <algorithm>

namespace quorumd::sim {
namespace {

std::string text(node_id n) {
  return "node " + std::to_string(n.value());
}
std::string text(process_name p) {
  return text(p.node) + " (start " + std::to_string(p.start) + ")";
}
std::string text(log_index i) {
  return std::to_string(i.value());
}
std::string text(term t) {
  return std::to_string(t.value());
}

} // namespace

complaint election_checker::leads(process_name who, term t) {
  const auto [at, fresh] = leaders_.emplace(t, who);
  if (fresh || at->second == who) return {};
  return "term " + text(t) + " has two leaders: " + text(at->second) + " and " + text(who);
}

complaint log_checker::has(process_name who, const log_view& log) {
  known& k = known_[who];
  // What is new: from the end back to where it was the same before.
  if (k.first != log.first) {
    if (k.first < log.first && log.first - k.first <= k.terms.size())
      k.terms.erase(k.terms.begin(), k.terms.begin() + static_cast<std::ptrdiff_t>(log.first - k.first));
    else
      k.terms.clear();
    k.first = log.first;
  }
  const std::uint64_t length = log.last < log.first ? 0 : log.last - log.first + 1;
  std::uint64_t same = std::min<std::uint64_t>(length, k.terms.size());
  while (same != 0 && log.term_at(log.first + (same - 1)) != k.terms[same - 1]) --same;
  if (++k.looks % whole_every == 0)
    for (std::uint64_t i = 0; i < same; ++i)
      if (log.term_at(log.first + i) != k.terms[i]) same = i;
  if (same < k.terms.size()) ++truncated_;
  k.terms.resize(same);
  for (std::uint64_t i = same; i < length; ++i) {
    const log_index index = log.first + i;
    const term t = log.term_at(index);
    const term before = log.term_at(index.prev());
    k.terms.push_back(t);
    if (t < before)
      return text(who) + " has entry " + text(index) + " of term " + text(t) + " after one of " + text(before);
    const auto [at, fresh] = term_before_.emplace(std::pair(index, t), before);
    if (!fresh && at->second != before)
      return "entry " + text(index) + " of term " + text(t) + " follows term " + text(at->second) +
             " in one log and term " + text(before) + " in that of " + text(who);
  }
  return {};
}

complaint committed_log::applied(process_name who, log_index index, committed what) {
  log_index& last = applied_[who];
  if (index != last.next()) return text(who) + " applied entry " + text(index) + " after entry " + text(last);
  last = index;
  const auto [at, fresh] = entries_.emplace(index, what);
  std::uint64_t& payload = at->second.payload;
  if (payload == 0) payload = what.payload;
  if (fresh || (at->second.term == what.term && (payload == what.payload || what.payload == 0))) return {};
  return "entry " + text(index) + " was committed in term " + text(at->second.term) + ", and " + text(who) +
         " applied another one there, of term " + text(what.term);
}

complaint committed_log::leader_has_all(process_name who, term t, const log_view& log) const {
  for (auto e = entries_.rbegin(); e != entries_.rend(); ++e) {
    if (e->second.known_in >= t) continue;
    if (e->first < log.first.prev()) return {}; // below its snapshot: what that holds is the state checker's
    if (e->first > log.last)
      return text(who) + " leads term " + text(t) + " without the committed entry " + text(e->first) + " of term " +
             text(e->second.term);
    if (const term has = log.term_at(e->first); has != e->second.term)
      return text(who) + " leads term " + text(t) + " with entry " + text(e->first) + " of term " + text(has) +
             " where one of term " + text(e->second.term) + " was committed";
    return {}; // what is before it is the log matching's
  }
  return {};
}

complaint state_checker::holds(process_name who, log_index applied, std::uint64_t content_hash) {
  const auto [at, fresh] = states_.emplace(applied, holder{who, content_hash});
  if (fresh) return {};
  ++compared_;
  if (at->second.hash == content_hash) return {};
  return "after entry " + text(applied) + " the states of " + text(at->second.who) + " and " + text(who) + " differ";
}

complaint progress_checker::at(process_name who, progress now) {
  progress& last = last_[who];
  if (now.term < last.term) return text(who) + " went back from term " + text(last.term) + " to " + text(now.term);
  if (now.commit < last.commit)
    return text(who) + " went back from commit " + text(last.commit) + " to " + text(now.commit);
  if (now.applied < last.applied)
    return text(who) + " went back from applied " + text(last.applied) + " to " + text(now.applied);
  if (now.applied > now.commit)
    return text(who) + " applied " + text(now.applied) + " though only " + text(now.commit) + " is committed";
  last = now;
  return {};
}

complaint acknowledgement_checker::committed(std::uint64_t revision, std::uint64_t command) {
  const auto [at, fresh] = commands_.emplace(revision, command);
  if (fresh || at->second == command) return {};
  return "revision " + std::to_string(revision) + " was made twice";
}

complaint acknowledgement_checker::acknowledged(std::uint64_t revision, std::uint64_t command) const {
  const auto found = commands_.find(revision);
  if (found == commands_.end())
    return "a write was acknowledged as revision " + std::to_string(revision) +
           ", which the committed log has not made";
  if (found->second != command)
    return "a write was acknowledged as revision " + std::to_string(revision) + ", which another command made";
  return {};
}

} // namespace quorumd::sim
