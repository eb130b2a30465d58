#include "tests/sim/checkers/linearizability.hpp"

#include "tests/sim/checkers/model.hpp"
#include "tests/sim/prng.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace quorumd::sim;

namespace {

/// Writes histories by hand: moments count up with each call.
class story {
 public:
  operation& begin(std::uint64_t client, operation::kind what, std::vector<action> actions) {
    operation o;
    o.id = history.size() + 1;
    o.client = client;
    o.what = what;
    o.then = std::move(actions);
    o.invoked = ++moment_;
    history.push_back(std::move(o));
    return history.back();
  }
  std::size_t put(std::uint64_t client, const std::string& key, const std::string& value) {
    begin(client, operation::kind::write, {{action::kind::put, key, {}, value, 0}});
    return history.size() - 1;
  }
  std::size_t erase(std::uint64_t client, const std::string& key) {
    begin(client, operation::kind::write, {{action::kind::erase, key, {}, {}, 0}});
    return history.size() - 1;
  }
  std::size_t put_of(std::uint64_t client, std::uint64_t lease, const std::string& key, const std::string& value) {
    begin(client, operation::kind::write, {{action::kind::put, key, {}, value, 0, lease}});
    return history.size() - 1;
  }
  std::size_t revoke(std::uint64_t client, std::uint64_t lease) {
    begin(client, operation::kind::write, {{action::kind::revoke, {}, {}, {}, 0, lease}});
    return history.size() - 1;
  }
  std::size_t get(std::uint64_t client, const std::string& key, std::uint64_t revision = 0) {
    begin(client, operation::kind::read, {{action::kind::get, key, {}, {}, revision}});
    return history.size() - 1;
  }
  std::size_t stale(std::uint64_t client, const std::string& key) {
    begin(client, operation::kind::stale_read, {{action::kind::get, key, {}, {}, 0}});
    return history.size() - 1;
  }
  void ok(std::size_t at, std::uint64_t revision, std::vector<action_result> results = {{}}) {
    operation& o = history[at];
    o.result = outcome::ok;
    o.revision = revision;
    o.results = std::move(results);
    o.returned = ++moment_;
  }
  void saw(std::size_t at, std::uint64_t revision, std::vector<seen_key> kvs) {
    ok(at, revision, {{0, std::move(kvs)}});
  }
  void ended(std::size_t at, outcome how) {
    history[at].result = how;
    history[at].returned = ++moment_;
  }

  std::vector<operation> history;

 private:
  std::uint64_t moment_ = 0;
};

judgement::verdict verdict_of(const story& s) {
  return check_linearizable(s.history).is;
}
constexpr auto good = judgement::verdict::linearizable;
constexpr auto bad = judgement::verdict::violation;

} // namespace

// A write, a read of it, an overwrite and a delete in sequence can be explained.
TEST_CASE("linearizability: a sequential history passes") {
  story s;
  s.ok(s.put(1, "a", "v1"), 2);
  s.saw(s.get(2, "a"), 2, {{"a", "v1", 2, 2, 1}});
  s.ok(s.put(1, "a", "v2"), 3);
  s.saw(s.get(2, "a"), 3, {{"a", "v2", 2, 3, 2}});
  s.ok(s.erase(1, "a"), 4, {{1, {}}});
  s.saw(s.get(2, "a"), 4, {});
  s.saw(s.get(2, "a", 2), 4, {{"a", "v1", 2, 2, 1}});
  CHECK(verdict_of(s) == good);
}

// A read that began after a write had returned shows the state before it.
TEST_CASE("linearizability: a stale read is found") {
  story s;
  s.ok(s.put(1, "a", "v1"), 2);
  s.ok(s.put(1, "a", "v2"), 3);
  s.saw(s.get(2, "a"), 2, {{"a", "v1", 2, 2, 1}});
  CHECK(verdict_of(s) == bad);
}

// The same answer is right for a read that asked for no more than some state of the past.
TEST_CASE("linearizability: a read that may be stale lies in the past") {
  story s;
  s.ok(s.put(1, "a", "v1"), 2);
  s.ok(s.put(1, "a", "v2"), 3);
  s.saw(s.stale(2, "a"), 2, {{"a", "v1", 2, 2, 1}});
  CHECK(verdict_of(s) == good);
}

// Even a stale read must have been true once.
TEST_CASE("linearizability: a stale read of what never was is found") {
  story s;
  s.ok(s.put(1, "a", "v1"), 2);
  s.ok(s.put(1, "b", "v2"), 3);
  s.saw(s.stale(2, "b"), 2, {{"b", "v2", 3, 3, 1}});
  CHECK(verdict_of(s) == bad);
}

// A read sees a write before that was even asked for.
TEST_CASE("linearizability: time travel is found") {
  story s;
  s.saw(s.stale(2, "a"), 2, {{"a", "v1", 2, 2, 1}});
  s.ok(s.put(1, "a", "v1"), 2);
  CHECK(verdict_of(s) == bad);
}

