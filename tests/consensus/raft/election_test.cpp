#include "harness.hpp"

#include <doctest/doctest.h>

#include <initializer_list>
#include <map>

using namespace quorumd;
using namespace quorumd::raft;
using namespace quorumd::raft::test;

namespace {

vote_request ask(std::uint64_t t, std::uint64_t last_index = 0, std::uint64_t last_term = 0) {
  return {.term = term(t),
          .last_index = log_index(last_index),
          .last_term = term(last_term),
          .pre_vote = false,
          .transfer = false};
}

vote_response answer(std::uint64_t t, bool granted) {
  return {.term = term(t), .pre_vote = false, .granted = granted};
}

// A candidate of term 1 in a cluster of n whose own vote is durable.
void stand(subject& s, std::uint64_t n) {
  s.c.campaign();
  for (std::uint64_t v = 2; v <= n; ++v)
    s.c.step(id(v), vote_response{.term = s.c.hard().term.next(), .pre_vote = true, .granted = true});
  s.settle();
  REQUIRE(s.c.soft().role == (n == 1 ? role::leader : role::candidate));
}

} // namespace

// Whatever it is, a node that hears of a higher term follows in it.
TEST_CASE("case 1: a higher term in any role makes a follower") {
  for (role r : {role::follower, role::pre_candidate, role::candidate, role::leader}) {
    subject s(options_of(1), state_with(3));
    if (r == role::pre_candidate) s.c.campaign();
    if (r == role::candidate) stand(s, 3);
    if (r == role::leader) s.win(3);
    REQUIRE(s.c.soft().role == r);
    s.c.step(id(2), append_request{
                        .term = term(9), .prev_index = {}, .prev_term = {}, .commit = {}, .round = 0, .entries = {}});
    CHECK(s.c.soft().role == role::follower);
    CHECK(s.c.soft().leader == id(2));
    CHECK(s.c.hard() == hard_state{term(9), node_id()});
  }
}

// A deposed leader or a late candidate learns the newer term, and nothing that it could take for an answer once it has
// caught up with it.
TEST_CASE("case 2: a lower term is refused with the own term") {
  const snapshot_mark mark{.index = log_index(1), .term = term(4), .members = voters(3)};
  for (const message& m : std::initializer_list<message>{
           append_request{.term = term(4), .prev_index = {}, .prev_term = {}, .commit = {}, .round = 3, .entries = {}},
           heartbeat{.term = term(4), .commit = {}, .round = 3}, install_snapshot{.term = term(4), .mark = mark},
           ask(4),
           vote_request{.term = term(5), .last_index = {}, .last_term = {}, .pre_vote = true, .transfer = false}}) {
    CAPTURE(m.index());
    initial_state state = state_with(3, {}, 5);
    state.hard.vote = id(2);
    subject s(options_of(1), state);
    s.c.step(id(3), m);
    s.take();
    CHECK_FALSE(s.out.number);
    REQUIRE(s.out.messages.size() == 1);
    const auto told = all_of<heartbeat_response>(s.out.messages);
    REQUIRE(told.size() == 1);
    CHECK(told[0].first == id(3));
    CHECK(told[0].second.term == term(5));
    CHECK(told[0].second.round == 0);
    CHECK_FALSE(s.c.soft().leader);

    subject sender(options_of(3), state_with(3, {}, 4));
    sender.c.step(id(1), told[0].second);
    CHECK(sender.c.hard().term == term(5));
  }
}

// A node starts quietly, whatever it was before.
TEST_CASE("case 3: boots as follower") {
  initial_state state = state_with(3, {1, 1}, 4);
  state.hard.vote = id(1);
  subject s(options_of(1), state);
  CHECK(s.c.soft() == soft_state{role::follower, node_id(), term(4), false});
  s.take();
  CHECK(s.out.messages.empty());
  CHECK_FALSE(s.out.number);
}

