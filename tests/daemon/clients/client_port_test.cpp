#include "tests/daemon/clients/port_client.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace quorumd;
using namespace quorumd::testing;
using namespace std::chrono_literals;

// Put, get, a transaction, a compaction, health and status go through the client port of a node that leads itself.
TEST_CASE("every kind of request is served") {
  for (const std::size_t loops : {1U, 2U}) {
    node_rig rig(with(loops));
    REQUIRE(served(rig.call(kv::command(kv::put{.key = "a", .value = "1"}))));
    REQUIRE(served(rig.call(kv::command(kv::put{.key = "a", .value = "2"}))));
    const auto got = rig.call(client::range_read{.request = {.key = "a"}, .serializable = false});
    REQUIRE(served(got));
    const auto& range = std::get<kv::range_reply>(got->reply.body);
    REQUIRE(range.kvs.size() == 1);
    CHECK(range.kvs[0].value == "2");

    kv::txn t;
    t.compares.push_back({.key = "a", .range_end = {}, .target = kv::compare_target::value, .value = "2"});
    t.success.push_back({kv::put{.key = "b", .value = "then"}});
    t.failure.push_back({kv::put{.key = "b", .value = "else"}});
    const auto decided = rig.call(kv::command(t));
    REQUIRE(served(decided));
    CHECK(std::get<kv::txn_reply>(std::get<kv::reply>(decided->reply.body).body).succeeded);

    REQUIRE(served(rig.call(kv::command(kv::compact{range.revision}))));
    const auto old = rig.call(client::range_read{
        .request = {.key = "a", .revision = revision(range.revision.value() - 1)}, .serializable = true});
    REQUIRE_FALSE(served(old));
    CHECK(old.error().code() == request_errc::store);

    const auto health = rig.call(client::health_request{});
    REQUIRE(served(health));
    CHECK(std::get<client::health_reply>(health->reply.body).serving);
    const auto status = rig.call(client::status_request{.all = true});
    REQUIRE(served(status));
    const auto& rows = std::get<client::status_reply>(status->reply.body).rows;
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].role == raft::role::leader);
    CHECK(rows[0].keys == 2);
  }
}

// Many clients ask for the table at once and leave without reading it, over and over: each question is answered once,
// and a session that ends while its answers are on their way harms nobody.
TEST_CASE("sessions end while the group answers them") {
  for (const std::size_t loops : {1U, 2U}) {
    node_rig rig(with(loops));
    REQUIRE(served(rig.call(client::health_request{})));
    for (int round = 0; round < 50; ++round) {
      wire::byte_buffer out;
      for (std::uint64_t id = 1; id <= 40; ++id) {
        client::encode_request(out, id * 3, 5s, client::status_request{.all = id % 2 == 0});
        put(out, id * 3 + 1, "key", "value");
        get(out, id * 3 + 2, "key");
      }
      raw_connection leaves(at(rig));
      raw_connection stays(at(rig));
      REQUIRE(leaves.send(out));
      if (round % 10 != 0) continue;
      REQUIRE(stays.send(out));
      for (const auto& [id, code] : replies(stays, 120)) CHECK_MESSAGE(code == request_errc::none, id);
    }
    REQUIRE(served(rig.call(kv::command(kv::put{.key = "a", .value = "1"}))));
  }
}

// Requests that are refused and then nonsense in one write: each is answered once, then the reason, then the end.
TEST_CASE("nonsense after requests repeats no answer") {
  node_rig rig(with(1));
  wire::byte_buffer out;
  put(out, 1, "", "no key");
  put(out, 2, "", "no key");
  const auto bytes = out.bytes();
  std::string all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  all += std::string("\x07\0\0\0\x01\0\0\0", 8) + std::string(64, 'x');
  raw_connection c(at(rig));
  REQUIRE(c.send(all));
  const auto codes = replies(c, 3);
  CHECK(codes.at(0) == request_errc::invalid);
  CHECK(codes.at(1) == request_errc::store);
  CHECK(codes.at(2) == request_errc::store);
  CHECK_FALSE(c.receive(10s).has_value());
  CHECK(rig.bad_clients() == 1);
}

