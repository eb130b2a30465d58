#include "daemon/node/read_queue.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace quorumd;
using node::read_queue;
using node::request_errc;

namespace {

struct read_rig {
  std::vector<std::uint64_t> served;
  std::vector<std::pair<std::uint64_t, request_errc>> failed;
  read_queue reads{boot_id(5),
                   [this](const node::read_request& r, request_errc why) { failed.emplace_back(r.to.id, why); },
                   [this](node::read_request r) { served.push_back(r.to.id); }};

  void add(std::uint64_t id, int deadline_ms = 1000) {
    node::read_request r;
    r.to.id = id;
    r.deadline = coro::time_point(std::chrono::milliseconds(deadline_ms));
    reads.add(std::move(r));
  }
};

coro::time_point at(int ms) {
  return coro::time_point(std::chrono::milliseconds(ms));
}

raft::read_state yes(raft::read_context c, std::uint64_t index) {
  return {c, true, log_index(index)};
}
raft::read_state no(raft::read_context c) {
  return {c, false, {}};
}

} // namespace

// Everything of one turn shares a round; it is served when the state machine has reached the index, and not before.
TEST_CASE("reads of one turn share a context and wait for the applied index") {
  read_rig q;
  q.add(1);
  q.add(2);
  const auto c = q.reads.ask(at(0));
  CHECK(c.boot == boot_id(5));
  q.reads.answered(yes(c, 10), log_index(9), at(5));
  CHECK(q.served.empty());
  q.reads.applied(log_index(9));
  CHECK(q.served.empty());
  q.reads.applied(log_index(10));
  CHECK(q.served == std::vector<std::uint64_t>{1, 2});
  CHECK(q.reads.size() == 0);
}

// A batch asked for later may be answered first, and an answer to another boot's question is not ours.
TEST_CASE("answers find their batch by boot and sequence, in any order") {
  read_rig q;
  q.add(1);
  const auto first = q.reads.ask(at(0));
  q.add(2);
  const auto second = q.reads.ask(at(0));
  CHECK(first != second);
  q.reads.answered(yes({boot_id(4), second.sequence}, 1), log_index(5), at(5));
  CHECK(q.served.empty());
  q.reads.answered(yes(second, 3), log_index(5), at(5));
  q.reads.answered(yes(second, 3), log_index(5), at(5));
  CHECK(q.served == std::vector<std::uint64_t>{2});
  q.reads.answered(yes(first, 3), log_index(5), at(5));
  CHECK(q.served == std::vector<std::uint64_t>{2, 1});
}

// No leader could say: the reads are asked for again under a fresh context, until their deadline.
TEST_CASE("a refused read is asked again, and fails with no quorum at its deadline") {
  read_rig q;
  q.add(1, 100);
  q.add(2, 1000);
  q.reads.answered(no(q.reads.ask(at(0))), log_index(1), at(5));
  CHECK(q.served.empty());
  q.reads.expire(coro::time_point(std::chrono::milliseconds(200)));
  CHECK(q.failed == std::vector<std::pair<std::uint64_t, request_errc>>{{1, request_errc::no_quorum}});
  CHECK_FALSE(q.reads.has_gathered());
  q.reads.retry();
  REQUIRE(q.reads.has_gathered());
  q.reads.answered(yes(q.reads.ask(at(0)), 1), log_index(1), at(5));
  CHECK(q.served == std::vector<std::uint64_t>{2});
}

// The node stops: everyone is told, wherever the read was.
TEST_CASE("clear answers reads in every stage") {
  read_rig q;
  q.add(1);
  q.reads.answered(yes(q.reads.ask(at(0)), 10), log_index(1), at(5));
  q.add(2);
  const auto asked = q.reads.ask(at(0));
  CHECK(asked.sequence != 0);
  q.add(3);
  q.reads.clear(request_errc::shutting_down);
  CHECK(q.failed.size() == 3);
  CHECK(q.reads.size() == 0);
}

// What was asked at a moment, answered and applied says that everything acknowledged by that moment is here: not before
// it is applied, and not by the time of the answer.
TEST_CASE("what was asked says how old the state can be") {
  read_rig q;
  CHECK_FALSE(q.reads.has_all_since(at(0)));
  q.add(1);
  const auto early = q.reads.ask(at(10));
  q.add(2);
  const auto late = q.reads.ask(at(20));
  q.reads.answered(yes(late, 9), log_index(8), at(30));
  CHECK_FALSE(q.reads.has_all_since(at(10)));
  q.reads.applied(log_index(9));
  CHECK(q.reads.has_all_since(at(20)));
  CHECK_FALSE(q.reads.has_all_since(at(21)));
  q.reads.answered(yes(early, 9), log_index(9), at(40)); // nothing newer
  CHECK(q.reads.has_all_since(at(20)));
  CHECK_FALSE(q.reads.has_all_since(at(21)));
  q.add(3);
  q.reads.answered(no(q.reads.ask(at(50))), log_index(9), at(60));
  CHECK_FALSE(q.reads.has_all_since(at(21)));
}

// The deliberate bug that the simulator finds.
TEST_CASE("a mutant counts the age from the answer") {
  read_queue reads(
      boot_id(5), [](const node::read_request&, request_errc) {}, [](node::read_request) {}, {.age_by_answer = true});
  reads.add({});
  reads.answered(yes(reads.ask(at(10)), 1), log_index(1), at(30));
  CHECK(reads.has_all_since(at(30)));
}
