#include "daemon/node/group.hpp"
#include "tests/sim/cluster.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <utility>
#include <vector>

// What a flood of questions for the status costs: whole nodes on virtual time.
namespace quorumd::sim {
namespace {

using namespace std::chrono_literals;

struct questioned {
  questioned()
      : clock(setting.seed, false, coro::duration::zero())
      , nodes(clock, setting, counts) {
    nodes.boot_all();
    REQUIRE(until([this] { return bool(nodes.leader()); }, 10s));
  }
  ~questioned() { nodes.shut_down(); }

  bool until(const std::function<bool()>& condition, coro::duration at_most) {
    const coro::time_point limit = clock.now() + at_most;
    while (!condition()) {
      const bool more = clock.step(limit);
      nodes.after_step();
      if (!nodes.wrong().empty()) FAIL(nodes.wrong());
      if (!more && clock.now() >= limit) return condition();
    }
    return true;
  }
  /// Bytes between the members.
  [[nodiscard]] std::uint64_t sent() { return nodes.network().counters().bytes; }

  plan setting = [] {
    plan p;
    p.seed = 1;
    return p;
  }();
  counters counts;
  scheduler clock;
  sim::cluster nodes;
};

} // namespace

// A thousand clients ask one node for everybody's status at once: each is answered with every member's row, and the
// members are asked once for all of them, and perhaps once more for those who came meanwhile.
TEST_CASE("a flood of status requests asks each member a few times") {
  questioned w;
  const node_id asked = w.nodes.leader();
  w.until([] { return false; }, 2s); // streams, incarnations
  const std::uint64_t before = w.sent();
  std::size_t answered = 0;
  std::size_t rows = 0;
  constexpr std::size_t clients = 1000;
  const coro::time_point began = w.clock.now();
  w.nodes.the_node(asked).call([&](node::group& g) {
    for (std::size_t i = 0; i < clients; ++i)
      g.status().collect(g.now(), [&](const std::vector<client::status_row>& r) {
        ++answered;
        for (const client::status_row& row : r) rows += row.error.empty() ? 1 : 0;
      });
  });
  REQUIRE(w.until([&] { return answered == clients; }, 2s));
  CHECK(w.clock.now() - began < 1s);
  CHECK(rows == clients * w.setting.nodes);
  CHECK(w.sent() - before < 30'000); // heartbeats among them; two questions and answers for each would be 500 kB
}

} // namespace quorumd::sim
