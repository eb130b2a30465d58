#include "daemon/cli/bench.hpp"

#include <doctest/doctest.h>

#include <set>
#include <vector>

namespace quorumd::cli {

// Two connections in a closed loop share one count; each operation is started once, whenever one is free.
TEST_CASE("closed loop") {
  bench_options o;
  o.connections = 2;
  std::uint64_t shared = 0;
  bench_schedule a(o, 5, 0, shared);
  bench_schedule b(o, 5, 1, shared);
  std::vector<std::uint64_t> numbers;
  bench_schedule::start s;
  for (bench_schedule* which : {&a, &b, &b, &b, &a}) {
    REQUIRE(which->take(1000 + numbers.size(), s));
    CHECK(s.intended_ns == 1000 + numbers.size());
    numbers.push_back(s.number);
  }
  CHECK(numbers == std::vector<std::uint64_t>{0, 1, 2, 3, 4});
  CHECK_FALSE(a.take(5000, s));
  CHECK(a.exhausted());
  CHECK(b.exhausted());
}

// In an open loop an operation starts at its time, not before; one that is late keeps the time it was meant to start.
TEST_CASE("open loop") {
  bench_options o;
  o.connections = 2;
  o.rate = 1000; // one each millisecond over both
  std::uint64_t shared = 0;
  bench_schedule second(o, 5, 1, shared); // has the operations 1 and 3
  bench_schedule::start s;
  CHECK(second.next_ns() == 1'000'000);
  CHECK_FALSE(second.take(999'999, s));
  REQUIRE(second.take(1'000'000, s));
  CHECK(s.number == 1);
  CHECK_FALSE(second.exhausted());
  REQUIRE(second.take(50'000'000, s));
  CHECK(s.number == 3);
  CHECK(s.intended_ns == 3'000'000);
  CHECK(second.exhausted());
  CHECK_FALSE(second.take(60'000'000, s));
}

// Over all connections each number comes exactly once.
TEST_CASE("open loop shares") {
  bench_options o;
  o.connections = 3;
  o.rate = 10;
  std::uint64_t shared = 0;
  std::set<std::uint64_t> numbers;
  for (std::uint64_t i = 0; i < 3; ++i) {
    bench_schedule s(o, 100, i, shared);
    bench_schedule::start at;
    while (s.take(~std::uint64_t{0}, at)) CHECK(numbers.insert(at.number).second);
  }
  CHECK(numbers.size() == 100);
}

// The report has exactly the agreed names, in microseconds, and counts successes.
TEST_CASE("bench report") {
  bench_options o;
  o.op = bench_op::mixed;
  o.clients = 8;
  o.connections = 2;
  o.total = 5;
  bench_result r;
  for (const std::uint64_t us : {100, 200, 300, 400}) r.latency_ns.record(us * 1000);
  r.errors = 1;
  r.seconds = 0.5;
  CHECK(bench_json(o, r) ==
        "{\"op\":\"mixed\",\"clients\":8,\"connections\":2,\"total\":5,\"seconds\":0.500000,\"ops_per_second\":8.0,"
        "\"latency_us\":{\"p50\":200.2,\"p90\":400.0,\"p99\":400.0,\"p999\":400.0,\"max\":400.0},\"errors\":1}\n");
  CHECK(bench_text(o, r).find("8 operations a second, 0.500 seconds") != std::string::npos);
  CHECK(bench_text(o, r).find("1 error\n") != std::string::npos);
  const bench_result nothing;
  CHECK(bench_json(o, nothing).find("\"ops_per_second\":0.0,") != std::string::npos);
}

} // namespace quorumd::cli
