#include "tests/model/explore.hpp"

#include "consensus/types/invariant.hpp"
#include "tests/model/trace.hpp"
#include "tests/model/words.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

namespace quorumd::model {
namespace {

constexpr std::uint64_t progress_every = 1'000'000;

configuration voters_of(const std::vector<std::uint64_t>& ids, std::size_t nodes) {
  return ids.empty() ? raft::test::voters(nodes) : raft::test::these(ids);
}

raft::options options_for(std::uint64_t n, raft::mutant m) {
  raft::options o = raft::test::options_of(n);
  o.mutant = m;
  return o;
}

bool contains(const std::vector<std::uint32_t>& all, std::uint32_t one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

} // namespace

explorer::explorer(bounds b)
    : bounds_(std::move(b))
    , steps_({.target = bounds_.target.empty() ? configuration() : raft::test::these(bounds_.target),
              .pre_votes = bounds_.pre_votes,
              .compare = bounds_.compare}) {
  QUORUMD_INVARIANT(bounds_.nodes <= nodes_max && bounds_.terms <= terms_max, "a world has room for so many");
}

world explorer::first_world() {
  world w;
  const configuration first = voters_of(bounds_.voters, bounds_.nodes);
  for (std::uint8_t n = 1; n <= bounds_.nodes; ++n)
    w.node(n) = steps_.add(std::make_unique<local>(options_for(n, bounds_.mutant), first));
  const auto allow = [&w](budget b, std::uint8_t n) { w.left[static_cast<std::size_t>(b)] = n; };
  allow(budget::timeouts, bounds_.timeouts);
  allow(budget::entries, bounds_.entries);
  allow(budget::crashes, bounds_.crashes);
  allow(budget::duplicates, bounds_.duplicates.value_or(0));
  allow(budget::beats, bounds_.beats);
  allow(budget::compactions, bounds_.compactions);
  allow(budget::changes, bounds_.target.empty() ? 0 : 1);
  w.slow_left = bounds_.slow_disks;
  return w;
}

void explorer::node_actions(const world& w, std::uint8_t n, std::vector<action>& actions) {
  const local& s = steps_.state(w.node(n));
  const summary& sum = steps_.summary_of(w.node(n));
  for (const event e : {event::time_out, event::give_up, event::beat, event::propose, event::change, event::persist,
                        event::crash, event::compact}) {
    const action a{.what = e, .node = n};
    const budget b = budget_of(a);
    if (b != budget::unlimited && w.left[static_cast<std::size_t>(b)] == 0) continue;
    if ((e == event::time_out || e == event::give_up) && sum.term >= bounds_.terms) continue;
    if (s.enabled(e)) actions.push_back(a);
  }
  for (const std::uint32_t m : w.flying) {
    if (steps_.receiver(m) != n) continue;
    actions.push_back({.what = event::deliver, .node = n, .message = m});
    if (w.left[static_cast<std::size_t>(budget::duplicates)] != 0)
      actions.push_back({.what = event::deliver, .node = n, .again = true, .message = m});
  }
}

void explorer::actions_of(const world& w, std::vector<action>& actions) {
  actions.clear();
  for (std::uint8_t n = 1; n <= bounds_.nodes; ++n) {
    const std::size_t first = actions.size();
    node_actions(w, n, actions);
    // A disk falls behind with the first write that is not durable at once.
    if (w.slow_left == 0 || steps_.summary_of(w.node(n)).writing) continue;
    for (std::size_t i = first, end = actions.size(); i < end; ++i) {
      action slow = actions[i];
      slow.slow = true;
      if (steps_.summary_of(steps_.step(w.node(n), slow).after).writing) actions.push_back(slow);
    }
  }
}

bool explorer::adds_nothing(const world& w, const action& a, const step_table::result& r) const {
  if (r.after != w.node(a.node)) return false;
  return std::all_of(r.sent.begin(), r.sent.end(), [&](std::uint32_t m) { return w.has(m) || idle(w, m); });
}

// The bug that counts such answers must see them.
bool explorer::idle(const world& w, std::uint32_t message) const {
  if (bounds_.mutant == raft::mutant::count_older_answers) return false;
  return steps_.idle_after(message) != 0 &&
         steps_.idle_after(message) < steps_.summary_of(w.node(steps_.receiver(message))).durable_term;
}

void explorer::move(world& next, const action& a, const step_table::result& r) const {
  const budget b = budget_of(a);
  if (b != budget::unlimited && next.left[static_cast<std::size_t>(b)] != any_number)
    --next.left[static_cast<std::size_t>(b)];
  if (a.slow && next.slow_left != any_number) --next.slow_left;
  next.node(a.node) = r.after;
  if (a.what == event::deliver && !a.again && bounds_.duplicates) std::erase(next.flying, a.message);
  next.flying.insert(next.flying.end(), r.sent.begin(), r.sent.end());
  std::sort(next.flying.begin(), next.flying.end());
  next.flying.erase(std::unique(next.flying.begin(), next.flying.end()), next.flying.end());
  std::erase_if(next.flying, [&](std::uint32_t m) { return idle(next, m); });
}

// Of different nodes, both possible in w. Whether either order leads to the same world.
bool explorer::commute(const world& w, const action& a, const action& b) {
  if (a.node == b.node) return false;
  if (budget_of(a) != budget::unlimited && budget_of(a) == budget_of(b)) return false;
  if (a.slow && b.slow) return false;
  if (!bounds_.duplicates) return true;
  const auto sends = [&](const action& by, const action& delivery) {
    if (delivery.what != event::deliver) return false;
    const auto& sent = steps_.step(w.node(by.node), by).sent;
    return std::binary_search(sent.begin(), sent.end(), delivery.message);
  };
  return !sends(a, b) && !sends(b, a);
}

// Makes next_ the world after the step; false if there is nothing new to see there.
bool explorer::try_action(std::uint32_t state, const world& w, const action& a) {
  current_ = state;
  current_action_ = a;
  const step_table::result& r = steps_.step(w.node(a.node), a);
  if (r.broken.empty() && adds_nothing(w, a, r)) return false;
  if (steps_.summary_of(r.after).term > bounds_.terms) return false;
  ++transitions_;
  next_ = w;
  move(next_, a, r);
  broken_ = check(steps_, next_, a.node, r, w.node(a.node), a, bounds_.nodes);
  return true;
}

void explorer::expand(std::uint32_t state, const world& w, const codes* only) {
  std::vector<action> actions;
  actions_of(w, actions);
  codes asleep = asleep_at(state);
  for (const action& a : actions) {
    if (only != nullptr ? !contains(*only, a.code()) : contains(asleep, a.code())) continue;
    if (only == nullptr && state == 0 && bounds_.target.empty() && !bounds_.pre_votes && a.node != 1) continue;
    if (!try_action(state, w, a)) continue;
    if (!broken_.empty()) {
      path_ = path_to(state, a, false);
      return;
    }
    sleeping_.clear();
    if (bounds_.reduce)
      for (const std::uint32_t code : asleep)
        if (commute(w, action::of(code), a)) sleeping_.push_back(code);
    arrive(state, a);
    if (states_.size() >= bounds_.states_max) return;
    asleep.push_back(a.code());
  }
}

void explorer::arrive(std::uint32_t from, const action& a) {
  next_.pack(packed_);
  const XXH128_hash_t hash = XXH3_128bits(packed_.data(), packed_.size());
  const auto [at, fresh] =
      ids_.try_emplace(digest{hash.high64, hash.low64}, static_cast<std::uint32_t>(states_.size()));
  if (fresh)
    add(from, a);
  else
    wake(at->second);
}

void explorer::add(std::uint32_t from, const action& a) {
  states_.push_back({.parent = from,
                     .by = a.code(),
                     .asleep_from = static_cast<std::uint32_t>(asleep_.size()),
                     .asleep = static_cast<std::uint16_t>(sleeping_.size()),
                     .depth = static_cast<std::uint16_t>(states_.empty() ? 0 : states_[from].depth + 1)});
  asleep_.insert(asleep_.end(), sleeping_.begin(), sleeping_.end());
  ahead_.push_back(packed_);
  together_.insert(XXH3_64bits(packed_.data(), packed_.size() - next_.flying.size() * sizeof next_.flying[0]));
}

explorer::codes explorer::asleep_at(std::uint32_t state) const {
  const auto from = asleep_.begin() + states_[state].asleep_from;
  return {from, from + states_[state].asleep};
}

// The state is met again: only what sleeps on both ways to it still does.
void explorer::wake(std::uint32_t state) {
  visited& v = states_[state];
  codes awake;
  std::uint16_t kept = 0;
  for (std::uint16_t i = 0; i < v.asleep; ++i) {
    const std::uint32_t code = asleep_[v.asleep_from + i];
    if (contains(sleeping_, code))
      asleep_[v.asleep_from + kept++] = code;
    else
      awake.push_back(code);
  }
  v.asleep = kept;
  if (!awake.empty() && state <= expanded_) again_.push_back({state, packed_, std::move(awake)});
}

outcome explorer::go(const std::function<void(const outcome&)>& progress) {
  next_ = first_world();
  arrive(0, {});
  for (; !ahead_.empty(); ++expanded_) {
    const world w = world::unpack(ahead_.front());
    ahead_.pop_front();
    expand(expanded_, w, nullptr);
    while (!again_.empty() && broken_.empty() && states_.size() < bounds_.states_max) {
      const second_look look = std::move(again_.front());
      again_.pop_front();
      expand(look.state, world::unpack(look.packed), &look.awake);
    }
    if (!broken_.empty() || states_.size() >= bounds_.states_max) return result(false);
    if (progress && expanded_ % progress_every == progress_every - 1) progress(result(false));
  }
  return result(true);
}

outcome explorer::result(bool exhausted) const {
  return {.states = states_.size(),
          .transitions = transitions_,
          .together = together_.size(),
          .depth = states_.back().depth,
          .node_states = steps_.states(),
          .node_steps = steps_.steps(),
          .exhausted = exhausted,
          .broken = broken_,
          .path = path_};
}

std::vector<std::string> explorer::path_to_current() {
  return path_to(current_, current_action_, true);
}

// Each step in words, what it made of the node, and what that sent.
std::vector<std::string> explorer::path_to(std::uint32_t state, const action& last, bool last_ends) {
  std::vector<action> actions{last};
  for (; state != 0; state = states_[state].parent) actions.push_back(action::of(states_[state].by));
  std::reverse(actions.begin(), actions.end());
  std::vector<std::string> lines;
  world w = first_world();
  for (const action& a : actions) {
    std::string line = std::to_string(lines.size() + 1) + ". " + text_of(steps_, a);
    if (last_ends && lines.size() + 1 == actions.size()) {
      lines.push_back(line + ": a broken invariant of the core ends it");
      break;
    }
    const step_table::result& r = steps_.step(w.node(a.node), a);
    line += "\n     now: " + text_of(observe(steps_.state(r.after).core()));
    if (const std::size_t writes = steps_.state(r.after).writes(); writes != 0)
      line += ", writes under way: " + std::to_string(writes);
    for (const std::uint32_t m : r.sent) line += "\n     sends " + raft::test::text_of(steps_.message(m));
    lines.push_back(std::move(line));
    move(w, a, r);
  }
  return lines;
}

} // namespace quorumd::model
