#include "tests/model/steps.hpp"

#include "consensus/types/invariant.hpp"
#include "tests/model/key.hpp"
#include "tests/model/words.hpp"

#include <algorithm>
#include <set>
#include <utility>
#include <variant>

namespace quorumd::model {
namespace {

std::uint8_t idle_after_of(const raft::message& m) {
  const auto small = [](term t) { return static_cast<std::uint8_t>(t.value()); };
  if (const auto* v = std::get_if<raft::vote_response>(&m)) return small(v->term);
  if (const auto* a = std::get_if<raft::append_response>(&m)) return small(a->term);
  if (const auto* h = std::get_if<raft::heartbeat_response>(&m)) return small(h->term);
  if (const auto* t = std::get_if<raft::timeout_now>(&m)) return small(t->term);
  return 0;
}

// What the node is afterwards and what it sends, in no order.
std::set<std::string> outcome_of(const local& node, const local::question& q) {
  local after(node);
  std::vector<raft::test::envelope> sent;
  std::set<std::string> all{after.step(q, sent)};
  for (const raft::test::envelope& e : sent) {
    key k;
    k.add(e.to);
    k.add(e.message);
    all.insert(std::move(k.bytes()));
  }
  all.insert(after.describe());
  return all;
}

} // namespace

std::uint32_t step_table::add(std::unique_ptr<local> state) {
  const auto [at, fresh] = state_ids_.try_emplace(state->describe(), static_cast<std::uint32_t>(states_.size()));
  if (fresh) {
    const summary sum = state->sum_up();
    states_.push_back({std::move(state), sum, nullptr, {}});
  } else if (settings_.compare) {
    add_twin(at->second, std::move(state));
  }
  return at->second;
}

std::uint32_t step_table::add(raft::test::envelope e) {
  key k;
  k.add(e.from);
  k.add(e.to);
  k.add(e.message);
  const auto [at, fresh] = message_ids_.try_emplace(k.bytes(), static_cast<std::uint32_t>(messages_.size()));
  if (fresh) {
    QUORUMD_INVARIANT(messages_.size() < std::size_t{1} << 23, "an action has room for the number of a message");
    const std::uint8_t idle_after = idle_after_of(e.message);
    const auto to = static_cast<std::uint8_t>(e.to.value());
    messages_.push_back({std::move(e), to, idle_after});
  }
  return at->second;
}

local::question step_table::question_of(const action& a) const {
  return {.what = a.what,
          .slow = a.slow,
          .arrived = a.what == event::deliver ? &messages_[a.message].what : nullptr,
          .target = &settings_.target,
          .pre_votes = settings_.pre_votes};
}

// Another node in the state takes the steps that the first one has taken, and from now on every step that it takes.
void step_table::add_twin(std::uint32_t state, std::unique_ptr<local> other) {
  known_state& known = states_[state];
  if (known.twin != nullptr) return;
  known.twin = std::move(other);
  for (const std::uint32_t code : known.taken) compare(known, action::of(code));
}

void step_table::compare(const known_state& known, const action& a) {
  if (!difference_.empty() || outcome_of(*known.state, question_of(a)) == outcome_of(*known.twin, question_of(a)))
    return;
  difference_ = "two nodes in the same state do different things: " + text_of(*this, a);
}

const step_table::result& step_table::step(std::uint32_t state, const action& a) {
  action once = a; // that another copy stays under way does not matter to the node
  once.again = false;
  const std::uint64_t id = std::uint64_t{state} << 32 | once.code();
  if (const auto known = result_ids_.find(id); known != result_ids_.end()) return results_[known->second];
  auto next = std::make_unique<local>(this->state(state));
  std::vector<raft::test::envelope> sent;
  result r;
  r.broken = next->step(question_of(a), sent);
  for (raft::test::envelope& e : sent) r.sent.push_back(add(std::move(e)));
  std::sort(r.sent.begin(), r.sent.end());
  r.sent.erase(std::unique(r.sent.begin(), r.sent.end()), r.sent.end());
  r.after = add(std::move(next));
  if (settings_.compare) {
    known_state& known = states_[state];
    known.taken.push_back(once.code());
    if (known.twin != nullptr) compare(known, once);
    r.broken += difference_;
  }
  result_ids_.emplace(id, static_cast<std::uint32_t>(results_.size()));
  results_.push_back(std::move(r));
  return results_.back();
}

std::string text_of(const step_table& steps, const action& a) {
  const std::string who = "node " + std::to_string(a.node) + (a.slow ? ", whose disk is slow," : "");
  switch (a.what) {
  case event::deliver:
    return who + " gets " + raft::test::text_of(steps.message(a.message)) + (a.again ? ", and may get it again" : "");
  case event::time_out:
    return who + " stands for election";
  case event::give_up:
    return who + " hears from nobody";
  case event::beat:
    return who + " sends heartbeats";
  case event::propose:
    return who + " is given a command";
  case event::change:
    return who + " is given other members";
  case event::persist:
    return who + " has a write durable";
  case event::crash:
    return who + " crashes and starts again";
  case event::compact:
    return who + " takes a snapshot";
  }
  return who;
}

} // namespace quorumd::model