// After the timeout and a won pre-vote the candidate's vote is durable before anyone is asked.
TEST_CASE("case 4: a timeout raises the term, votes for itself, asks all") {
  subject s(options_of(1), state_with(3, {2}, 2));
  s.tick_until(role::pre_candidate);
  s.settle();
  s.c.step(id(2), vote_response{.term = term(3), .pre_vote = true, .granted = true});
  CHECK(s.c.soft().role == role::candidate);
  s.take();
  CHECK(s.out.hard == hard_state{term(3), id(1)});
  CHECK(all_of<vote_request>(s.out.messages).empty());
  const auto asked = all_of<vote_request>(s.out.after_persist);
  REQUIRE(asked.size() == 2);
  CHECK(asked[0].first == id(2));
  CHECK(asked[1].first == id(3));
  CHECK(asked[0].second.term == term(3));
  CHECK(asked[0].second.last_index == log_index(1));
  CHECK(asked[0].second.last_term == term(2));
}

// A candidate that nobody answers tries again, in a term of its own.
TEST_CASE("case 5: no winner: a new term") {
  subject s(options_of(1), state_with(3));
  stand(s, 3);
  s.tick_until(role::pre_candidate);
  s.settle();
  CHECK(s.c.hard().term == term(1));
  s.c.step(id(2), vote_response{.term = term(2), .pre_vote = true, .granted = true});
  CHECK(s.c.soft().role == role::candidate);
  CHECK(s.c.hard() == hard_state{term(2), id(1)});
}

// Nobody was asked yet, so that nobody could answer; those who are asked may need as long for their own writes.
TEST_CASE("case 5: no new term before the own vote is durable and the voters had as long") {
  subject s(options_of(1), state_with(3));
  s.c.campaign();
  s.c.step(id(2), vote_response{.term = term(1), .pre_vote = true, .granted = true});
  s.take();
  const write_number own_vote = s.out.number;
  REQUIRE(own_vote);
  s.tick(59);
  CHECK(s.c.soft().role == role::candidate);
  CHECK_FALSE(s.c.has_ready());
  s.c.persisted(own_vote);
  s.tick(30 + 59 - 1);
  CHECK(s.c.soft().role == role::candidate);
  s.tick(30);
  CHECK(s.c.soft().role == role::pre_candidate);

  // A vote that no answer tells of yet binds its giver likewise: it does not stand against the one it chose.
  subject voter(options_of(2), state_with(3));
  voter.c.step(id(1), ask(1));
  voter.take();
  voter.tick(200);
  CHECK(voter.c.soft().role == role::follower);
  voter.c.persisted(voter.out.number);
  voter.tick_until(role::pre_candidate);
}

// With one vote less than a majority nobody leads; with a majority of refusals the candidate gives up.
TEST_CASE("case 6: a majority wins, at 1, 3, 5 and 7 voters") {
  for (std::uint64_t n : {1, 3, 5, 7}) {
    subject s(options_of(1), state_with(n));
    stand(s, n);
    for (std::uint64_t v = 2; v <= n / 2; ++v) s.c.step(id(v), answer(1, true));
    if (n > 1) {
      CHECK(s.c.soft().role == role::candidate);
      s.c.step(id(2), answer(1, true)); // says it twice, if it said it at all
      if (n > 3) CHECK(s.c.soft().role == role::candidate);
      s.c.step(id(n / 2 + 1), answer(1, true));
    }
    CHECK(s.c.soft().role == role::leader);

    if (n == 1) continue;
    subject loser(options_of(1), state_with(n));
    stand(loser, n);
    for (std::uint64_t v = n; v > n / 2 + 1; --v) loser.c.step(id(v), answer(1, false));
    CHECK(loser.c.soft().role == role::candidate);
    loser.c.step(id(2), answer(1, false));
    CHECK(loser.c.soft().role == role::follower);
  }
}

