#include "tests/cluster/cluster.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

using namespace quorumd::testing;
using quorumd::wire::request_errc;

namespace {

quorumd::wire::byte_buffer puts(std::uint64_t count, milliseconds deadline) {
  quorumd::wire::byte_buffer out;
  for (std::uint64_t id = 1; id <= count; ++id)
    quorumd::client::encode_request(out, id, deadline,
                                    quorumd::kv::command(quorumd::kv::put{.key = "key", .value = "v"}));
  return out;
}

request_errc code_of(const quorumd::client::client_reply& r) {
  const auto* e = std::get_if<quorumd::client::client_error>(&r.body);
  return e == nullptr ? request_errc::none : e->code;
}

std::uint64_t resident_bytes(pid_t pid) {
  std::ifstream statm("/proc/" + std::to_string(pid) + "/statm");
  std::uint64_t pages = 0;
  statm >> pages >> pages;
  return pages * 4096;
}

/// Whether some socket of this machine is connected to that port of it.
bool established_with(std::uint16_t remote_port) {
  std::ifstream table("/proc/net/tcp");
  char wanted[16];
  std::snprintf(wanted, sizeof wanted, ":%04X", remote_port);
  std::string number;
  std::string local;
  std::string remote;
  std::string state;
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    words >> number >> local >> remote >> state;
    if (state == "01" && remote.ends_with(wanted)) return true;
  }
  return false;
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

// Clients pipeline four thousand reads of 0.75 MB each and read nothing: the node's memory grows by what they may hold
// and no more, it goes on leading and serves a client beside them, and gives the memory back when they are gone.
TEST_CASE("clients that never read cost little memory") {
  cluster c("limits_reader", {.nodes = 3});
  c.start_all();
  c.wait_all_healthy();
  const std::size_t leader = c.wait_leader();
  REQUIRE(c.at(leader, {"put", "large", "-"}, std::string(750000, 'x')).code == 0);
  const std::uint64_t term = c.status(leader)->term.value();
  const std::uint64_t before = resident_bytes(c.node(leader).pid());
  constexpr std::uint64_t mib = std::uint64_t{1} << 20;
  {
    std::vector<std::unique_ptr<raw_connection>> deaf;
    quorumd::wire::byte_buffer out;
    for (std::uint64_t id = 1; id <= 4000; ++id)
      quorumd::client::encode_request(out, id, seconds(60),
                                      quorumd::client::range_read{.request = {.key = "large"}, .serializable = false});
    const std::string all(reinterpret_cast<const char*>(out.bytes().data()), out.size());
    for (int i = 0; i < 4; ++i) {
      deaf.push_back(std::make_unique<raw_connection>(c.client_place(leader), 4096));
      deaf.back()->send(all, milliseconds(500));
    }
    for (int i = 0; i < 20; ++i) {
      REQUIRE(c.at(leader, {"put", "key", "value"}).code == 0);
      const std::uint64_t now = resident_bytes(c.node(leader).pid());
      REQUIRE_MESSAGE(now < before + 4 * 24 * mib, (now / mib) << " MiB after " << (before / mib));
    }
  }
  REQUIRE(c.status(leader)->term.value() == term);
  REQUIRE(c.status(leader)->role == quorumd::raft::role::leader);
  REQUIRE(eventually([&] { return resident_bytes(c.node(leader).pid()) < before + 48 * mib; }, seconds(10)));
}

// As many clients as may connect, and the places of this machine too, say nothing: a put gets through once they are
// closed, and a question about health at once or nearly.
TEST_CASE("silent connections lock nobody out") {
  cluster c("limits_silent", {.nodes = 1, .set = {"limits.handshake_timeout=4s"}});
  c.start_all();
  c.wait_healthy(0);
  std::vector<std::unique_ptr<raw_connection>> silent;
  for (int i = 0; i < 512 + 32; ++i) {
    silent.push_back(std::make_unique<raw_connection>(c.client_place(0)));
    REQUIRE(silent.back()->connected());
  }
  const auto began = std::chrono::steady_clock::now();
  const command_result health = c.at(0, {"health", "--timeout", "2s"});
  REQUIRE_MESSAGE(health.code == 0, health.errors);
  REQUIRE(eventually([&] { return c.at(0, {"put", "key", "value"}).code == 0; }, seconds(15)));
  REQUIRE(std::chrono::steady_clock::now() - began > seconds(2));
  REQUIRE(c.logged(0, "limits.handshake_timeout"));
  for (auto& s : silent) REQUIRE(s->closed_within(seconds(1)));
}

// The other end vanishes without a word, as a machine does that loses its power: its connection is given up within a
// minute. Needs the right to let a socket end so.
TEST_CASE("a half-open connection is given up within a minute") {
  cluster c("limits_half_open", {.nodes = 1});
  c.start_all();
  c.wait_healthy(0);
  raw_connection vanishes(c.client_place(0));
  REQUIRE(vanishes.send(puts(1, seconds(5))));
  REQUIRE(vanishes.receive(seconds(5)).has_value());
  const std::uint16_t port = vanishes.local_port();
  REQUIRE(established_with(port));
  if (!vanishes.vanish()) {
    MESSAGE("skipped: TCP_REPAIR is not permitted here");
    return;
  }
  REQUIRE(established_with(port));
  REQUIRE(eventually([&] { return !established_with(port); }, seconds(60)));
}

// Beyond limits.clients_max a connection is told so and closed; once one of the others ends there is room again.
TEST_CASE("one client too many is told so") {
  cluster c("limits_clients", {.nodes = 1, .set = {"limits.clients_max=4"}});
  const std::size_t places = 4 + 32; // this machine has some of its own
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
  for (std::size_t i = 0; i < places; ++i) REQUIRE(eventually(admitted, seconds(5)));
  raw_connection late(c.client_place(0));
  REQUIRE(answer(late) == request_errc::overloaded);
  REQUIRE(late.closed_within(seconds(3)));
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

// A hundred transactions that each answer with a mebibyte go through a follower: its stream to the leader carries the
// results as it has room, and holds.
TEST_CASE("large results come back through a follower") {
  cluster c("limits_forward", {.nodes = 3});
  c.start_all();
  c.wait_all_healthy();
  const std::size_t leader = c.wait_leader();
  const std::size_t follower = (leader + 1) % c.size();
  REQUIRE(c.at(leader, {"put", "large", "-"}, std::string(1'040'000, 'x')).code == 0);
  const std::uint64_t term = c.status(leader)->term.value();
  quorumd::kv::txn t;
  t.success = {quorumd::kv::operation{quorumd::kv::put{.key = "count", .value = "1"}},
               quorumd::kv::operation{quorumd::kv::range_request{.key = "large"}}};
  quorumd::wire::byte_buffer out;
  for (std::uint64_t id = 1; id <= 100; ++id)
    quorumd::client::encode_request(out, id, seconds(30), quorumd::kv::command(t));
  raw_connection client(c.client_place(follower));
  REQUIRE(client.send(out));
  for (int i = 0; i < 100; ++i) {
    const auto reply = client.receive(seconds(30));
    REQUIRE(reply.has_value());
    REQUIRE(code_of(*reply) == request_errc::none);
  }
  REQUIRE(c.status(leader)->term.value() == term);
  for (std::size_t i = 0; i < c.size(); ++i) REQUIRE_FALSE(c.logged(i, "ended:"));

  // Why a stream ended is said, on both sides.
  REQUIRE(c.stop((leader + 2) % c.size()) == 0);
  REQUIRE(c.logged_within(leader, "ended: the other end said: " + c.node_name((leader + 2) % c.size()) + " is stopping",
                          seconds(5)));
}

// limits.watches_bytes_max bounds what is watched by etcd's API, and etcd.watch_progress_every says how often a watch
// hears that nothing happened.
TEST_CASE("watches of etcd's API are bounded and hear of progress as configured") {
  cluster c("limits_watches",
            {.nodes = 1, .set = {"limits.watches_bytes_max=1MiB", "etcd.watch_progress_every=300ms"}});
  c.start_all();
  c.wait_all_healthy();
  raw_connection client(c.client_place(0));
  REQUIRE(client.send("POST /v3/watch HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
  const auto create = [&](const std::string& key, const std::string& more) {
    const std::string text = R"({"create_request":{"key":")" + key + "\"" + more + "}}";
    std::ostringstream chunk;
    chunk << std::hex << text.size() << "\r\n" << text << "\r\n";
    REQUIRE(client.send(chunk.str()));
  };
  std::string said;
  create("YQ==", R"(,"progress_notify":true)");
  REQUIRE(client.says("\"created\":true", said));
  for (int times = 0; times < 3; ++times) {
    const std::size_t before = said.size();
    REQUIRE(client.says("\"result\":{\"header\":{", said, before, seconds(5))); // and no events
    REQUIRE(said.find("created", before) == std::string::npos);
  }
  const std::string large(600'000, 'A'); // 450,000 bytes in base 64
  create(large + "YQ==", "");
  create(large + "Yg==", "");
  REQUIRE(said.find("cancel_reason") == std::string::npos);
  create(large + "Yw==", "");
  REQUIRE(client.says("as much memory as this member gives them (limits.watches_bytes_max)", said));
}
