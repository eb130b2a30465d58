#include "metrics/histogram.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace quorumd::metrics {

// An empty histogram answers zero; small values are exact.
TEST_CASE("empty and small") {
  fine_histogram h;
  CHECK(h.quantile(0.5) == 0);
  CHECK(h.max() == 0);
  for (std::uint64_t v = 0; v < 512; ++v) h.record(v);
  CHECK(h.count() == 512);
  CHECK(h.quantile(0) == 0);
  CHECK(h.quantile(0.5) == 255);
  CHECK(h.quantile(1) == 511);
}

// Over every magnitude, a quantile is not below the exact one and at most a 256th (a 32nd) above it.
TEST_CASE_TEMPLATE("the error is bounded", H, fine_histogram, histogram) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 20; ++round) {
    H h;
    std::vector<std::uint64_t> exact;
    for (int i = 0; i < 3000; ++i) {
      const std::uint64_t v = (random() & H::value_max) >> random() % 40;
      exact.push_back(v);
      h.record(v);
    }
    std::sort(exact.begin(), exact.end());
    for (const double q : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(exact.size())));
      const std::uint64_t truth = exact[rank - 1];
      CHECK(h.quantile(q) >= truth);
      CHECK(h.quantile(q) - truth <= truth / H::steps);
    }
    CHECK(h.max() == exact.back());
  }
}

// The largest values have a bucket too.
TEST_CASE_TEMPLATE("extremes", H, fine_histogram, histogram) {
  H h;
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

// What came after a copy was made is what the difference holds; its largest value is exact only if it is a new one.
TEST_CASE("since") {
  histogram h;
  for (int i = 0; i < 100; ++i) h.record(1000);
  h.record(90'000);
  const histogram before = h;
  CHECK(h.since(before).count() == 0);
  CHECK(h.since(before).max() == 0);
  h.record(20'000, 9);
  h.record(50, 1);
  const histogram after = h.since(before);
  CHECK(after.count() == 10);
  CHECK(after.sum() == 180'050);
  CHECK(after.mean() == doctest::Approx(18'005));
  CHECK(after.max() >= 20'000);
  CHECK(after.max() <= 20'000 + 20'000 / histogram::steps);
  CHECK(after.quantile(0.1) == 50);
  h.record(100'000);
  CHECK(h.since(before).max() == 100'000);
}

// What is carried elsewhere bucket by bucket is the same histogram there.
TEST_CASE("carried") {
  histogram h;
  CHECK(h.used().counts.empty());
  for (std::uint64_t v = 700; v < 3'000'000; v = v * 5 / 4) h.record(v, v % 7);
  histogram copy;
  const auto used = h.used();
  CHECK(used.counts.front() != 0);
  CHECK(used.counts.back() != 0);
  for (std::size_t i = 0; i < used.counts.size(); ++i) copy.add_bucket(used.first + i, used.counts[i]);
  copy.add_totals(h.sum(), h.max());
  CHECK(copy.count() == h.count());
  CHECK(copy.mean() == h.mean());
  for (const double q : {0.0, 0.1, 0.5, 0.99, 1.0}) CHECK(copy.quantile(q) == h.quantile(q));
}

// A clock that went back counts as no time.
TEST_CASE("backwards") {
  histogram h;
  h.record(std::chrono::nanoseconds(-5));
  h.record(std::chrono::microseconds(2));
  CHECK(h.count() == 2);
  CHECK(h.sum() == 2000);
}

} // namespace quorumd::metrics