// Alone, a node needs no message, but its vote must be durable.
TEST_CASE("case 6: a single voter leads without messages, once its vote is durable") {
  subject s(options_of(1), state_with(1));
  s.tick_until(role::candidate);
  s.take();
  REQUIRE(s.out.number);
  CHECK(s.c.soft().role == role::candidate);
  s.c.persisted(s.out.number);
  CHECK(s.c.soft().role == role::leader);
  CHECK(s.settle().empty());
  CHECK(s.c.soft().serving);
}

// Candidate of term 1 and then of term 2, it asked node 2 twice: the late refusal of the first question must not stand
// for the answer to the second.
TEST_CASE("case 6: a refusal of an older term's request is no answer to this one's") {
  subject voter(options_of(2), state_with(3, {}, 2));
  voter.c.step(id(1), ask(1));
  const auto late = voter.settle();
  voter.c.step(id(1), ask(2));
  const auto given = voter.settle();
  REQUIRE(all_of<vote_response>(given).at(0).second.granted);

  subject s(options_of(1), state_with(3, {}, 1));
  stand(s, 3);
  REQUIRE(s.c.hard() == hard_state{term(2), id(1)});
  s.c.step(id(3), answer(2, false));
  for (const auto* sent : {&late, &given})
    for (const outgoing& o : *sent) s.c.step(id(2), o.message);
  CHECK(s.c.soft().role == role::leader);
}

// The same answer for the same candidate, a refusal for another, both before and after the vote is durable.
TEST_CASE("case 7: one vote a term; the same candidate asking again gets it again") {
  subject s(options_of(1), state_with(3));
  s.c.step(id(2), ask(1));
  s.c.step(id(3), ask(1));
  s.take();
  const write_number first = s.out.number;
  CHECK(s.out.hard == hard_state{term(1), id(2)});
  REQUIRE(all_of<vote_response>(s.out.messages).size() == 1);
  CHECK_FALSE(all_of<vote_response>(s.out.messages)[0].second.granted);
  REQUIRE(all_of<vote_response>(s.out.after_persist).size() == 1);
  CHECK(all_of<vote_response>(s.out.after_persist)[0].second.granted);

  for (int again = 0; again < 100; ++again) { // while the write is in flight: one answer will do
    s.c.step(id(2), ask(1));
    s.take();
  }
  CHECK_FALSE(s.out.number);
  CHECK(s.out.messages.empty());
  CHECK_FALSE(s.c.has_ready());
  s.c.persisted(first);
  CHECK(s.c.has_ready());
  s.take();
  REQUIRE(all_of<vote_response>(s.out.messages).size() == 1);
  CHECK(all_of<vote_response>(s.out.messages)[0].first == id(2));
  CHECK(all_of<vote_response>(s.out.messages)[0].second.granted);

  s.c.step(id(2), ask(1)); // and once more, now at once
  s.take();
  CHECK(all_of<vote_response>(s.out.messages).at(0).second.granted);
}

// The voter's log ends with index 3 of term 3.
TEST_CASE("case 8: the vote matrix over (last term, last index)") {
  struct row {
    std::uint64_t last_index, last_term;
    bool granted;
  };
  for (const row& r : {row{0, 0, false}, row{3, 2, false}, row{9, 2, false}, row{2, 3, false}, row{3, 3, true},
                       row{4, 3, true}, row{1, 4, true}, row{3, 4, true}, row{4, 4, true}}) {
    subject s(options_of(1), state_with(3, {1, 2, 3}));
    s.c.step(id(2), ask(8, r.last_index, r.last_term));
    const auto votes = all_of<vote_response>(s.settle());
    REQUIRE(votes.size() == 1);
    CAPTURE(r.last_index);
    CAPTURE(r.last_term);
    CHECK(votes[0].second.granted == r.granted);
    CHECK(s.c.hard() == hard_state{term(8), r.granted ? id(2) : node_id()});
  }
}

