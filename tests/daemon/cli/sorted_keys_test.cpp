#include "daemon/cli/sorted_keys.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace quorumd::cli {
namespace {

struct sample {
  std::string key;
  std::string value;
  std::uint64_t number = 0;
};

/// In the order of keys, with versions and values that repeat.
std::vector<sample> samples(std::size_t n) {
  std::mt19937_64 random(5);
  std::vector<sample> out;
  for (std::size_t i = 0; i < n; ++i)
    out.push_back({std::to_string(100000 + i), std::to_string(random() % 50), random() % 50});
  return out;
}

std::vector<std::string> sorted(const std::vector<sample>& from, kv::sort_target by, kv::sort_order order,
                                std::uint64_t limit) {
  sorted_keys keys(by, order, limit);
  for (const sample& s : from)
    keys.add({.key = s.key,
              .value = s.value,
              .create_revision = revision(s.number),
              .mod_revision = revision(100 - s.number),
              .version = s.number});
  std::vector<std::string> out;
  for (const auto& v : keys.take()) out.emplace_back(v.key);
  return out;
}

} // namespace

// Each target, up and down, gives what sorting the whole would give; keys of equal rank keep their order.
TEST_CASE("keys are sorted by each target") {
  const auto from = samples(5000);
  const auto check = [&](kv::sort_target by, auto rank) {
    auto up = from;
    std::stable_sort(up.begin(), up.end(), [&](const sample& a, const sample& b) { return rank(a) < rank(b); });
    auto down = from;
    std::stable_sort(down.begin(), down.end(), [&](const sample& a, const sample& b) { return rank(b) < rank(a); });
    for (const std::uint64_t limit : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{700}, std::uint64_t{9999}}) {
      const std::size_t n = limit == 0 ? from.size() : std::min<std::size_t>(limit, from.size());
      const auto ascending = sorted(from, by, kv::sort_order::ascend, limit);
      const auto descending = sorted(from, by, kv::sort_order::descend, limit);
      REQUIRE(ascending.size() == n);
      REQUIRE(descending.size() == n);
      for (std::size_t i = 0; i < n; ++i) {
        REQUIRE(ascending[i] == up[i].key);
        REQUIRE(descending[i] == down[i].key);
      }
    }
  };
  check(kv::sort_target::key, [](const sample& s) { return s.key; });
  check(kv::sort_target::value, [](const sample& s) { return s.value; });
  check(kv::sort_target::version, [](const sample& s) { return s.number; });
  check(kv::sort_target::create, [](const sample& s) { return s.number; });
  check(kv::sort_target::mod, [](const sample& s) { return 100 - s.number; });
}

} // namespace quorumd::cli
