#include "tests/cluster/raw_client.hpp"
#include "tests/daemon/fixture/node_rig.hpp"

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
using wire::request_errc;

namespace {

node_rig::options with(std::size_t loops, clients::session_options session = {}) {
  return {.loops = loops, .clients = {.session = session}};
}

place at(const node_rig& rig) {
  return {"127.0.0.1", rig.port()};
}

void put(wire::byte_buffer& out, std::uint64_t id, std::string_view key, std::string_view value) {
  wire::encode_request(out, id, 20s, kv::command(kv::put{.key = key, .value = value}));
}

void get(wire::byte_buffer& out, std::uint64_t id, std::string_view key) {
  wire::encode_request(out, id, 20s, wire::range_read{.request = {.key = key}, .serializable = false});
}

/// What a reply says: `none` for success.
request_errc code_of(const wire::client_reply& r) {
  const auto* e = std::get_if<wire::client_error>(&r.body);
  return e == nullptr ? request_errc::none : e->code;
}

bool served(const wire::call_result& r) {
  return r.has_value();
}

/// Polls until it holds, or ten seconds are over.
template <class F>
bool comes_true(F f) {
  const auto until = std::chrono::steady_clock::now() + 10s;
  while (!f()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

/// The codes of so many replies, by id; each id once.
std::map<std::uint64_t, request_errc> replies(raw_connection& c, std::size_t n) {
  std::map<std::uint64_t, request_errc> all;
  while (all.size() < n) {
    const auto r = c.receive(10s);
    REQUIRE(r.has_value());
    REQUIRE(all.emplace(r->id, code_of(*r)).second);
  }
  return all;
}

} // namespace

// Put, get, a transaction, a compaction, health and status go through the client port of a node that leads itself.
TEST_CASE("every kind of request is served") {
  for (const std::size_t loops : {1U, 2U}) {
    node_rig rig(with(loops));
    REQUIRE(served(rig.call(kv::command(kv::put{.key = "a", .value = "1"}))));
    REQUIRE(served(rig.call(kv::command(kv::put{.key = "a", .value = "2"}))));
    const auto got = rig.call(wire::range_read{.request = {.key = "a"}, .serializable = false});
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
    const auto old = rig.call(wire::range_read{
        .request = {.key = "a", .revision = revision(range.revision.value() - 1)}, .serializable = true});
    REQUIRE_FALSE(served(old));
    CHECK(old.error().code() == request_errc::store);

    const auto health = rig.call(wire::health_request{});
    REQUIRE(served(health));
    CHECK(std::get<wire::health_reply>(health->reply.body).serving);
    const auto status = rig.call(wire::status_request{.all = true});
    REQUIRE(served(status));
    const auto& rows = std::get<wire::status_reply>(status->reply.body).rows;
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
    REQUIRE(served(rig.call(wire::health_request{})));
    for (int round = 0; round < 50; ++round) {
      wire::byte_buffer out;
      for (std::uint64_t id = 1; id <= 40; ++id) {
        wire::encode_request(out, id * 3, 5s, wire::status_request{.all = id % 2 == 0});
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

// A web browser is told what it spoke to.
TEST_CASE("HTTP is told that it is not spoken here") {
  node_rig rig(with(1));
  raw_connection c(at(rig));
  REQUIRE(c.send(std::string_view("GET / HTTP/1.1\r\nHost: x\r\n\r\n")));
  const auto r = c.receive(10s);
  REQUIRE(r.has_value());
  CHECK(std::get<wire::client_error>(r->body).text.find("HTTP") != std::string_view::npos);
  CHECK(c.closed_within(10s));
}

// With the disk held and four requests of a connection under way, the fifth is refused at once; released, the four are
// done.
TEST_CASE("beyond the bound a request is overloaded at once") {
  for (const std::size_t loops : {1U, 2U}) {
    node_rig rig(with(loops, {.inflight_max = 4}));
    REQUIRE(served(rig.call(wire::health_request{})));
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
        REQUIRE(served(rig.call(wire::range_read{.request = {.key = "small"}, .serializable = false})));
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
  REQUIRE(served(rig.call(wire::health_request{})));
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
    for (std::uint64_t id = 1; id <= 20; ++id) put(out, id, "key", std::string(by_number ? 100 : 200'000, 'v'));
    const std::string all(reinterpret_cast<const char*>(out.bytes().data()), out.size());
    std::vector<std::thread> sending;
    for (int i = 0; i < 4; ++i) {
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
    wire::encode_request(questions, 1, 5s, wire::health_request{});
    wire::encode_request(questions, 2, 5s, wire::status_request{.all = true});
    if (!by_number)
      wire::encode_request(questions, 3, 5s, wire::range_read{.request = {.key = "key"}, .serializable = true});
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
    wire::encode_request(hello, 1, 5s, wire::client_hello{.software = "hung"});
    REQUIRE(hung.back()->send(hello));
    REQUIRE(hung.back()->receive(10s).has_value());
    REQUIRE(hung.back()->send(begun));
  }
  REQUIRE(comes_true([&] { return rig.held_bytes() >= 2'000'000; }));
  raw_connection honest(at(rig));
  REQUIRE(honest.send(whole));
  CHECK(replies(honest, 1).at(1) == request_errc::none);
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
  REQUIRE(served(rig.call(wire::range_read{.request = {.key = "big"}, .serializable = false})));
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
    REQUIRE(served(rig.call(wire::health_request{})));
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
    wire::encode_request(questions, 1, 5s, wire::client_hello{.software = "probe"});
    wire::encode_request(questions, 2, 5s, wire::health_request{});
    wire::encode_request(questions, 3, 5s, wire::status_request{.all = true});
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
  REQUIRE(served(rig.call(wire::health_request{})));
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

// A client that never reads, with answers both written and under way, does not keep a stop.
TEST_CASE("a stop does not wait for a client that never reads") {
  for (const std::size_t loops : {1U, 2U}) {
    node_rig rig(with(loops));
    REQUIRE(served(rig.call(kv::command(kv::put{.key = "big", .value = std::string(1024 * 1024, 'v')}))));
    raw_connection c(at(rig), 4096);
    wire::byte_buffer out;
    for (std::uint64_t id = 1; id <= 8; ++id) get(out, id, "big");
    REQUIRE(c.send(out));
    REQUIRE(served(rig.call(wire::health_request{}))); // they are served by now, or before the stop's own turn
    rig.hold_disk();
    wire::byte_buffer more;
    for (std::uint64_t id = 9; id <= 12; ++id) put(more, id, "key", "value");
    REQUIRE(c.send(more));
    REQUIRE(served(rig.call(wire::health_request{})));
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
    REQUIRE(served(rig.call(wire::health_request{})));
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
  wire::encode_request(out, 0, 20s, wire::client_hello{.software = "test", .bulk = bulk});
  const std::string value(value_bytes, 'v');
  for (std::uint64_t id = 1; id <= n; ++id) put(out, id, "key " + std::to_string(id), value);
  return {reinterpret_cast<const char*>(out.bytes().data()), out.size()};
}

/// The revision that one more client's put makes while `n` of another are under way: how many went before it.
std::uint64_t puts_before(bool bulk, std::uint64_t n, std::size_t value_bytes) {
  node_rig rig(with(2, {.queue_bytes_max = std::size_t{32} << 20}));
  REQUIRE(served(rig.call(wire::health_request{})));
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

// Bulk alone is not slowed: everything that it pipelined is done.
TEST_CASE("bulk alone is served like any other") {
  node_rig rig(with(2));
  raw_connection c(at(rig));
  const std::string all = pipelined_puts(4000, 1000, true);
  std::thread sends([&] { CHECK(c.send(all, 20s)); });
  for (const auto& [id, code] : replies(c, 4001)) CHECK(code == request_errc::none);
  sends.join();
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
  for (std::uint64_t id = 1; id <= 100; ++id) wire::encode_request(out, id, 20s, kv::command(t));
  raw_connection c(at(rig), 4096);
  REQUIRE(c.send(out));
  CHECK(comes_true([&] { return rig.held_bytes() >= queue / 2; }));
  std::this_thread::sleep_for(200ms);
  CHECK(rig.held_bytes() <= queue);
  for (const auto& [id, code] : replies(c, 100)) CHECK(code == request_errc::none);
  CHECK(rig.slow_clients() == 0);
}