// With the disk held and four requests of a connection under way, the fifth is refused at once; released, the four are
// done.
TEST_CASE("beyond the bound a request is overloaded at once") {
  for (const std::size_t loops : {1U, 2U}) {
    node_rig rig(with(loops, {.inflight_max = 4}));
    REQUIRE(served(rig.call(client::health_request{})));
    rig.hold_disk();
    wire::byte_buffer out;
    for (std::uint64_t id = 1; id <= 5; ++id) put(out, id, "key", "value");
    raw_connection c(at(rig));
    REQUIRE(c.send(out));
    const auto first = c.receive(10s);
    REQUIRE(first.has_value());
    CHECK(first->id == 5);
    CHECK(code_of(*first) == request_errc::overloaded);
    rig.release_disk();
    for (const auto& [id, code] : replies(c, 4)) CHECK(code == request_errc::none);
  }
}

// limits.request_bytes_max counts keys and values; one byte more is refused and the connection goes on.
TEST_CASE("a command beyond request_bytes_max is refused") {
  node_rig rig(with(1, {.request_bytes_max = 1024}));
  REQUIRE(served(rig.call(kv::command(kv::put{.key = "k", .value = std::string(1023, 'v')}))));
  const auto refused = rig.call(kv::command(kv::put{.key = "k", .value = std::string(1024, 'v')}));
  REQUIRE_FALSE(served(refused));
  CHECK(refused.error().code() == request_errc::too_large);
  REQUIRE(served(rig.call(kv::command(kv::put{.key = "k", .value = "v"}))));
}

// Every place is taken by clients of other machines. One of them more may still ask for health and status, and is told
// why it may not do anything else; this machine has places of its own.
TEST_CASE("health can be asked for though every place is taken") {
  for (const std::string& remote : {std::string("192.0.2.1:1000"), std::string("127.0.0.1:1000"),
                                    std::string("[::1]:1000"), std::string("[::ffff:127.0.0.9]:1000")}) {
    const bool elsewhere = remote.starts_with("192");
    node_rig rig({.loops = 1,
                  .clients = {.clients_max = 3, .local_clients_more = 2, .health_clients_more = 2},
                  .remote = remote});
    REQUIRE(served(rig.call(client::health_request{})));
    wire::byte_buffer out;
    get(out, 1, "key");
    std::vector<std::unique_ptr<raw_connection>> others;
    for (int i = 0; i < (elsewhere ? 2 : 4); ++i) {
      others.push_back(std::make_unique<raw_connection>(at(rig)));
      REQUIRE(others.back()->send(out));
      REQUIRE(replies(*others.back(), 1).at(1) == request_errc::none);
    }
    raw_connection probe(at(rig));
    wire::byte_buffer questions;
    client::encode_request(questions, 1, 5s, client::client_hello{.software = "probe"});
    client::encode_request(questions, 2, 5s, client::health_request{});
    client::encode_request(questions, 3, 5s, client::status_request{.all = true});
    REQUIRE(probe.send(questions));
    for (const auto& [id, code] : replies(probe, 3)) CHECK(code == request_errc::none);
    CHECK(rig.refused_clients() == 0);

    raw_connection late(at(rig));
    REQUIRE(late.send(out));
    CHECK(replies(late, 1).at(1) == request_errc::overloaded);
    CHECK(late.closed_within(10s));
    CHECK(rig.refused_clients() == 1);
    CHECK(comes_true([&] { return rig.connections() == others.size() + 2; }));
    raw_connection silent(at(rig));
    CHECK(comes_true([&] { return rig.connections() == others.size() + 3; }));
    raw_connection beyond(at(rig));
    const auto told = beyond.receive(10s);
    REQUIRE(told.has_value());
    CHECK(code_of(*told) == request_errc::overloaded);
    CHECK(silent.closed_within(5s)); // the next question finds the place free
  }
}

