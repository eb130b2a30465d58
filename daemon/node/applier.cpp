#include "daemon/node/applier.hpp"

#include "consensus/types/invariant.hpp"
#include "daemon/kv/codec/command_codec.hpp"

#include <algorithm>
#include <iterator>
#include <string>

namespace quorumd::node {

void applier::take(std::vector<entry>& committed) {
  if (committed.empty()) return;
  const log_index last = waiting_.empty() ? applied() : waiting_.back().index();
  QUORUMD_INVARIANT(committed.front().index() == last.next(), "entries are applied in order, without gaps");
  std::move(committed.begin(), committed.end(), std::back_inserter(waiting_));
  committed.clear();
}

std::size_t applier::proceed(std::size_t cost_max) {
  std::size_t cost = told_ ? 0 : tell(cost_max);
  while (told_ && !waiting_.empty() && cost < cost_max && why_stopped_.empty()) {
    const entry& e = waiting_.front();
    if (!state_.store->busy()) {
      cost += 1 + e.payload().size() / 1024;
      if (!begin(e)) break;
    }
    if (command_) {
      const std::size_t most = std::max<std::size_t>(cost_max - std::min(cost, cost_max), 1);
      const std::size_t before = state_.store->visits();
      const bool done = state_.store->proceed(most);
      cost += state_.store->visits() - before;
      if (!done) break;
    }
    finish(e);
    mark();
    waiting_.pop_front();
    cost += tell(std::max<std::size_t>(cost_max - std::min(cost, cost_max), 1));
  }
  return cost;
}

/// What was applied last, to those who watch. What it cost.
std::size_t applier::tell(std::size_t visits_max) {
  const std::uint64_t before = watches_.visits();
  told_ = watches_.advance(visits_max);
  return watches_.visits() - before;
}

client::state_mark applier::mark_now() const {
  return {applied(), store().content_hash(), store().current()};
}

void applier::mark() {
  if (applied().value() % mark_interval != 0) return;
  if (marks_.size() + 1 == client::state_marks_max) marks_.pop_front();
  marks_.push_back(mark_now());
}

std::vector<client::state_mark> applier::marks() const {
  if (witness_) return {};
  std::vector<client::state_mark> all(marks_.begin(), marks_.end());
  if (all.empty() || all.back().index != applied()) all.push_back(mark_now());
  return all;
}

bool applier::begin(const entry& e) {
  QUORUMD_INVARIANT(e.index() == applied().next(), "entries are applied in order, without gaps");
  switch (e.kind()) {
  case entry_kind::leader_start:
    return true;
  case entry_kind::configuration:
    if (!state_.members.record(e.payload())) return stop_at(e, "the members' incarnations are in an unknown form");
    members_changed_ = true;
    return true;
  case entry_kind::members:
    if (!state_.members.change(e)) return stop_at(e, "a change of the members is in an unknown form");
    members_changed_ = true;
    return true;
  case entry_kind::withheld:
    // Whoever sent it took this node for a witness: without the command its state would differ.
    return witness_ || stop_at(e, "it was withheld, as from a witness, and this node is none");
  case entry_kind::command: {
    if (witness_) return true; // it need not have been withheld by whoever does not know this node
    auto command = kv::decode_command(e.payload());
    // Whoever accepted it had checked it: it is of a later version.
    if (!command) return stop_at(e, command.error().what());
    if (std::holds_alternative<kv::lease_question>(command->what))
      return stop_at(e, "it is a question, which none writes");
    command_ = std::move(*command);
    if (bugs_.ignore_sessions || (bugs_.forget_answered && has_answer(command_->call))) command_->call = {};
    state_.store->begin(e.index(), command_->what, somebody_waits(e), command_->call);
    return true;
  }
  }
  return stop_at(e, "it is of the unknown kind " + std::to_string(static_cast<unsigned>(e.kind())));
}

bool applier::has_answer(const kv::session_call& c) const {
  const auto known = c ? store().sessions().known(c) : std::nullopt;
  return known && known->has_error() && known->error().code() == kv::errc::session_answered;
}

bool applier::stop_at(const entry& e, const std::string& what) {
  why_stopped_ = "entry " + std::to_string(e.index().value()) + " of the log (term " +
                 std::to_string(e.term().value()) +
                 ") was written by another version of quorumd and cannot be applied by this one: " + what +
                 ". This node stops here, so that its state does not differ from that of members who know it; nothing "
                 "is lost. Start the version that the other members run";
  return false;
}

void applier::finish(const entry& e) {
  if (command_) {
    const kv::result<kv::reply> r = state_.store->finish();
    observer_.entry_applied(e);
    answer(e, r);
    command_.reset();
    return;
  }
  state_.store->skip(e.index());
  observer_.entry_applied(e);
  // A later leader's entry may stand where this node had proposed a command.
  if (const auto waiting = pending_.take(e.index())) {
    QUORUMD_INVARIANT(waiting->term != e.term(), "only commands have someone who waits for them");
    sinks_.failed(waiting->to, request_errc::not_applied);
  }
}

bool applier::somebody_waits(const entry& e) const {
  const pending_table::record* r = pending_.find(e.index());
  return r != nullptr && r->to.sink != nullptr && (r->term == e.term() || bugs_.complete_by_index);
}

void applier::answer(const entry& e, const kv::result<kv::reply>& r) {
  const auto waiting = pending_.take(e.index());
  if (!waiting) return;
  if (waiting->term == e.term() || bugs_.complete_by_index)
    sinks_.wrote(waiting->to, r);
  else
    sinks_.failed(waiting->to, request_errc::not_applied);
}

applier::state applier::replace(state s) {
  QUORUMD_INVARIANT(waiting_.empty() || waiting_.back().index() <= s.store->applied(),
                    "what a snapshot replaces ends with it at the latest");
  waiting_.clear();
  marks_.clear();
  s.members.begin_with(state_.members.roster());
  std::swap(state_, s); // with it goes what was half made of the command
  watches_.replace(store());
  told_ = false;
  command_.reset();
  pending_.covered(applied());
  return s;
}

} // namespace quorumd::node
