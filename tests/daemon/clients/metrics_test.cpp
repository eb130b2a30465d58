#include "tests/cluster/raw_client.hpp"
#include "tests/daemon/clients/port_client.hpp"
#include "tests/daemon/fixture/node_rig.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string_view>

using namespace quorumd;
using namespace quorumd::testing;
using namespace std::chrono_literals;

// A node tells what it measured: every put and read is in its stages, once, whatever loop its session is on.
TEST_CASE("a node tells where the time went") {
  for (const std::size_t loops : {1U, 3U}) {
    node_rig rig(with(loops));
    constexpr std::uint64_t n = 40;
    for (std::uint64_t i = 0; i < n; ++i) {
      REQUIRE(served(rig.call(kv::command(kv::put{.key = "a", .value = "1"}))));
      REQUIRE(served(rig.call(client::range_read{.request = {.key = "a"}, .serializable = false})));
    }
    const auto answer = rig.call(client::metrics_request{});
    REQUIRE(served(answer));
    const auto& m = std::get<client::metrics_reply>(answer->reply.body);
    CHECK(m.node == "n1");
    const auto count = [&](std::string_view name) {
      std::uint64_t sum = 0;
      for (const auto& d : m.distributions)
        if (d.name == name) sum += d.values.count();
      return sum;
    };
    for (const auto* stage : {"put.inbox", "put.propose", "put.encode", "put.sync", "put.commit", "put.apply",
                              "put.answer", "put.whole", "read.inbox", "read.round", "read.apply", "read.whole"}) {
      CAPTURE(stage);
      CHECK(count(stage) == n);
    }
    CHECK(count("client.receive") == 2 * n);
    CHECK(count("client.reply") == 2 * n);
    CHECK(count("log.sync") > 0);
    CHECK(count("loop.lag") > 0);
    CHECK(count("mailbox.wait") > 0);
    CHECK(std::count_if(m.distributions.begin(), m.distributions.end(),
                        [](const auto& d) { return d.name == "loop.lag"; }) == std::ptrdiff_t(loops));
    const auto resident = std::find_if(m.readings.begin(), m.readings.end(),
                                       [](const auto& r) { return r.name == "process.resident_bytes"; });
    REQUIRE(resident != m.readings.end());
    CHECK(resident->value > 1'000'000);
  }
}

// Who asks for everything at once gets a few answers and refusals, never a node that is busy with nothing else.
TEST_CASE("few ask what was measured at a time") {
  node_rig rig(with(1));
  raw_connection c({"127.0.0.1", rig.port()});
  constexpr std::size_t n = 500;
  wire::byte_buffer out;
  for (std::uint64_t id = 1; id <= n; ++id) client::encode_request(out, id, 20s, client::metrics_request{});
  REQUIRE(c.send(out));
  std::size_t refused = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto r = c.receive(10s);
    REQUIRE(r.has_value());
    const auto* e = std::get_if<client::client_error>(&r->body);
    if (e == nullptr) continue;
    CHECK(e->code == wire::request_errc::overloaded);
    ++refused;
  }
  CHECK(refused > 0);
  CHECK(refused < n);
}
