#include "harness.hpp"

#include "consensus/raft/random.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace quorumd;
using namespace quorumd::raft;
using namespace quorumd::raft::test;

namespace {

// Every sync takes 30 to 60 ticks, as long as an election timeout; what is handed out meanwhile shares the next one.
class slow_cluster {
 public:
  slow_cluster(std::uint64_t nodes, std::uint64_t seed)
      : c(nodes, {}, seed)
      , random_(seed)
      , syncs_(nodes) {
    for (std::uint64_t n = 1; n <= nodes; ++n) c.at(n).slow_disk = true;
  }

  void run(std::uint32_t ticks) {
    for (; ticks > 0; --ticks) {
      for (std::uint64_t n = 1; n <= c.size(); ++n) turn(n);
      c.run(1);
    }
  }
  // The leader that has committed an entry of its term and leads the highest one; 0 for none.
  std::uint64_t leader() {
    std::uint64_t found = 0;
    for (std::uint64_t n = 1; n <= c.size(); ++n)
      if (c.at(n).c && c[n].soft().serving && (found == 0 || c[n].hard().term > c[found].hard().term)) found = n;
    return found;
  }
  // Proposes the command to each new leader; gives the ticks until someone has applied it.
  std::uint32_t ticks_to_commit(const std::string& command, std::uint32_t most) {
    for (std::uint32_t ticks = 0; ticks < most; ++ticks) {
      run(1);
      for (std::uint64_t n = 1; n <= c.size(); ++n)
        if (c.at(n).c && std::count(c.at(n).commands.begin(), c.at(n).commands.end(), command) != 0) return ticks;
      const std::uint64_t n = leader();
      if (n != 0 && c[n].hard().term > proposed_in_ && c.propose(n, command)) proposed_in_ = c[n].hard().term;
    }
    return most;
  }
  void crash(std::uint64_t n) {
    c.crash(n);
    syncs_[n - 1] = {};
    proposed_in_ = term();
  }

  cluster c;

 private:
  struct sync {
    std::uint32_t left = 0;
    std::size_t writes = 0;
  };

  void turn(std::uint64_t n) {
    sync& s = syncs_[n - 1];
    if (!c.at(n).c) return;
    if (s.writes != 0 && --s.left == 0)
      for (; s.writes != 0; --s.writes) c.persist_one(n);
    c.pump(n);
    if (s.writes == 0 && !c.at(n).writes.empty()) s = {30 + random_.below(31), c.at(n).writes.size()};
  }

  random_source random_;
  std::vector<sync> syncs_;
  term proposed_in_;
};

} // namespace

// At the start, and again when the leader is gone and both survivors are needed. Each step of an election waits for a
// sync, so that one takes some 250 ticks; an even split costs one more.
TEST_CASE("case 5: with disks as slow as the election timeout a leader comes forth within a few terms") {
  for (const std::uint64_t nodes : {3, 5})
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
      CAPTURE(nodes);
      CAPTURE(seed);
      slow_cluster s(nodes, seed);
      CHECK(s.ticks_to_commit("a", 1200) < 1200);
      const std::uint64_t first = s.leader();
      REQUIRE(first != 0);
      const term before = s.c[first].hard().term;
      CHECK(before <= term(8));
      s.crash(first);
      CHECK(s.ticks_to_commit("b", 1200) < 1200);
      const std::uint64_t second = s.leader();
      REQUIRE(second != 0);
      CHECK(s.c[second].hard().term <= before + 8);
      CHECK(s.c.seen.broken() == "");
    }
}

// Its writes queue for longer than a stall lasts, but the disk gets one after the other done.
TEST_CASE("case 29: a leader whose disk is slow but finishes its writes stays") {
  slow_cluster s(3, 1);
  REQUIRE(s.ticks_to_commit("a", 1200) < 1200);
  const std::uint64_t leader = s.leader();
  const soft_state before = s.c[leader].soft();
  for (int i = 0; i < 100; ++i) {
    CHECK(s.c.propose(leader, "b"));
    s.run(10);
  }
  CHECK(s.c[leader].soft() == before);
  CHECK(s.c.at(leader).commands.size() > 50);
}