// An acknowledged write is gone: a later read shows its key absent at a later revision.
TEST_CASE("linearizability: a lost write is found") {
  story s;
  s.ok(s.put(1, "a", "v1"), 2);
  s.ok(s.put(1, "b", "v2"), 3);
  s.saw(s.get(2, "a"), 3, {});
  CHECK(verdict_of(s) == bad);
}

// Two clients are told that their writes made the same revision: one of them was lost.
TEST_CASE("linearizability: two writes of one revision are found") {
  story s;
  s.ok(s.put(1, "a", "v1"), 2);
  s.ok(s.put(1, "b", "v2"), 2);
  CHECK(verdict_of(s) == bad);
}

// One write took effect twice: a revision that nobody can have made.
TEST_CASE("linearizability: a duplicated apply is found") {
  story s;
  s.ok(s.put(1, "a", "v1"), 2);
  s.ok(s.put(1, "b", "v2"), 4);
  CHECK(verdict_of(s) == bad);
}

// An unknown write took effect twice: the first explains one revision, nothing explains the other.
TEST_CASE("linearizability: a duplicated unknown write is found") {
  story s;
  s.ended(s.put(1, "a", "v1"), outcome::unknown);
  s.saw(s.get(2, "a"), 3, {{"a", "v1", 2, 3, 2}});
  CHECK(verdict_of(s) == bad);
}

// A write that promised to have had no effect is seen.
TEST_CASE("linearizability: a refused write that took effect is found") {
  story s;
  s.ended(s.put(1, "a", "v1"), outcome::not_applied);
  s.saw(s.get(2, "a"), 2, {{"a", "v1", 2, 2, 1}});
  CHECK(verdict_of(s) == bad);
}

// A write that timed out takes effect long afterwards, once; another never does.
TEST_CASE("linearizability: unknown writes may take effect late or never") {
  story s;
  s.ended(s.put(1, "a", "v1"), outcome::unknown);
  s.ended(s.put(1, "a", "v2"), outcome::unknown);
  s.saw(s.get(2, "a"), 1, {});
  s.ok(s.put(2, "b", "v3"), 2);
  s.saw(s.get(2, "a"), 3, {{"a", "v1", 3, 3, 1}});
  CHECK(verdict_of(s) == good);
}

// The unknown write that would explain a revision was asked for only after somebody had seen that revision.
TEST_CASE("linearizability: an unknown write does not explain what was before it") {
  story s;
  s.ok(s.put(2, "b", "v3"), 3);
  s.ended(s.put(1, "a", "v1"), outcome::unknown);
  CHECK(verdict_of(s) == bad);
}

// Which of many unknown writes made which revision takes a search: only one order fits the versions seen later.
TEST_CASE("linearizability: the search finds the one order of unknown writes") {
  story s;
  for (int i = 0; i < 6; ++i) s.ended(s.put(1, "a", "v" + std::to_string(i)), outcome::unknown);
  s.ended(s.erase(3, "a"), outcome::unknown);
  s.saw(s.get(2, "a"), 8, {{"a", "v4", 6, 8, 3}});
  CHECK(verdict_of(s) == good);
  story t = s;
  t.saw(t.get(2, "b"), 9, {}); // only seven unknown writes for eight revisions
  CHECK(verdict_of(t) == bad);
}

// A transaction took the branch that its condition forbids.
TEST_CASE("linearizability: a wrong branch is found") {
  for (const bool claimed : {true, false}) {
    story s;
    s.ok(s.put(1, "a", "v1"), 2);
    operation& o = s.begin(1, operation::kind::write, {{action::kind::put, "b", {}, "v2", 0}});
    o.conditions = {{"a", condition::target::value, true, 0, "v1"}};
    o.otherwise = {{action::kind::get, "a", {}, {}, 0}};
    o.succeeded = claimed;
    if (claimed)
      s.ok(1, 3);
    else
      s.saw(1, 2, {{"a", "v1", 2, 2, 1}});
    CHECK(verdict_of(s) == (claimed ? good : bad));
  }
}

// A read of an old revision is told that it is gone: right only after somebody compacted.
TEST_CASE("linearizability: history is gone only after a compaction") {
  story s;
  s.ok(s.put(1, "a", "v1"), 2);
  s.ok(s.put(1, "a", "v2"), 3);
  s.ended(s.get(1, "a", 2), outcome::compacted);
  CHECK(verdict_of(s) == bad);
  story t;
  t.ok(t.put(1, "a", "v1"), 2);
  t.ok(t.put(1, "a", "v2"), 3);
  t.begin(1, operation::kind::compact, {}).compact_to = 3;
  t.ok(t.history.size() - 1, 3);
  t.ended(t.get(1, "a", 2), outcome::compacted);
  CHECK(verdict_of(t) == good);
}

