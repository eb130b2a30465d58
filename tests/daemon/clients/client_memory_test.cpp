#include "tests/daemon/clients/port_client.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace quorumd;
using namespace quorumd::testing;
using namespace std::chrono_literals;

// What clients hold of a node: requests under way, and replies that they do not take.

// Four clients pipeline four thousand reads of 0.75 MB each and read nothing: each holds what it may and one reply
// more, another client is served meanwhile, and once they are gone what they had asked for is dropped.
TEST_CASE("clients that never read hold no more than they may") {
  constexpr std::size_t queue = std::size_t{4} << 20;
  constexpr std::size_t reply = std::size_t{768} * 1024;
  for (const std::size_t loops : {1U, 2U}) {
    node_rig rig(with(loops, {.queue_bytes_max = queue}));
    REQUIRE(served(rig.call(kv::command(kv::put{.key = "big", .value = std::string(reply, 'v')}))));
    wire::byte_buffer out;
    for (std::uint64_t id = 1; id <= 4000; ++id) get(out, id, "big");
    {
      std::vector<std::unique_ptr<raw_connection>> deaf;
      for (int i = 0; i < 4; ++i) {
        deaf.push_back(std::make_unique<raw_connection>(at(rig), 4096));
        deaf.back()->send(std::string_view(reinterpret_cast<const char*>(out.bytes().data()), out.size()), 1s);
      }
      const auto waits_for_room = [&] { return rig.held_bytes() >= 4 * queue / 2; };
      CHECK(comes_true(waits_for_room));
      const auto until = std::chrono::steady_clock::now() + 300ms;
      while (std::chrono::steady_clock::now() < until) {
        REQUIRE(served(rig.call(client::range_read{.request = {.key = "small"}, .serializable = false})));
        CHECK(rig.held_bytes() <= 4 * (queue + reply + reply));
      }
      CHECK(rig.slow_clients() == 0);
      CHECK(rig.connections() == 5);
    }
    CHECK(comes_true([&] { return rig.connections() == 1; }));
    CHECK(rig.held_bytes() == 0);
  }
}

// A client that pauses and then reads gets every reply that it asked for, though there was never room for all.
TEST_CASE("replies go on when there is room again") {
  for (const std::size_t loops : {1U, 2U}) {
    node_rig rig(with(loops, {.queue_bytes_max = std::size_t{1} << 20}));
    REQUIRE(served(rig.call(kv::command(kv::put{.key = "big", .value = std::string(256 * 1024, 'v')}))));
    wire::byte_buffer out;
    for (std::uint64_t id = 1; id <= 200; ++id) get(out, id, "big");
    raw_connection c(at(rig), 4096);
    REQUIRE(c.send(out));
    for (const auto& [id, code] : replies(c, 200)) CHECK(code == request_errc::none);
  }
}

// Requests that wait for a disk hold memory too: beyond what they may, nothing more is read from their client, and it
// goes on when they are done.
TEST_CASE("requests under way hold no more than they may") {
  constexpr std::size_t queue = std::size_t{2} << 20;
  constexpr std::size_t value = std::size_t{64} * 1024;
  node_rig rig(with(2, {.queue_bytes_max = queue}));
  REQUIRE(served(rig.call(client::health_request{})));
  rig.hold_disk();
  raw_connection c(at(rig));
  wire::byte_buffer out;
  for (std::uint64_t id = 1; id <= 200; ++id) put(out, id, "key", std::string(value, 'v'));
  const std::string all(reinterpret_cast<const char*>(out.bytes().data()), out.size());
  std::thread sends([&] { CHECK(c.send(all, 20s)); });
  CHECK(comes_true([&] { return rig.held_bytes() >= queue / 2; }));
  std::this_thread::sleep_for(100ms);
  CHECK(rig.held_bytes() <= queue / 2 + 2 * value);
  rig.release_disk();
  for (const auto& [id, code] : replies(c, 200)) CHECK(code == request_errc::none);
  sends.join();
  CHECK(comes_true([&] { return rig.held_bytes() == 0; }));
}

