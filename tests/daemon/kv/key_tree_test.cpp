#include "daemon/kv/key_tree.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <utility>

namespace quorumd::kv::test {
namespace {

/// The tree beside an ordered map that says for each key whether it is live.
struct both {
  struct known {
    record::owner r;
    bool live = false;
  };
  key_tree tree;
  std::map<std::string, known, std::less<>> map;

  void insert(const std::string& key) {
    if (map.contains(key)) return;
    record::owner r = record::make(key);
    const key_tree::iterator at = tree.insert(*r);
    REQUIRE(at->key() == key);
    map[key].r = std::move(r);
  }
  void turn(std::map<std::string, known, std::less<>>::iterator k) {
    const key_tree::iterator at = tree.lower_bound(k->first);
    REQUIRE(&*at == k->second.r.get());
    if (std::exchange(k->second.live, !k->second.live))
      tree.became_dead(at);
    else
      tree.became_live(at);
  }
  void erase(std::map<std::string, known, std::less<>>::iterator k) {
    if (k->second.live) turn(k);
    tree.erase(*k->second.r);
    map.erase(k);
  }

  /// Asks around one key, which need not be there.
  void look(const std::string& key) const {
    const auto at = map.lower_bound(key);
    const key_tree::iterator found = tree.lower_bound(key);
    REQUIRE((found == tree.end()) == (at == map.end()));
    if (at != map.end()) REQUIRE(&*found == at->second.r.get());

    const auto live = [](const auto& k) { return k.second.live; };
    const auto next = std::find_if(at, map.end(), live);
    const key_tree::iterator found_next = tree.next_live(found);
    REQUIRE((found_next == tree.end()) == (next == map.end()));
    if (next != map.end()) REQUIRE(&*found_next == next->second.r.get());

    const auto previous = std::find_if(std::make_reverse_iterator(at), map.rend(), live);
    const key_tree::iterator found_previous = tree.previous_live(found);
    REQUIRE((found_previous == tree.end()) == (previous == map.rend()));
    if (previous != map.rend()) REQUIRE(&*found_previous == previous->second.r.get());

    REQUIRE(tree.live_before(found) == static_cast<std::uint64_t>(std::count_if(map.begin(), at, live)));
  }
  void walk() const {
    REQUIRE(tree.size() == map.size());
    key_tree::iterator at = tree.begin();
    for (const auto& [key, k] : map) {
      REQUIRE(at->key() == key);
      ++at;
    }
    REQUIRE(at == tree.end());
    for (auto k = map.rbegin(); k != map.rend(); ++k) {
      --at;
      REQUIRE(at->key() == k->first);
    }
    REQUIRE(at == tree.begin());
  }
};

std::string key_of(std::uint64_t n) {
  std::string digits = std::to_string(n);
  return "k" + std::string(8 - digits.size(), '0') + digits;
}

} // namespace

// A tree of a few levels that grows, changes and shrinks to nothing at random agrees with an ordered map.
TEST_CASE("the tree of keys agrees with an ordered map") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    const auto below = [&](std::uint64_t n) { return std::uniform_int_distribution<std::uint64_t>(0, n - 1)(random); };
    both b;
    const std::uint64_t keys = 200 + below(12'000);
    for (std::uint64_t phase = 0; phase < 4; ++phase) {
      const std::uint64_t growth = phase == 0 ? 9 : phase == 1 ? 5 : phase == 2 ? 2 : 0; // of ten
      for (std::uint64_t i = 0; i < keys; ++i) {
        const std::string key = key_of(below(keys));
        const auto near = b.map.lower_bound(key);
        if (below(10) < growth)
          b.insert(key);
        else if (near != b.map.end() && below(2) == 0)
          b.turn(near);
        else if (near != b.map.end())
          b.erase(near);
        if (i % 64 == 0) b.look(key);
      }
      b.walk();
    }
    while (!b.map.empty()) b.erase(b.map.begin());
    b.walk();
    b.insert("again");
    b.walk();
  }
}

// Keys that come in order, as those of a snapshot do, and leave in order, as those of a deleted range do.
TEST_CASE("the tree of keys takes and loses keys in order") {
  both b;
  for (std::uint64_t n = 0; n < 10'000; ++n) {
    b.insert(key_of(n));
    b.turn(std::prev(b.map.end()));
  }
  b.walk();
  b.look(key_of(5'000));
  while (b.map.size() > 100) {
    b.erase(b.map.begin());
    if (b.map.size() % 997 == 0) b.look(key_of(9'950));
  }
  b.walk();
}

} // namespace quorumd::kv::test
