#include "tests/sim/test_cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

// Five nodes of which not all reach each other, for long: some leader has a majority, keeps it, and serves (the cases
// are those of the Omni-Paxos paper, §2: a leader without its quorum, a quorum that only one can lead, and a chain).
namespace quorumd::sim {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t nodes = 5;

plan five_nodes() {
  plan p;
  p.seed = 1;
  p.nodes = nodes;
  p.group.snapshots.every_entries = 500;
  p.group.snapshots.trailing_entries = 100;
  return p;
}

class partial_world final : public test_cluster {
 public:
  partial_world()
      : test_cluster(five_nodes()) {
    go_on(2s);
  }

  /// The nodes counted from the leader: 0 is the leader, 1 to 4 the others.
  [[nodiscard]] node_id from_leader(std::uint64_t n) { return node_id((first_.value() - 1 + n) % nodes + 1); }
  /// Only these pairs reach each other from now on, as from_leader() counts them.
  void leave_only(const std::vector<std::pair<std::uint64_t, std::uint64_t>>& pairs) {
    for (std::uint64_t a = 0; a < nodes; ++a)
      for (std::uint64_t b = 0; b < nodes; ++b) {
        const bool left =
            std::find(pairs.begin(), pairs.end(), std::pair(std::min(a, b), std::max(a, b))) != pairs.end();
        if (a != b && !left) cluster().network().block(from_leader(a).value(), from_leader(b).value());
      }
  }
  /// Whether one leader serves a put every ten seconds for an hour, once it had some seconds to be found.
  [[nodiscard]] bool keeps_one_leader() {
    go_on(10s);
    const node_id leader = cluster().leader();
    if (!leader) return false;
    const term then = core(leader).hard().term;
    for (int i = 0; i < 360; ++i) {
      add(kv::put{.key = "k", .value = std::to_string(i), .lease = {}});
      submit();
      if (!until([&] { return all_answered(); }, 10s)) return false;
      go_on(10s);
      if (cluster().leader() != leader || core(leader).hard().term != then) return false;
    }
    return failures() == 0;
  }
  [[nodiscard]] node_id first() const { return first_; }

 private:
  const node_id first_ = cluster().leader();
};

} // namespace

TEST_CASE("a leader that all reach stays, though nobody else reaches anybody") {
  partial_world w;
  w.leave_only({{0, 1}, {0, 2}, {0, 3}, {0, 4}});
  CHECK(w.keeps_one_leader());
  CHECK(w.cluster().leader() == w.first());
}

// One of the others has the old leader's word and a majority's; the old leader steps down, and cannot disturb it.
TEST_CASE("a leader that reaches one other gives way, and the next one stays") {
  partial_world w;
  w.leave_only({{0, 1}, {1, 2}, {1, 3}, {1, 4}, {2, 3}, {2, 4}, {3, 4}});
  CHECK(w.keeps_one_leader());
  CHECK(w.cluster().leader() != w.first());
}

// Nobody but one follower can have a majority.
TEST_CASE("where a single member reaches a majority it comes to lead, and stays") {
  partial_world w;
  w.leave_only({{0, 3}, {1, 3}, {2, 3}, {3, 4}});
  CHECK(w.keeps_one_leader());
  CHECK(w.cluster().leader() == w.from_leader(3));
}

// Each reaches its neighbours: of five in a row those in the middle have three.
TEST_CASE("in a chain one of those in the middle leads, and stays") {
  partial_world w;
  w.leave_only({{0, 1}, {1, 2}, {2, 3}, {3, 4}});
  CHECK(w.keeps_one_leader());
}

} // namespace quorumd::sim
