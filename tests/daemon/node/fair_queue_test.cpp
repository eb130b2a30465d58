#include "daemon/node/fair_queue.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

using namespace quorumd;
using node::fair_queue;
using node::read_request;

namespace {

using queue = fair_queue<read_request>;

/// A request of the client of that number, which is its slot.
read_request from(std::uint32_t client, std::uint64_t id, bool bulk = false) {
  read_request r;
  r.to.slot = client;
  r.to.id = id;
  r.bulk = bulk;
  return r;
}

/// Serves so many requests, each of which costs that much, and counts whose they were.
std::map<std::uint32_t, int> serve(queue& q, int n, std::size_t cost) {
  std::map<std::uint32_t, int> served;
  for (int i = 0; i < n; ++i) {
    read_request* const r = q.next();
    if (r == nullptr) break;
    ++served[r->to.slot];
    q.spent(cost, true);
  }
  return served;
}

} // namespace

// A client that asked four thousand times before another asked once: the other one waits for one turn of the first.
TEST_CASE("whoever asks for much waits behind itself") {
  queue q;
  for (std::uint64_t id = 1; id <= 4000; ++id) q.add(from(1, id));
  q.add(from(2, 1));
  int before = 0;
  while (q.next()->to.slot != 2) {
    q.spent(16 * 1024, true);
    ++before;
  }
  CHECK(before == 4); // a quantum's worth
  q.spent(1, true);
  CHECK(q.size() == 3996);
}

// Requests of one client keep their order; two clients share the bytes alike, though the requests of one cost sixteen
// times as much.
TEST_CASE("turns are by cost and not by number") {
  queue q;
  for (std::uint64_t id = 1; id <= 10'000; ++id) {
    q.add(from(1, id));
    q.add(from(2, id));
  }
  std::map<std::uint32_t, std::size_t> bytes;
  std::map<std::uint32_t, std::uint64_t> last;
  for (int i = 0; i < 5000; ++i) {
    read_request* const r = q.next();
    const std::uint32_t client = r->to.slot;
    REQUIRE(r->to.id == last[client] + 1);
    last[client] = r->to.id;
    const std::size_t cost = client == 1 ? 64 * 1024 : 4 * 1024;
    bytes[client] += cost;
    q.spent(cost, true);
  }
  CHECK(bytes[1] <= bytes[2] + 128 * 1024);
  CHECK(bytes[2] <= bytes[1] + 128 * 1024);
}

// What one request cost beyond its client's turn is taken off the next turns.
TEST_CASE("a large request is paid for afterwards") {
  queue q;
  for (std::uint64_t id = 1; id <= 2; ++id) q.add(from(1, id));
  for (std::uint64_t id = 1; id <= 100; ++id) q.add(from(2, id));
  REQUIRE(q.next()->to.slot == 1);
  q.spent(10 * queue::quantum, true);
  int others = 0;
  while (q.next()->to.slot == 2) {
    q.spent(queue::quantum, true);
    ++others;
  }
  CHECK(others >= 9);
  CHECK(others <= 11);
}

// A client that has one request at a time waits out what it cost, though its lane is empty in between; whoever is alone
// waits for nobody.
TEST_CASE("a client with one large request at a time pays for it all the same") {
  queue q;
  std::uint64_t large = 0;
  q.add(from(1, ++large));
  int others = 0;
  for (std::uint64_t id = 1; id <= 1000; ++id) q.add(from(2, id));
  while (others < 900) {
    if (q.next()->to.slot == 2) {
      ++others;
      q.spent(queue::quantum / 4, true);
      continue;
    }
    q.spent(8 * queue::quantum, true);
    q.add(from(1, ++large));
  }
  CHECK(large >= 900 / 4 / 8);
  CHECK(large <= 900 / 4 / 8 + 3);

  queue alone;
  for (std::uint64_t id = 1; id <= 100; ++id) {
    alone.add(from(1, id));
    REQUIRE(alone.next() != nullptr);
    REQUIRE(alone.next()->to.id == id);
    alone.spent(8 * queue::quantum, true);
    REQUIRE(alone.next() == nullptr);
  }
}

// What could not be done yet stands in front of what its client asked for later.
TEST_CASE("what waits again keeps its place") {
  queue q;
  for (std::uint64_t id = 1; id <= 5; ++id) q.add(from(1, id));
  std::vector<read_request> taken;
  for (int i = 0; i < 3; ++i) {
    taken.push_back(std::move(*q.next()));
    q.spent(1, true);
  }
  for (; !taken.empty(); taken.pop_back()) q.add_again(std::move(taken.back()));
  for (std::uint64_t id = 1; id <= 5; ++id) {
    REQUIRE(q.next()->to.id == id);
    q.spent(1, true);
  }
}

// While others wait, bulk gets one byte in nine; alone it gets all.
TEST_CASE("bulk yields and does not starve") {
  queue q;
  for (std::uint64_t id = 1; id <= 20'000; ++id) {
    q.add(from(1, id));
    q.add(from(2, id, true));
    q.add(from(3, id, true));
  }
  const auto both = serve(q, 9000, 4096);
  CHECK(both.at(1) >= 7900);
  CHECK(both.at(2) >= 400);
  CHECK(both.at(3) >= 400);
  q.erase_if([](const read_request& r) { return r.to.slot == 1; });
  const auto alone = serve(q, 1000, 4096);
  CHECK(alone.at(2) + alone.at(3) == 1000);
}

// A lane that is set aside keeps nobody waiting; afterwards it goes on where it was.
TEST_CASE("a client without room is set aside") {
  queue q;
  for (std::uint64_t id = 1; id <= 2; ++id) {
    q.add(from(1, id));
    q.add(from(2, id));
  }
  REQUIRE(q.next()->to.slot == 1);
  q.block();
  CHECK(q.has_blocked());
  CHECK(serve(q, 10, 1) == std::map<std::uint32_t, int>{{2, 2}});
  CHECK(q.next() == nullptr);
  q.add(from(1, 3)); // behind the others of its lane, which stays aside
  CHECK(q.next() == nullptr);
  q.unblock();
  REQUIRE(q.next() != nullptr);
  CHECK(q.next()->to.id == 1);
  CHECK(serve(q, 10, 1) == std::map<std::uint32_t, int>{{1, 3}});
  CHECK(q.empty());
}

// Requests are taken out of lanes that are active, chosen or set aside; what is left goes on, and an emptied lane may
// come back.
TEST_CASE("what is given up leaves, wherever it waits") {
  queue q;
  for (std::uint64_t id = 1; id <= 4; ++id)
    for (std::uint32_t client = 1; client <= 3; ++client) q.add(from(client, id));
  REQUIRE(q.next()->to.slot == 1);
  q.block();
  REQUIRE(q.next()->to.slot == 2);
  q.erase_if([](const read_request& r) { return r.to.slot == 2 || r.to.id % 2 == 0; });
  CHECK(q.size() == 4);
  CHECK(serve(q, 10, 1) == std::map<std::uint32_t, int>{{3, 2}});
  q.unblock();
  q.add(from(2, 5));
  CHECK(serve(q, 10, 1) == std::map<std::uint32_t, int>{{1, 2}, {2, 1}});
  CHECK(q.empty());
}
