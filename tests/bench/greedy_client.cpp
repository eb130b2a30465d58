// A client that asks for much: connections that each keep so many reads of a key under way, and read the replies, or
// never do. For measurements beside it: what it costs others, and the node's memory.
//   bench_greedy_client HOST PORT KEY CONNECTIONS PIPELINED SECONDS [deaf]
#include "tests/cluster/raw_client.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace quorumd;
using clock_type = std::chrono::steady_clock;

std::atomic<std::uint64_t> replies{0};

std::string reads(std::string_view key, std::uint64_t first, std::uint64_t n) {
  wire::byte_buffer out;
  for (std::uint64_t id = first; id < first + n; ++id)
    client::encode_request(out, id, 60s, client::range_read{.request = {.key = key}, .serializable = false});
  return {reinterpret_cast<const char*>(out.bytes().data()), out.size()};
}

/// As many are under way at any time; each reply makes room for one more.
void run_greedy(const testing::place& at, const std::string& key, std::uint64_t pipelined, bool deaf,
                clock_type::time_point until) {
  testing::raw_connection c(at);
  std::uint64_t next = 1 + pipelined;
  if (!c.send(reads(key, 1, pipelined), 10s) && !deaf) return;
  if (deaf) {
    std::this_thread::sleep_until(until);
    return;
  }
  while (clock_type::now() < until) {
    if (!c.receive(10s)) return;
    ++replies;
    if (!c.send(reads(key, next++, 1), 10s)) return;
  }
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 7) {
    std::fprintf(stderr, "usage: %s HOST PORT KEY CONNECTIONS PIPELINED SECONDS [deaf]\n", argv[0]);
    return 64;
  }
  const testing::place at{argv[1], static_cast<std::uint16_t>(std::atoi(argv[2]))};
  const int seconds = std::atoi(argv[6]);
  const auto until = clock_type::now() + std::chrono::seconds(seconds);
  std::vector<std::thread> clients;
  for (int i = 0; i < std::atoi(argv[4]); ++i)
    clients.emplace_back(run_greedy, at, std::string(argv[3]), static_cast<std::uint64_t>(std::atoll(argv[5])),
                         argc > 7, until);
  for (std::thread& t : clients) t.join();
  std::printf("%llu replies in %d s\n", static_cast<unsigned long long>(replies.load()), seconds);
  return 0;
}
