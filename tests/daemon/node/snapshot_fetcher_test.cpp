#include "daemon/node/snapshot_fetcher.hpp"

#include "coro/asio_network.hpp"
#include "coro/clock.hpp"
#include "coro/entropy.hpp"
#include "tests/support/memory_files.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace quorumd;
using namespace std::chrono_literals;

// Nobody answers: it is given up, and says so.
TEST_CASE("a snapshot that nobody sends is given up") {
  testing::memory_files files;
  coro::steady_clock clock;
  coro::asio_network network;
  coro::system_entropy entropy;
  wire::peer_observer observer;
  node::wanted_snapshot wanted{.directory = "snapshots",
                               .cluster = cluster_id(1),
                               .group = group_id(1),
                               .at_least = log_index(5),
                               .transport = {}};
  wanted.transport.listen = {"127.0.0.1", 0};
  wanted.transport.self.id = node_id(1);
  wanted.transport.self.members = {{node_id(1), "n1", "127.0.0.1:1"}, {node_id(2), "n2", "127.0.0.1:1"}};
  const auto fetched =
      node::fetch_snapshot(wanted, files, clock, network, entropy, observer, nullptr, coro::duration(300ms));
  REQUIRE(fetched.has_error());
  CHECK(fetched.error().code == storage::error_code::not_found);
  CHECK(fetched.error().message().find("no member that leads sent a snapshot") != std::string::npos);
}
