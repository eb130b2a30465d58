#include "daemon/cli/histogram.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace quorumd::cli {

// An empty histogram answers zero; small values are exact.
TEST_CASE("empty and small") {
  histogram h;
  CHECK(h.quantile(0.5) == 0);
  CHECK(h.max() == 0);
  for (std::uint64_t v = 0; v < 512; ++v) h.record(v);
  CHECK(h.count() == 512);
  CHECK(h.quantile(0) == 0);
  CHECK(h.quantile(0.5) == 255);
  CHECK(h.quantile(1) == 511);
}

// Over every magnitude, a quantile is not below the exact one and at most a 256th above it.
TEST_CASE("the error is bounded") {
  std::mt19937_64 random(11);
  for (int round = 0; round < 20; ++round) {
    histogram h;
    std::vector<std::uint64_t> exact;
    for (int i = 0; i < 3000; ++i) {
      const std::uint64_t v = random() >> (1 + random() % 63);
      exact.push_back(v);
      h.record(v);
    }
    std::sort(exact.begin(), exact.end());
    for (const double q : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(exact.size())));
      const std::uint64_t truth = exact[rank - 1];
      CHECK(h.quantile(q) >= truth);
      CHECK(h.quantile(q) - truth <= truth / 256);
    }
    CHECK(h.max() == exact.back());
  }
}

// The largest values have a bucket too.
TEST_CASE("extremes") {
  histogram h;
  h.record(~std::uint64_t{0});
  h.record(std::uint64_t{1} << 63);
  CHECK(h.count() == 2);
  CHECK(h.max() == ~std::uint64_t{0});
  CHECK(h.quantile(1) == ~std::uint64_t{0});
}

// Two halves merged are the whole.
TEST_CASE("merged") {
  histogram whole;
  histogram a;
  histogram b;
  for (std::uint64_t v = 1; v < 100000; v += 7) {
    whole.record(v);
    (v % 2 == 0 ? a : b).record(v);
  }
  a.merge(b);
  CHECK(a.count() == whole.count());
  CHECK(a.max() == whole.max());
  for (const double q : {0.1, 0.5, 0.99}) CHECK(a.quantile(q) == whole.quantile(q));
}

} // namespace quorumd::cli
