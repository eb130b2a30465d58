#include "daemon/kv/range_map.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace quorumd::kv::test {

// Ranges come and go; those at a key are found in the order of their beginnings, as by looking at all of them.
TEST_CASE("ranges at a key") {
  std::mt19937_64 random(1);
  const auto draw = [&] {
    std::string s;
    for (std::uint64_t n = 1 + random() % 3; n > 0; --n) s += static_cast<char>('a' + random() % 5);
    return s;
  };
  range_map<int> m;
  std::map<std::pair<std::string, std::string>, int> all;
  std::size_t found = 0;
  for (int i = 1; i <= 20'000; ++i) {
    std::pair<std::string, std::string> range{draw(), random() % 8 == 0 ? std::string(no_end) : draw()};
    if (below(range.first, range.second)) {
      const bool known = all.contains(range);
      auto& entry = m.at(range.first, range.second);
      REQUIRE(entry.key == range.first);
      REQUIRE(entry.range_end == range.second);
      REQUIRE(entry.value == (known ? all[range] : 0));
      if (random() % 2 == 0) {
        entry.value = all[range] = i;
      } else {
        m.erase(range.first, range.second);
        all.erase(range);
      }
    }
    const std::string key = draw();
    std::vector<int> want;
    for (const auto& [r, value] : all)
      if (r.first <= key && below(key, r.second)) want.push_back(value);
    std::vector<int> got;
    m.for_each_at(key, [&](int value) { got.push_back(value); });
    REQUIRE(got == want);
    found += got.size();
  }
  CHECK(found > 100'000);
  while (!all.empty()) {
    m.erase(all.begin()->first.first, all.begin()->first.second);
    all.erase(all.begin());
  }
  CHECK(m.empty());
}

} // namespace quorumd::kv::test
