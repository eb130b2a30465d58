#include "tests/model/world.hpp"

#include <algorithm>
#include <cstring>
#include <variant>

namespace quorumd::model {
namespace {

std::string number(std::size_t n) {
  return std::to_string(n);
}

// One leader a term, for good.
std::string election_safety(world& w, std::uint8_t n, const summary& before, const summary& now, bool crashed) {
  std::uint8_t& led = w.leader_of(before.term);
  if (crashed && before.leads) led = n | world::dead;
  if (!now.leads) return {};
  std::uint8_t& leads = w.leader_of(now.term);
  if (leads == 0) leads = n;
  if (leads == n) return {};
  return "election safety: term " + number(now.term) + " is won by node " + number(n) + " and was won by node " +
         number(leads & ~world::dead);
}

std::string one_vote_a_term(const step_table& steps, world& w, std::uint8_t n, const std::vector<std::uint32_t>& sent) {
  for (const std::uint32_t id : sent) {
    const raft::test::envelope& e = steps.message(id);
    std::uint64_t t = 0;
    std::uint64_t to = 0;
    if (const auto* r = std::get_if<raft::vote_response>(&e.message); r != nullptr && r->granted && !r->pre_vote) {
      t = r->term.value();
      to = e.to.value();
    } else if (const auto* q = std::get_if<raft::vote_request>(&e.message); q != nullptr && !q->pre_vote) {
      t = q->term.value();
      to = n;
    } else {
      continue;
    }
    std::uint8_t& given = w.votes[t][n - 1U];
    if (given == 0) given = static_cast<std::uint8_t>(to);
    if (given != to)
      return "one vote a term: node " + number(n) + " votes for node " + number(to) + " in term " + number(t) +
             " and voted for node " + number(given);
  }
  return {};
}

// State machine safety: what one node has committed no other has otherwise.
std::string committed_agree(world& w, std::uint8_t n, const summary& now) {
  for (std::uint8_t i = std::max<std::uint8_t>(now.start, 1); i <= now.commit; ++i) {
    if (i > w.committed_last) {
      w.committed_last = i;
      w.committed[i] = now.terms[i];
      w.committed_in[i] = now.term;
    }
    if (w.committed[i] != now.terms[i])
      return "state machine safety: node " + number(n) + " has committed an entry of term " + number(now.terms[i]) +
             " at index " + number(i) + ", where one of term " + number(w.committed[i]) + " was committed";
    w.committed_in[i] = std::min(w.committed_in[i], now.term);
  }
  return {};
}

std::string leader_completeness(const world& w, std::uint8_t n, const summary& s) {
  if (!s.leads) return {};
  for (std::uint8_t i = std::max<std::uint8_t>(s.start, 1); i <= w.committed_last; ++i)
    if (w.committed_in[i] < s.term && (i > s.last || s.terms[i] != w.committed[i]))
      return "leader completeness: node " + number(n) + " leads term " + number(s.term) +
             " without the entry at index " + number(i) + " that was committed in term " + number(w.committed_in[i]);
  return {};
}

std::string log_matching(std::uint8_t a, const summary& x, std::uint8_t b, const summary& y) {
  const std::uint8_t first = std::max(x.start, y.start);
  bool agreed = false;
  for (std::uint8_t i = std::min(x.last, y.last); i >= first && i != 0; --i) {
    const bool same = x.terms[i] == y.terms[i];
    if (agreed && !same)
      return "log matching: nodes " + number(a) + " and " + number(b) + " differ at index " + number(i) +
             " and agree later";
    agreed = agreed || same;
  }
  return {};
}

template <class T>
void put(std::string& to, const T& value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}
template <class T>
void get(std::string_view& from, T& value) {
  std::memcpy(&value, from.data(), sizeof value);
  from.remove_prefix(sizeof value);
}

} // namespace

budget budget_of(const action& a) {
  switch (a.what) {
  case event::deliver:
    return a.again ? budget::duplicates : budget::unlimited;
  case event::propose:
    return budget::entries;
  case event::crash:
    return budget::crashes;
  case event::beat:
    return budget::beats;
  case event::compact:
    return budget::compactions;
  case event::change:
    return budget::changes;
  case event::time_out:
  case event::give_up:
    return budget::timeouts;
  case event::persist:
    return budget::unlimited;
  }
  return budget::unlimited;
}

bool world::has(std::uint32_t message) const {
  return std::binary_search(flying.begin(), flying.end(), message);
}

void world::pack(std::string& into) const {
  into.clear();
  put(into, nodes);
  put(into, left);
  put(into, slow_left);
  put(into, leaders);
  put(into, votes);
  put(into, committed_last);
  into.append(reinterpret_cast<const char*>(&committed[0]) + 1, committed_last);
  into.append(reinterpret_cast<const char*>(&committed_in[0]) + 1, committed_last);
  into.append(reinterpret_cast<const char*>(flying.data()), flying.size() * sizeof flying[0]);
}

world world::unpack(std::string_view bytes) {
  world w;
  get(bytes, w.nodes);
  get(bytes, w.left);
  get(bytes, w.slow_left);
  get(bytes, w.leaders);
  get(bytes, w.votes);
  get(bytes, w.committed_last);
  std::memcpy(&w.committed[0] + 1, bytes.data(), w.committed_last);
  bytes.remove_prefix(w.committed_last);
  std::memcpy(&w.committed_in[0] + 1, bytes.data(), w.committed_last);
  bytes.remove_prefix(w.committed_last);
  w.flying.resize(bytes.size() / sizeof w.flying[0]);
  if (!bytes.empty()) std::memcpy(w.flying.data(), bytes.data(), bytes.size());
  return w;
}

std::string check(const step_table& steps, world& w, std::uint8_t n, const step_table::result& r, std::uint32_t before,
                  const action& a, std::size_t nodes) {
  const summary& now = steps.summary_of(r.after);
  std::string broken = r.broken;
  if (broken.empty()) broken = election_safety(w, n, steps.summary_of(before), now, a.what == event::crash);
  if (broken.empty()) broken = one_vote_a_term(steps, w, n, r.sent);
  if (broken.empty()) broken = committed_agree(w, n, now);
  for (std::uint8_t other = 1; other <= nodes && broken.empty(); ++other) {
    const summary& s = steps.summary_of(w.node(other));
    broken = leader_completeness(w, other, s);
    if (broken.empty() && other != n) broken = log_matching(n, now, other, s);
  }
  return broken;
}

} // namespace quorumd::model
