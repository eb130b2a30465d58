#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>

// Nodes whose clocks are not the machine's (shim/clock.cpp).
using namespace quorumd::testing;
using quorumd::wire::request_errc;

namespace {

using test_clock = std::chrono::steady_clock;
constexpr seconds year = std::chrono::hours(24 * 365);

/// The year, as the node's clock has it, in which its log begins.
int first_year(const cluster& c, std::size_t i) {
  return std::atoi(c.log(i).c_str());
}

int year_now() {
  const auto today = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
  return static_cast<int>(std::chrono::year_month_day(today).year());
}

} // namespace

// The members' wall clocks are decades apart, and jump to and fro under an import; the leader is lost meanwhile.
// Nothing goes by them: a lease and old revisions last for as long as they should, and no longer; nothing acknowledged
// is lost.
TEST_CASE("clocks: wall clocks that jump by years") {
  cluster c("clock_wall", {.set = {"history.keep_for=8s", "history.keep_revisions=0"}, .moved_clocks = true});
  c.clock(0).set_wall(30 * year);
  c.clock(1).set_wall(-30 * year);
  c.start_all();
  c.wait_all_healthy();
  CHECK(std::abs(first_year(c, 0) - year_now() - 30) <= 1);
  CHECK(std::abs(first_year(c, 1) - year_now() + 30) <= 1);
  done(c.anywhere({"put", "key", "old"}));
  const std::uint64_t old = c.status(c.wait_leader())->revision.value();
  const command_result granted = done(c.anywhere({"lease", "grant", "8s"}));
  const test_clock::time_point began = test_clock::now(); // or just before
  const std::string lease = granted.output.substr(0, granted.output.find('\n'));
  done(c.anywhere({"put", "worker", "busy", "--lease", lease}));
  done(c.anywhere({"put", "key", "new"}));
  const auto read_old = [&] { return c.anywhere({"get", "key", "--revision", std::to_string(old)}); };

  std::mt19937_64 random(1);
  const auto words = make_words(6000);
  import_run run(c);
  for (std::size_t i = 0; i < 6; ++i) {
    if (i == 3) {
      const std::size_t lost = c.wait_leader();
      c.kill(lost);
      c.start(lost);
    }
    for (std::size_t n = 0; n < c.size(); ++n) c.clock(n).set_wall(year * (static_cast<int>(random() % 61) - 30));
    run.feed(words, 1000 * i, 1000 * (i + 1));
    const std::string busy = c.anywhere({"get", "worker"}).output;
    const std::string kept = read_old().output;
    if (test_clock::now() - began < seconds(7)) {
      CHECK(busy == "busy\n");
      CHECK(kept == "old\n");
    }
    std::this_thread::sleep_for(milliseconds(700));
  }
  run.finish(words.size());
  const auto compacted = [&] { return read_old().errors.find("compacted") != std::string::npos; };
  REQUIRE(eventually(compacted, seconds(20)));
  REQUIRE(eventually([&] { return c.anywhere({"get", "worker"}).code == 1; }, seconds(20)));
  c.check_all_hold(words);
}

// The clocks by which a process waits stand still, as in a virtual machine that is stopped and does not know: of a
// leader that has nothing to do, so that another one takes its place, then of a leader and of a follower under an
// import. They go on from where they stood.
TEST_CASE("clocks: clocks that stand still") {
  cluster c("clock_still", {.moved_clocks = true});
  c.start_all();
  c.wait_all_healthy();
  const auto words = make_words(6000);
  import_run run(c);
  run.feed(words, 0, 1000);
  const std::size_t old = c.wait_leader();
  c.clock(old).stop();
  const std::size_t next = c.wait_leader(seconds(10), old);
  REQUIRE(next != old);
  REQUIRE(put_once(c.client_place(next), "while", "the old leader's clocks stand", seconds(5)).code ==
          request_errc::none);
  c.clock(old).go_on();
  c.wait_healthy(old);

  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t leader = c.wait_leader();
    const std::size_t still = i % 2 == 0 ? leader : (leader + 1) % c.size();
    c.clock(still).stop();
    run.feed(words, 1000 * (i + 1), 1000 * (i + 1) + 500);
    std::this_thread::sleep_for(seconds(1));
    run.feed(words, 1000 * (i + 1) + 500, 1000 * (i + 2));
    c.clock(still).go_on();
  }
  run.feed(words, 5000, 6000);
  run.finish(words.size());
  for (std::size_t i = 0; i < c.size(); ++i) CHECK(c.clock(i).readings() > 0);
  c.check_all_hold(words);
}
