#include "daemon/telemetry/repeat_filter.hpp"

#include <doctest/doctest.h>

#include <string>

using quorumd::telemetry::repeat_filter;
using namespace std::chrono_literals;

// The like of a line is left out for a second; the next one says how often.
TEST_CASE("a line is repeated once a second") {
  repeat_filter filter;
  const repeat_filter::time_point began{};
  CHECK(filter.admit("accept", "no files", began) == 0u);
  for (int i = 1; i <= 99; ++i) CHECK_FALSE(filter.admit("accept", "no files", began + i * 10ms).has_value());
  CHECK(filter.admit("accept", "no files", began + 1s) == 99u);
  CHECK_FALSE(filter.admit("accept", "no files", began + 1999ms).has_value());
  CHECK(filter.admit("accept", "no files", began + 2s) == 1u);
  CHECK(filter.admit("accept", "no files", began + 9s) == 0u);
}

// Other subjects are other lines, but a stranger who makes them up gets no more than a few a second.
TEST_CASE("many subjects are few lines") {
  repeat_filter filter;
  const repeat_filter::time_point began{};
  std::size_t admitted = 0;
  for (int i = 0; i < 10000; ++i)
    if (filter.admit("client", "nonsense " + std::to_string(i), began + std::chrono::microseconds(100 * i))) ++admitted;
  CHECK(admitted == repeat_filter::subjects_max);
  // What is of another kind is not hidden by that.
  CHECK(filter.admit("member", "n2 was wiped", began + 999ms) == 0u);
  CHECK(filter.admit("client", "nonsense", began + 2s) == 10000 - repeat_filter::subjects_max);
}