// Whoever connects and says nothing, or half a request, is closed in time and makes room; whoever has said something
// whole may be silent from then on.
TEST_CASE("a first frame must come in time") {
  node_rig rig({.loops = 2, .clients = {.session = {.handshake_timeout = 300ms}, .clients_max = 10}});
  REQUIRE(served(rig.call(client::health_request{})));
  raw_connection speaks(at(rig));
  wire::byte_buffer out;
  get(out, 1, "key");
  REQUIRE(speaks.send(out));
  REQUIRE(replies(speaks, 1).size() == 1);
  std::vector<std::unique_ptr<raw_connection>> silent;
  for (int i = 0; i < 8; ++i) silent.push_back(std::make_unique<raw_connection>(at(rig)));
  REQUIRE(silent[0]->send(std::string_view("\0\0\0\0\x08\0\0\0half", 12)));
  for (auto& s : silent) CHECK(s->closed_within(10s));
  CHECK(rig.bad_clients() == 8);
  CHECK(comes_true([&] { return rig.connections() == 2; }));
  REQUIRE(speaks.send(out));
  CHECK(replies(speaks, 1).size() == 1);
}

TEST_CASE("a first frame must come in time, also where there is no other client") {
  for (const std::size_t loops : {1U, 2U}) {
    node_rig rig({.loops = loops, .clients = {.session = {.handshake_timeout = 300ms}}});
    for (int i = 0; i < 2; ++i) {
      raw_connection silent(at(rig));
      CHECK(silent.closed_within(10s));
      CHECK(comes_true([&] { return rig.connections() == 0; }));
    }
  }
}

// A client that never reads, with answers both written and under way, does not keep a stop.
TEST_CASE("a stop does not wait for a client that never reads") {
  for (const std::size_t loops : {1U, 2U}) {
    node_rig rig(with(loops));
    REQUIRE(served(rig.call(kv::command(kv::put{.key = "big", .value = std::string(1024 * 1024, 'v')}))));
    raw_connection c(at(rig), 4096);
    wire::byte_buffer out;
    for (std::uint64_t id = 1; id <= 8; ++id) get(out, id, "big");
    REQUIRE(c.send(out));
    REQUIRE(served(rig.call(client::health_request{}))); // they are served by now, or before the stop's own turn
    rig.hold_disk();
    wire::byte_buffer more;
    for (std::uint64_t id = 9; id <= 12; ++id) put(more, id, "key", "value");
    REQUIRE(c.send(more));
    REQUIRE(served(rig.call(client::health_request{})));
    rig.stop_reading();
    std::thread releases([&] {
      std::this_thread::sleep_for(100ms); // the node's stop waits for the disk after it has answered
      rig.release_disk();
    });
    rig.stop_node(50ms);
    rig.stop_clients(50ms);
    releases.join();
    CHECK(rig.connections() == 0);
  }
}

// Writes whose disk does not come back are answered at the stop: unknown, every one of them, before the disk is waited
// for.
TEST_CASE("a stop answers everything that is under way") {
  for (const std::size_t loops : {1U, 2U}) {
    node_rig rig(with(loops, {.inflight_max = 100}));
    REQUIRE(served(rig.call(client::health_request{})));
    rig.hold_disk();
    wire::byte_buffer out;
    for (std::uint64_t id = 1; id <= 101; ++id) put(out, id, "key", "value");
    raw_connection c(at(rig));
    REQUIRE(c.send(out));
    const auto last = c.receive(10s); // the one too many: the others are under way
    REQUIRE(last.has_value());
    REQUIRE(last->id == 101);
    rig.stop_reading();
    auto stopping = std::async(std::launch::async, [&] { rig.stop_node(50ms); });
    for (const auto& [id, code] : replies(c, 100)) CHECK(code == request_errc::unknown);
    rig.release_disk();
    stopping.get();
    rig.stop_clients(1s);
    CHECK(c.closed_within(10s));
  }
}

