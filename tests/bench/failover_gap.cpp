// How long writes pause when the leader of three nodes is lost: a closed loop of one put at a time through the
// survivors; the gap is the time from the last acknowledgement before the loss to the first one after it.
#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace quorumd::testing;
using clock_type = std::chrono::steady_clock;

constexpr std::size_t rounds_default = 20;

/// One put at a time to one node after another, on connections that stay.
class writer {
 public:
  explicit writer(cluster& c)
      : cluster_(c)
      , connections_(c.size()) {}

  /// Whether the node acknowledged a put.
  bool put(std::size_t i) {
    if (!connections_[i] || !connections_[i]->connected())
      connections_[i] = std::make_unique<raw_connection>(cluster_.client_place(i));
    quorumd::wire::byte_buffer out;
    const std::string key = "failover/" + std::to_string(++number_);
    quorumd::client::encode_request(out, number_, milliseconds(100),
                                    quorumd::kv::command(quorumd::kv::put{.key = key, .value = value_}));
    if (connections_[i]->connected() && connections_[i]->send(out)) {
      // A late answer to an earlier put is not this one's.
      while (const auto reply = connections_[i]->receive(milliseconds(150)))
        if (reply->id == number_) return !std::holds_alternative<quorumd::client::client_error>(reply->body);
    }
    connections_[i].reset();
    return false;
  }

 private:
  cluster& cluster_;
  std::vector<std::unique_ptr<raw_connection>> connections_;
  std::uint64_t number_ = 0;
  std::string value_ = std::string(256, 'v');
};

double milliseconds_of(clock_type::duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

/// The leader gets the signal in the midst of writes; the gap in milliseconds.
double gap_after(int signal, cluster& c, writer& w, std::size_t leader) {
  const std::size_t survivors[] = {(leader + 1) % c.size(), (leader + 2) % c.size()};
  const auto warm = clock_type::now() + milliseconds(200);
  std::optional<clock_type::time_point> last;
  for (std::size_t n = 0; clock_type::now() < warm || !last; ++n)
    if (w.put(survivors[n % 2])) last = clock_type::now();
  c.node(leader).signal(signal);
  // The next survivor at once when one has no answer: as a client with both endpoints does.
  for (std::size_t n = 0; !w.put(survivors[n % 2]); ++n) pause_briefly();
  return milliseconds_of(clock_type::now() - *last);
}

void measure(const char* what, int signal) {
  const char* wanted = std::getenv("FAILOVER_ROUNDS");
  const std::size_t rounds =
      wanted == nullptr ? rounds_default : static_cast<std::size_t>(std::max(1, std::atoi(wanted)));
  cluster c("failover");
  c.start_all();
  writer w(c);
  std::vector<double> gaps;
  for (std::size_t i = 0; i < rounds; ++i) {
    c.wait_all_healthy();
    const std::size_t leader = c.wait_leader();
    gaps.push_back(gap_after(signal, c, w, leader));
    std::printf("%s %zu, %s: writes paused for %.0f ms\n", what, i + 1, c.node_name(leader).c_str(), gaps.back());
    std::fflush(stdout);
    c.kill(leader);
    c.start(leader);
  }
  std::sort(gaps.begin(), gaps.end());
  std::printf("write gap, %s, %zu rounds: median %.0f ms, worst %.0f ms\n", what, rounds, gaps[(rounds - 1) / 2],
              gaps.back());
  CHECK(gaps.back() < 20000);
}

} // namespace

// Twenty kills of the leader at the default settings. Its streams are reset, so that the others know at once.
TEST_CASE("the write gap when the leader is killed") {
  measure("leader killed", SIGKILL);
}

// The same when it falls silent and its streams stay, as when its machine loses power: the election timeout decides.
TEST_CASE("the write gap when the leader falls silent") {
  measure("leader silent", SIGSTOP);
}
