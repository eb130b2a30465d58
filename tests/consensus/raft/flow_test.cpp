#include "harness.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

using namespace quorumd;
using namespace quorumd::raft;
using namespace quorumd::raft::test;

namespace {

using state_of = decltype(peer_progress::state);

// A leader of three in term 1 whose follower 2 replicates and follower 3 never answered.
struct flowing : subject {
  explicit flowing(options o)
      : subject(o, state_with(3)) {
    win(3);
    c.step(id(2), accepted(1, 1));
    settle();
  }
  bool propose(std::string_view text) {
    std::vector<proposal> batch;
    batch.push_back(make_proposal(text));
    return c.propose(batch).has_value();
  }
  // The appends that leave for the follower now.
  std::vector<append_request> appends_to(std::uint64_t n) {
    std::vector<append_request> found;
    for (auto& [to, m] : all_of<append_request>(settle()))
      if (to == id(n)) found.push_back(m);
    return found;
  }
};

constexpr std::size_t one_entry = entry_encoded_bytes(8);

} // namespace

// Appends beyond the window wait for acknowledgements.
TEST_CASE("case 82: a limit on messages pauses and resumes") {
  options o = options_of(1);
  o.append_bytes_max = one_entry;
  o.inflight_appends_max = 3;
  flowing s(o);
  for (int i = 0; i < 10; ++i) REQUIRE(s.propose("12345678"));
  CHECK(s.appends_to(2).size() == 3);
  s.c.step(id(2), accepted(1, 2));
  auto more = s.appends_to(2);
  REQUIRE(more.size() == 1);
  CHECK(more[0].entries[0].index() == log_index(5));
  s.c.step(id(2), accepted(1, 5));
  CHECK(s.appends_to(2).size() == 3);
}

// The same in bytes; an append holds as many entries as fit, and at least one.
TEST_CASE("case 82: a limit on bytes pauses and resumes") {
  options o = options_of(1);
  o.append_bytes_max = 3 * one_entry;
  o.inflight_bytes_max = 6 * one_entry;
  flowing s(o);
  for (int i = 0; i < 10; ++i) REQUIRE(s.propose("12345678"));
  auto sent = s.appends_to(2);
  REQUIRE(sent.size() == 2);
  CHECK(sent[0].entries.size() == 3);
  CHECK(sent[1].prev_index == log_index(4));
  s.c.step(id(2), accepted(1, 4));
  CHECK(s.appends_to(2).size() == 1);
  s.c.step(id(2), accepted(1, 10));
  REQUIRE(s.propose(std::string(10 * one_entry, 'x')));
  REQUIRE(s.propose("12345678"));
  sent = s.appends_to(2);
  REQUIRE(sent.size() == 2); // the tenth, then the large one alone; after it the window is full
  CHECK(sent[1].entries.size() == 1);
  CHECK(sent[1].entries[0].payload().size() == 10 * one_entry);
}

// All or none of a batch; a batch that is larger than the limit passes when nothing else waits.
TEST_CASE("case 82: a limit on uncommitted entries refuses proposals") {
  options o = options_of(1);
  o.uncommitted_bytes_max = 3 * one_entry;
  flowing s(o);
  for (int i = 0; i < 3; ++i) REQUIRE(s.propose("12345678"));
  std::vector<proposal> batch;
  batch.push_back(make_proposal("refused"));
  const auto refused = s.c.propose(batch);
  REQUIRE(refused.has_error());
  CHECK(refused.error() == propose_error::too_much);
  CHECK(s.c.last_index() == log_index(4));
  s.settle();
  s.c.step(id(2), accepted(1, 2));
  CHECK(s.c.propose(batch).has_value());
  s.settle();
  s.c.step(id(2), accepted(1, 5));
  REQUIRE(s.c.commit() == log_index(5));
  CHECK(s.propose(std::string(10 * one_entry, 'x')));
  CHECK_FALSE(s.propose("12345678"));
}

// A follower that never answers an append costs one append a heartbeat that it answers, and none if it does not.
TEST_CASE("case 82: one probe a heartbeat; unreachable returns to probing") {
  flowing s(options_of(1));
  REQUIRE(s.propose("a"));
  CHECK(s.appends_to(3).empty()); // its first probe is out
  s.tick(5);
  CHECK(s.appends_to(3).empty());
  s.c.step(id(3), heartbeat_response{.term = term(1), .round = 0});
  s.c.step(id(3), heartbeat_response{.term = term(1), .round = 0});
  CHECK(s.appends_to(3).size() == 1);
  s.c.step(id(3), heartbeat_response{.term = term(1), .round = 0});
  CHECK(s.appends_to(3).empty());

  s.c.unreachable(id(2));
  CHECK(s.c.progress()[0].state == state_of::probe);
  const auto probes = s.appends_to(2);
  REQUIRE(probes.size() == 1);
  CHECK(probes[0].prev_index == log_index(1)); // what it acknowledged
  s.c.unreachable(id(2));
  CHECK(s.appends_to(2).empty());
}

// An append was lost and nothing follows that would be refused: the next heartbeat's answer brings it out.
TEST_CASE("case 82: a lost append is noticed by the next heartbeat") {
  cluster c(3);
  c.elect(1);
  c.drop = [](const envelope& e) { return e.to == id(3) && std::holds_alternative<append_request>(e.message); };
  CHECK(c.propose(1, "a"));
  c.settle();
  c.drop = {};
  CHECK(c[3].last_index() == log_index(1));
  c.run(11);
  CHECK(c.at(3).commands == std::vector<std::string>{"a"});
}