// A guess of which write made a revision is tried first, and does no harm if it is wrong.
TEST_CASE("linearizability: a guess spares the search and decides nothing") {
  story s;
  for (int i = 0; i < 9; ++i) s.ended(s.put(1, "k" + std::to_string(i), "v" + std::to_string(i)), outcome::unknown);
  s.saw(s.get(2, "k8"), 10, {{"k8", "v8", 2, 2, 1}});
  linearizability_options good_guess;
  for (std::uint64_t r = 2; r <= 10; ++r) good_guess.guesses[r] = {11 - r};
  const judgement guessed = check_linearizable(s.history, good_guess);
  CHECK(guessed.is == good);
  CHECK(guessed.explored < 20);
  linearizability_options bad_guess;
  for (std::uint64_t r = 2; r <= 10; ++r) bad_guess.guesses[r] = {r % 3};
  CHECK(check_linearizable(s.history, bad_guess).is == good);
  s.saw(s.get(2, "k7"), 10, {});
  CHECK(check_linearizable(s.history, good_guess).is == bad);
}

// A search that runs out of room says so and does not pass.
TEST_CASE("linearizability: giving up is not passing") {
  story s;
  for (int i = 0; i < 12; ++i) s.ended(s.put(1, "k" + std::to_string(i), "v" + std::to_string(i)), outcome::unknown);
  s.saw(s.get(2, "z"), 12, {});
  s.saw(s.get(2, "z"), 13, {{"z", "?", 1, 1, 1}});
  CHECK(check_linearizable(s.history, {200, false, {}}).is == judgement::verdict::undecided);
}

// A revocation takes the lease's keys, in the revision that it answers, or makes none if there are none. Its answer
// does not say which.
TEST_CASE("linearizability: a revocation takes what is attached") {
  const auto judged = [](std::uint64_t answered, const std::vector<seen_key>& left, bool moved) {
    story s;
    s.ok(s.put_of(1, 7, "a", "v1"), 2);
    s.ok(s.put(1, "b", "v2"), 3);
    if (moved) s.ok(s.put(1, "a", "v3"), 4);
    s.ok(s.revoke(1, 7), answered);
    s.saw(s.get(1, "a"), answered, left);
    return verdict_of(s);
  };
  CHECK(judged(4, {}, false) == good);
  CHECK(judged(3, {{"a", "v1", 2, 2, 1}}, false) == bad);
  CHECK(judged(4, {{"a", "v1", 2, 2, 1}}, false) == bad);
  CHECK(judged(4, {{"a", "v3", 2, 4, 2}}, true) == good);
  CHECK(judged(5, {{"a", "v3", 2, 4, 2}}, true) == bad);
}

// An unknown revocation may take the keys later; what is of the lease then is refused from there on.
TEST_CASE("linearizability: nothing comes to a lease that went") {
  story s;
  s.ok(s.put_of(1, 7, "a", "v1"), 2);
  const std::size_t lost = s.revoke(1, 7);
  s.ended(lost, outcome::unknown);
  s.saw(s.get(2, "a"), 2, {{"a", "v1", 2, 2, 1}});
  s.saw(s.get(2, "a"), 3, {});
  CHECK(verdict_of(s) == good);
  story later = s;
  later.ok(later.put(1, "a", "v2"), 4);
  CHECK(verdict_of(later) == good);
  s.ok(s.put_of(1, 7, "a", "v2"), 4);
  CHECK(verdict_of(s) == bad);
}

// Concurrent histories made from a real order pass, whatever answers were lost; any one lie in them is found.
TEST_CASE("linearizability: made histories pass and one changed answer fails") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    prng random(seed);
    model truth;
    std::vector<operation> history;
    std::vector<std::uint64_t> moments; // ends of the operations are moved about their effect
    for (std::uint64_t i = 1; i <= 60; ++i) {
      operation o;
      o.id = i;
      o.client = random.below(4);
      const std::string key(1, static_cast<char>('a' + random.below(4)));
      const std::uint64_t lease = 1 + i / 10;
      switch (random.below(5)) {
      case 0:
        o.what = operation::kind::write, o.then = {{action::kind::erase, key, {}, {}, 0}};
        break;
      case 1:
        o.what = operation::kind::read, o.then = {{action::kind::get, key, {}, {}, 0}};
        break;
      case 2:
        o.what = operation::kind::write, o.then = {{action::kind::revoke, {}, {}, {}, 0, lease}};
        break;
      default:
        o.what = operation::kind::write;
        o.then = {{action::kind::put, key, {}, "v" + std::to_string(i), 0, random.coin() ? lease : 0}};
      }
      const model::answer a = truth.apply(o);
      o.result = o.what == operation::kind::write && random.below(5) == 0 ? outcome::unknown : outcome::ok;
      if (a.results.empty()) o.result = outcome::not_applied; // of a lease that went
      if (o.result == outcome::ok) o.results = a.results, o.revision = truth.revision();
      o.invoked = i * 1000 - random.below(3000 < i * 1000 ? 3000 : i * 1000);
      o.returned = i * 1000 + random.below(3000);
      history.push_back(std::move(o));
    }
    CHECK(check_linearizable(history).is == good);

    std::vector<operation> lied = history;
    for (auto o = lied.rbegin(); o != lied.rend(); ++o) {
      if (o->result != outcome::ok || o->what != operation::kind::read || o->results[0].kvs.empty()) continue;
      o->results[0].kvs[0].value = "never written";
      CHECK(check_linearizable(lied).is == bad);
      break;
    }
  }
}
