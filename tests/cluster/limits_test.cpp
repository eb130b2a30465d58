#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <memory>

using namespace quorumd::testing;
using quorumd::wire::request_errc;

namespace {

quorumd::wire::byte_buffer puts(std::uint64_t count, milliseconds deadline) {
  quorumd::wire::byte_buffer out;
  for (std::uint64_t id = 1; id <= count; ++id)
    quorumd::wire::encode_request(out, id, deadline,
                                  quorumd::kv::command(quorumd::kv::put{.key = "key", .value = "v"}));
  return out;
}

request_errc code_of(const quorumd::wire::client_reply& r) {
  const auto* e = std::get_if<quorumd::wire::client_error>(&r.body);
  return e == nullptr ? request_errc::none : e->code;
}

} // namespace

// Beyond limits.inflight_requests_max a request is answered `overloaded` at once, while those before it still wait for
// a majority that is away.
TEST_CASE("a full queue answers overloaded at once") {
  cluster c("limits_queue",
            {.nodes = 3, .set = {"limits.inflight_requests_max=8", "limits.inflight_per_client_max=8"}});
  c.start_all();
  c.wait_all_healthy();
  const std::size_t leader = c.wait_leader();
  c.pause((leader + 1) % c.size());
  c.pause((leader + 2) % c.size());
  raw_connection client(c.client_place(leader));
  const auto began = std::chrono::steady_clock::now();
  REQUIRE(client.send(puts(20, seconds(3))));
  std::size_t overloaded = 0;
  for (int i = 0; i < 12; ++i) {
    const auto reply = client.receive(seconds(1));
    REQUIRE(reply.has_value());
    if (code_of(*reply) == request_errc::overloaded) ++overloaded;
  }
  REQUIRE(overloaded == 12);
  REQUIRE(std::chrono::steady_clock::now() - began < seconds(1));
  for (int i = 0; i < 8; ++i) {
    const auto reply = client.receive(seconds(6));
    REQUIRE(reply.has_value());
    REQUIRE(code_of(*reply) != request_errc::none);
    REQUIRE(code_of(*reply) != request_errc::overloaded);
  }
  c.resume((leader + 1) % c.size());
  c.resume((leader + 2) % c.size());
  c.wait_all_healthy();
  REQUIRE(c.at(leader, {"put", "key", "later"}).code == 0);
  c.check_all_hold({{"key", "later"}});
}

// A client asks for much and never reads: its connection is closed and named, and a client beside it is served.
TEST_CASE("a client that never reads is closed, and alone") {
  cluster c("limits_reader", {.nodes = 3, .set = {"limits.client_queue_bytes_max=2MiB"}});
  c.start_all();
  c.wait_all_healthy();
  REQUIRE(c.at(0, {"put", "large", "-"}, std::string(100000, 'x')).code == 0);
  raw_connection deaf(c.client_place(0), 4096);
  quorumd::wire::byte_buffer out;
  for (std::uint64_t id = 1; id <= 400; ++id)
    quorumd::wire::encode_request(out, id, seconds(20),
                                  quorumd::wire::range_read{.request = {.key = "large"}, .serializable = true});
  REQUIRE(deaf.send(out));
  REQUIRE(c.logged_within(0, "it does not read its replies", seconds(20)));
  for (int i = 0; i < 5; ++i) REQUIRE(c.at(0, {"put", "key", "value"}).code == 0);
  REQUIRE(deaf.closed_within(seconds(10)));
}

// Beyond limits.clients_max a connection is told so and closed; once one of the others ends there is room again.
TEST_CASE("one client too many is told so") {
  cluster c("limits_clients", {.nodes = 1, .set = {"limits.clients_max=4"}});
  c.start_all();
  c.wait_healthy(0);
  std::vector<std::unique_ptr<raw_connection>> clients;
  const auto answer = [&](raw_connection& r) {
    if (!r.connected() || !r.send(puts(1, seconds(2)))) return request_errc::internal;
    const auto reply = r.receive(seconds(3));
    return reply ? code_of(*reply) : request_errc::internal;
  };
  const auto admitted = [&] {
    clients.push_back(std::make_unique<raw_connection>(c.client_place(0)));
    if (answer(*clients.back()) == request_errc::none) return true;
    clients.pop_back();
    return false;
  };
  for (int i = 0; i < 4; ++i) REQUIRE(eventually(admitted, seconds(5)));
  raw_connection fifth(c.client_place(0));
  const auto told = fifth.receive(seconds(3));
  REQUIRE(told.has_value());
  REQUIRE(code_of(*told) == request_errc::overloaded);
  REQUIRE(c.logged(0, "limits.clients_max connections are open"));
  clients.pop_back();
  REQUIRE(eventually(admitted, seconds(5)));
}

// With 1,024 file descriptors, and more clients than that allows, the nodes keep their peers, serve and recover.
TEST_CASE("a thousand file descriptors are enough") {
  cluster c("limits_files", {.nodes = 3, .set = {"limits.clients_max=100000"}, .files_max = 1024});
  c.start_all();
  c.wait_all_healthy();
  REQUIRE(c.logged(0, "limits.clients_max is 100000, for which"));
  REQUIRE(c.logged(0, "this process may open 1024"));
  const std::size_t leader = c.wait_leader();
  const std::uint64_t term = c.status(leader)->term.value();
  {
    std::vector<std::unique_ptr<raw_connection>> many;
    for (int i = 0; i < 1000; ++i) {
      many.push_back(std::make_unique<raw_connection>(c.client_place(leader)));
      if (!many.back()->connected()) break;
    }
    REQUIRE(c.at((leader + 1) % c.size(), {"put", "key", "value"}).code == 0);
    REQUIRE(c.node(leader).running());
  }
  c.wait_healthy(leader);
  REQUIRE(c.status(leader)->term.value() == term);
  const auto words = make_words(5000);
  REQUIRE(c.anywhere({"import", "-"}, to_lines(words)).code == 0);
  c.check_all_hold(words);
}

// A put beyond limits.request_bytes_max is refused with a message that names the limit, one within it is not.
TEST_CASE("a value that is too large is refused by its limit") {
  cluster c("limits_value", {.nodes = 1, .set = {"limits.request_bytes_max=256KiB"}});
  c.start(0);
  c.wait_healthy(0);
  const command_result r = c.at(0, {"put", "key", "-"}, std::string(std::size_t{256} * 1024, 'x'));
  REQUIRE(r.code == 2);
  REQUIRE(r.errors.find(c.endpoint(0)) != std::string::npos);
  REQUIRE(r.errors.find("limits.request_bytes_max, here 262144 bytes") != std::string::npos);
  REQUIRE(c.at(0, {"put", "key", "-"}, std::string(std::size_t{255} * 1024, 'x')).code == 0);
}