namespace {

/// Puts of a client that pipelines them; `bulk` is what its hello says.
std::string pipelined_puts(std::uint64_t n, std::size_t value_bytes, bool bulk) {
  wire::byte_buffer out;
  client::encode_request(out, 0, 20s, client::client_hello{.software = "test", .bulk = bulk});
  const std::string value(value_bytes, 'v');
  for (std::uint64_t id = 1; id <= n; ++id) put(out, id, "key " + std::to_string(id), value);
  return {reinterpret_cast<const char*>(out.bytes().data()), out.size()};
}

/// The revision that one more client's put makes while `n` of another are under way: how many went before it.
std::uint64_t puts_before(bool bulk, std::uint64_t n, std::size_t value_bytes) {
  node_rig rig(with(2, {.queue_bytes_max = std::size_t{32} << 20}));
  REQUIRE(served(rig.call(client::health_request{})));
  rig.hold_disk();
  raw_connection pipelines(at(rig));
  const std::string all = pipelined_puts(n, value_bytes, bulk);
  std::thread sends([&] { CHECK(pipelines.send(all, 20s)); });
  CHECK(comes_true([&] { return rig.held_bytes() >= n * value_bytes; }));
  raw_connection other(at(rig));
  wire::byte_buffer one;
  put(one, 1, "other", "v");
  REQUIRE(other.send(one));
  std::this_thread::sleep_for(50ms);
  rig.release_disk();
  const auto reply = other.receive(10s);
  REQUIRE(reply.has_value());
  const auto* done = std::get_if<kv::reply>(&reply->body);
  REQUIRE(done != nullptr);
  const std::uint64_t before = done->revision.value();
  CHECK(replies(pipelines, n + 1).size() == n + 1);
  sends.join();
  return before;
}

} // namespace

// A client pipelines 4,000 puts of 2 KiB each while the disk is busy: a put that comes later waits for what is on its
// way to the disk and one turn, not for all of them. If they are bulk, for a quarter of that.
TEST_CASE("a put overtakes what others have pipelined") {
  constexpr std::uint64_t n = 4000;
  constexpr std::size_t value_bytes = 2048;
  const std::uint64_t before = puts_before(false, n, value_bytes);
  CHECK(before > 100);
  CHECK(before < 2200);
  const std::uint64_t bulk = puts_before(true, n, value_bytes);
  CHECK(bulk > 50);
  CHECK(bulk < 600);
}

// Others have 8,000 puts under way, and bulk a hundred that came last: it gets its share, one byte in nine, while they
// are served.
TEST_CASE("bulk is not starved") {
  node_rig rig(with(2, {.inflight_max = 10'000, .queue_bytes_max = std::size_t{32} << 20}));
  REQUIRE(served(rig.call(client::health_request{})));
  rig.hold_disk();
  raw_connection others(at(rig));
  raw_connection bulk(at(rig));
  const std::string much = pipelined_puts(8000, 1000, false);
  std::thread sends([&] { CHECK(others.send(much, 20s)); });
  CHECK(comes_true([&] { return rig.held_bytes() >= 8'000'000; }));
  CHECK(bulk.send(pipelined_puts(100, 1000, true), 20s));
  CHECK(comes_true([&] { return rig.held_bytes() >= 8'100'000; }));
  rig.release_disk();
  std::uint64_t last = 0;
  for (int i = 0; i < 101; ++i) { // the hello's answer is one of them
    const auto reply = bulk.receive(10s);
    REQUIRE(reply.has_value());
    if (const auto* done = std::get_if<kv::reply>(&reply->body)) last = std::max(last, done->revision.value());
  }
  CHECK(last > 100);
  CHECK(last < 6500);
  CHECK(replies(others, 8001).size() == 8001);
  sends.join();
}

// Bulk alone is not slowed: everything that it pipelined is done.
TEST_CASE("bulk alone is served like any other") {
  node_rig rig(with(2));
  raw_connection c(at(rig));
  const std::string all = pipelined_puts(4000, 1000, true);
  std::thread sends([&] { CHECK(c.send(all, 20s)); });
  for (const auto& [id, code] : replies(c, 4001)) CHECK(code == request_errc::none);
  sends.join();
}