// Requests of others wait for a disk and hold as much as all may: whoever asks how the node is, or reads what it has,
// is answered, and so is a read of everybody's that needs room for its reply.
TEST_CASE("requests that wait keep nobody from asking how the node is") {
  for (const bool by_number : {false, true}) {
    node_rig rig({.loops = 2,
                  .clients = {.session = {.queue_bytes_max = std::size_t{8} << 20},
                              .inflight_max = by_number ? std::size_t{20} : std::size_t{65'536},
                              .queues_bytes_max = std::size_t{6} << 20}});
    REQUIRE(served(rig.call(kv::command(kv::put{.key = "key", .value = "value"}))));
    rig.hold_disk();
    std::vector<std::unique_ptr<raw_connection>> others;
    wire::byte_buffer out;
    // By number each asks for more than all may: whoever comes first, everyone is refused something.
    const std::uint64_t requests = by_number ? 40 : 20;
    for (std::uint64_t id = 1; id <= requests; ++id) put(out, id, "key", std::string(by_number ? 100 : 200'000, 'v'));
    const std::string all(reinterpret_cast<const char*>(out.bytes().data()), out.size());
    std::vector<std::thread> sending;
    // So many that none of them holds as much as is left over before that is next to nothing: else all would stop
    // early.
    for (int i = 0; i < 8; ++i) {
      others.push_back(std::make_unique<raw_connection>(at(rig)));
      sending.emplace_back([&c = *others.back(), &all] { (void)c.send(all, 20s); });
    }
    if (by_number) {
      const auto refused = others.back()->receive(10s);
      REQUIRE(refused.has_value());
      REQUIRE(code_of(*refused) == request_errc::overloaded);
    } else {
      REQUIRE(comes_true([&] { return rig.held_bytes() >= 2'800'000; }));
    }
    raw_connection probe(at(rig));
    wire::byte_buffer questions;
    client::encode_request(questions, 1, 5s, client::health_request{});
    client::encode_request(questions, 2, 5s, client::status_request{.all = true});
    if (!by_number)
      client::encode_request(questions, 3, 5s, client::range_read{.request = {.key = "key"}, .serializable = true});
    REQUIRE(probe.send(questions));
    for (const auto& [id, code] : replies(probe, by_number ? 2 : 3)) CHECK(code == request_errc::none);
    rig.release_disk();
    for (std::thread& t : sending) t.join();
  }
}

// A large request that was begun holds memory: whoever does not go on with it is let go while others want it.
TEST_CASE("a large request that is not gone on with") {
  node_rig rig({.loops = 1, .clients = {.queues_bytes_max = std::size_t{6} << 20}});
  wire::byte_buffer whole;
  put(whole, 1, "key", std::string(1'400'000, 'v'));
  const std::string begun(reinterpret_cast<const char*>(whole.bytes().data()), 100);
  std::vector<std::unique_ptr<raw_connection>> hung;
  for (int i = 0; i < 3; ++i) {
    hung.push_back(std::make_unique<raw_connection>(at(rig)));
    wire::byte_buffer hello;
    client::encode_request(hello, 1, 5s, client::client_hello{.software = "hung"});
    REQUIRE(hung.back()->send(hello));
    REQUIRE(hung.back()->receive(10s).has_value());
    REQUIRE(hung.back()->send(begun));
  }
  REQUIRE(comes_true([&] { return rig.held_bytes() >= 2'000'000; }));
  raw_connection honest(at(rig));
  REQUIRE(honest.send(whole));
  CHECK(replies(honest, 1).at(1) == request_errc::none);
}

// The same where it is the node that does not read on, since what came before holds all that there is: its client
// stays.
TEST_CASE("a large request that waits for the memory of the one before it") {
  node_rig rig({.loops = 1, .clients = {.queues_bytes_max = std::size_t{4} << 20}});
  REQUIRE(served(rig.call(kv::command(kv::put{.key = "key", .value = "value"}))));
  rig.hold_disk();
  wire::byte_buffer out;
  put(out, 1, "key", std::string(600'000, 'v'));
  put(out, 2, "key", std::string(1'400'000, 'v'));
  raw_connection c(at(rig));
  REQUIRE(c.send(out));
  REQUIRE(comes_true([&] { return rig.held_bytes() >= 1'900'000; }));
  std::this_thread::sleep_for(1500ms); // longer than a client may pause that is waited for
  rig.release_disk();
  for (const auto& [id, code] : replies(c, 2)) CHECK(code == request_errc::none);
}

// When all clients together hold nearly as much as they may, those that take nothing are closed, and the others go on.
TEST_CASE("whoever takes nothing leaves when memory is short") {
  node_rig rig(
      {.loops = 2,
       .clients = {.session = {.queue_bytes_max = std::size_t{4} << 20}, .queues_bytes_max = std::size_t{6} << 20}});
  REQUIRE(served(rig.call(kv::command(kv::put{.key = "big", .value = std::string(512 * 1024, 'v')}))));
  wire::byte_buffer out;
  for (std::uint64_t id = 1; id <= 20; ++id) get(out, id, "big");
  std::vector<std::unique_ptr<raw_connection>> deaf;
  for (int i = 0; i < 12; ++i) {
    deaf.push_back(std::make_unique<raw_connection>(at(rig), 4096));
    REQUIRE(deaf.back()->send(out));
  }
  CHECK(comes_true([&] { return rig.slow_clients() >= 1; }));
  REQUIRE(served(rig.call(client::range_read{.request = {.key = "big"}, .serializable = false})));
}

// A hundred transactions that each answer with half a megabyte, pipelined by a client that reads slowly: no more are
// applied at a time than there is room for their replies, and every one is answered.
TEST_CASE("transactions with large results wait for room") {
  constexpr std::size_t queue = std::size_t{4} << 20;
  node_rig rig(with(2, {.queue_bytes_max = queue}));
  REQUIRE(served(rig.call(kv::command(kv::put{.key = "big", .value = std::string(512 * 1024, 'v')}))));
  kv::txn t;
  t.success = {kv::operation{kv::put{.key = "count", .value = "1"}}, kv::operation{kv::range_request{.key = "big"}}};
  wire::byte_buffer out;
  for (std::uint64_t id = 1; id <= 100; ++id) client::encode_request(out, id, 20s, kv::command(t));
  raw_connection c(at(rig), 4096);
  REQUIRE(c.send(out));
  CHECK(comes_true([&] { return rig.held_bytes() >= queue / 2; }));
  std::this_thread::sleep_for(200ms);
  CHECK(rig.held_bytes() <= queue);
  for (const auto& [id, code] : replies(c, 100)) CHECK(code == request_errc::none);
  CHECK(rig.slow_clients() == 0);
}