// Nothing is queued behind a full stream; heartbeats go on.
TEST_CASE("case 82: a stream without room gets no appends until it has some") {
  flowing s(options_of(1));
  s.c.set_writable(id(2), false);
  REQUIRE(s.propose("a"));
  CHECK(s.appends_to(2).empty());
  s.tick(5);
  CHECK(all_of<heartbeat>(s.settle()).size() == 2);
  s.c.set_writable(id(2), true);
  CHECK(s.appends_to(2).size() == 1);
}

// Entries that left the cache are asked for from the log, in pieces, for followers and for the state machine.
TEST_CASE("entries beyond the cache are loaded") {
  cluster c(3, [](options& o) { o.cache_bytes_max = 1; });
  c.elect(1);
  c.isolate(3);
  for (int i = 0; i < 40; ++i) REQUIRE(c.propose(1, std::to_string(i)));
  c.settle();
  CHECK(c.loads == 0);
  c[1].unreachable(id(3));
  c.heal();
  c.run(20);
  CHECK(c.at(3).commands.size() == 40);
  CHECK(c.loads > 0);
  c.loads = 0;
  c.crash(2);
  c.restart(2); // it knows what is committed, and its state machine is empty
  c.run(20);
  CHECK(c.at(2).commands == c.at(1).commands);
  CHECK(c.loads > 0);
}

// The answer belongs to a request that was given up.
TEST_CASE("a load with a stale ticket is ignored") {
  subject s(options_of(1), state_with(3, {1, 1, 1}, 1, 3));
  s.take();
  REQUIRE(s.out.loads.size() == 1);
  CHECK(s.out.loads[0].first == log_index(1));
  CHECK(s.out.loads[0].last == log_index(3));
  const std::uint64_t ticket = s.out.loads[0].ticket;
  CHECK_FALSE(s.c.has_ready());
  s.c.loaded(ticket + 1, make_entries(1, {1, 1, 1}));
  CHECK_FALSE(s.c.has_ready());
  s.c.loaded(ticket, make_entries(1, {1, 1}));
  s.c.loaded(ticket, make_entries(1, {1, 1, 1}));
  s.take();
  CHECK(s.out.committed.size() == 2);
  REQUIRE(s.out.loads.size() == 1); // what is still missing
  CHECK(s.out.loads[0].first == log_index(3));
  CHECK(s.out.loads[0].ticket != ticket);
}

// An output's memory is used again, the appends' too.
TEST_CASE("an output is filled again without losing its memory") {
  flowing s(options_of(1));
  REQUIRE(s.propose("a"));
  s.take();
  REQUIRE(all_of<append_request>(s.out.messages).size() == 1);
  const std::size_t capacity = s.out.messages.capacity();
  s.out.clear();
  CHECK(s.out.empty());
  CHECK(s.out.messages.capacity() == capacity);
  CHECK(s.out.recycled.size() >= 1);
  const std::size_t kept = s.out.recycled.size();
  REQUIRE(s.propose("b"));
  s.c.take(s.out);
  CHECK(s.out.recycled.size() == kept - 1);
}

// The promise was durable before it was given.
TEST_CASE("case 83: the vote survives a restart") {
  cluster c(3);
  c[2].step(id(1),
            vote_request{.term = term(4), .last_index = {}, .last_term = {}, .pre_vote = false, .transfer = false});
  c.pump(2);
  c.persist_one(2);
  c.crash(2);
  c.restart(2);
  CHECK(c[2].hard() == hard_state{term(4), id(1)});
  c[2].step(id(3),
            vote_request{.term = term(4), .last_index = {}, .last_term = {}, .pre_vote = false, .transfer = false});
  c.pump(2);
  REQUIRE_FALSE(c.bag.empty());
  const auto* refusal = std::get_if<vote_response>(&c.bag.back().message);
  REQUIRE(refusal != nullptr);
  CHECK_FALSE(refusal->granted);
}

// Acknowledged entries are gone: the diagnosis says which, and the core does not start.
TEST_CASE("case 83: a commit beyond the last entry refuses to start with a diagnosis") {
  initial_state s = state_with(3, {1, 1});
  CHECK_FALSE(validate(s));
  s.commit = log_index(3);
  const auto error = validate(s);
  REQUIRE(error);
  CHECK(*error ==
        "index 3 is known to be committed, but the log ends at index 2: acknowledged entries are missing from "
        "this log");
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    (void)std::signal(SIGABRT, SIG_DFL);
    (void)std::freopen("/dev/null", "w", stderr);
    core c(options_of(1), s);
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
}

// Each is a state that no sound recovery yields.
TEST_CASE("case 83: other impossible states are named") {
  const auto broken = [](auto change) {
    initial_state s = state_with(3, {1, 1, 2});
    change(s);
    return validate(s).value_or("");
  };
  CHECK(broken([](initial_state&) {}) == "");
  CHECK(broken([](initial_state& s) { s.start.members.voters.clear(); }).find("no voters") != std::string::npos);
  CHECK(broken([](initial_state& s) { s.start.members.voters = {id(2), id(2)}; }).find("sorted") != std::string::npos);
  CHECK(broken([](initial_state& s) { s.hard.term = term(1); }).find("stored term is 1") != std::string::npos);
  CHECK(broken([](initial_state& s) { s.applied = log_index(4); }).find("state machine holds") != std::string::npos);
  CHECK(broken([](initial_state& s) { s.runs[1].term = term(1); }).find("term falls") != std::string::npos);
  CHECK(broken([](initial_state& s) { s.runs[0].first = log_index(2); }).find("first entry") != std::string::npos);
  CHECK(broken([](initial_state& s) { s.runs.clear(); }).find("no terms") != std::string::npos);
  CHECK(broken([](initial_state& s) { s.last = log_index(2); }).find("before its last term") != std::string::npos);
}