// The election is decided: whoever lost it follows.
TEST_CASE("case 9: a candidate that sees an append of its term or later follows") {
  for (std::uint64_t t : {1, 2}) {
    subject s(options_of(1), state_with(3));
    stand(s, 3);
    s.c.step(id(3), append_request{.term = term(t),
                                   .prev_index = {},
                                   .prev_term = {},
                                   .commit = {},
                                   .round = 0,
                                   .entries = make_entries(1, {t})});
    CHECK(s.c.soft() == soft_state{role::follower, id(3), term(t), false});
    CHECK(s.c.last_index() == log_index(1));
  }
}

// Each of the 30 timeouts comes up about as often as the others, and no other does.
TEST_CASE("case 10: timeouts are uniform in [T, 2T)") {
  std::map<int, int> counts;
  constexpr int nodes = 6000;
  for (int seed = 0; seed < nodes; ++seed) {
    subject s(options_of(1, static_cast<std::uint64_t>(seed)), state_with(3));
    int ticks = 0;
    for (; s.c.soft().role == role::follower; ++ticks) s.c.tick();
    ++counts[ticks];
  }
  CHECK(counts.begin()->first == 30);
  CHECK(counts.rbegin()->first == 59);
  CHECK(counts.size() == 30);
  for (const auto& [ticks, count] : counts) {
    CAPTURE(ticks);
    CHECK(count > nodes / 30 / 2);
    CHECK(count < nodes / 30 * 2);
  }
}

// All campaign in the same instant, again and again: one of them wins soon.
TEST_CASE("case 11: duelling candidates converge") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    cluster c(3, {}, seed);
    for (std::uint64_t n = 1; n <= 3; ++n) c[n].campaign();
    CHECK(c.run_until_leader(240) != 0);
    CHECK(c.seen.broken() == "");
  }
}

// The disk was slow, and meanwhile another candidate won.
TEST_CASE("case 12: a self-vote that becomes durable after losing changes nothing") {
  subject s(options_of(1), state_with(3));
  s.c.campaign();
  s.c.step(id(2), vote_response{.term = term(1), .pre_vote = true, .granted = true});
  s.take();
  const write_number own_vote = s.out.number;
  REQUIRE(own_vote);
  s.c.step(id(2), answer(1, true)); // counts, but the own one does not yet
  CHECK(s.c.soft().role == role::candidate);
  s.c.step(id(3), heartbeat{.term = term(1), .commit = {}, .round = 0});
  s.take();
  CHECK(s.c.soft().role == role::follower);
  s.c.persisted(own_vote);
  CHECK(s.c.soft() == soft_state{role::follower, id(3), term(1), false});
  CHECK_FALSE(s.c.has_ready());
}

// Without it, entries of earlier terms would wait for the first command.
TEST_CASE("case 13: a new leader appends an entry of its own term at once") {
  subject s(options_of(1), state_with(3, {1, 1}));
  stand(s, 3);
  s.c.step(id(2), answer(2, true));
  s.take();
  REQUIRE(s.out.entries.size() == 1);
  CHECK(s.out.entries[0].kind() == entry_kind::leader_start);
  CHECK(s.out.entries[0].term() == term(2));
  CHECK(s.out.entries[0].index() == log_index(3));
  const auto appends = all_of<append_request>(s.out.messages);
  REQUIRE(appends.size() == 2);
  CHECK(appends[0].second.entries.size() == 1);
  CHECK(appends[0].second.prev_index == log_index(2));
}

// A node that is not in the configuration waits to be told.
TEST_CASE("case 14: a non-member never campaigns") {
  subject s(options_of(4), state_with(3));
  s.tick(1000);
  s.c.campaign();
  CHECK(s.c.soft().role == role::follower);
  CHECK(s.settle().empty());
  s.c.step(id(1), timeout_now{term(0)});
  CHECK(s.c.soft().role == role::follower);
}
